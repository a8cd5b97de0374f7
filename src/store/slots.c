/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each file has two slots.  The one with the valid header of the higher
 * generation is in force; it is the file, or says that there is none.  A new
 * file is written into the other slot, whose header is not valid, and is in
 * force when its header is written, with the next generation: a header that is
 * torn is not valid, so the old file stays.  Then the old header is erased.
 * This need not be durable before the next sync, but is with it: later, damage
 * to the only valid header is found, and does not bring back an old file.
 *
 * A process that writes a header, or the contents of a slot that is not in
 * force, has locked that slot; the old one is locked by the caller, or is no
 * file.  The lock on VARS protects all files except the queue.
 *
 * Every descriptor is that of the device, opened anew: two descriptors of one
 * open file description would share their locks.
 */
#include "slots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lock.h"

#include "pflash/identify.h"

struct slots {
	struct files files;
	struct files *device; /* knows the device as its VARS */
	const struct sys *sys;
	struct superblock super;
	char *name[FILES_ROLES];
	bool confined; /* queue and pins are not written */
};

/* The two headers of an area. */
struct state {
	struct slot_header slot[2];
	unsigned int current;
};

static bool
is_writable(const struct slots *slots, enum files_role role)
{
	return !slots->confined || (role != FILES_NEXT && role != FILES_PINS);
}

static struct slots *
slots_of(struct files *files)
{
	return (struct slots *)files;
}

static struct file
device_file(const struct slots *slots, int fd)
{
	return (struct file){
		.sys = slots->sys,
		.path = slots->files.name[FILES_VARS],
		.fd = fd,
	};
}

static int
read_header(const struct slots *slots, int fd, enum files_role role,
	    unsigned int slot, struct slot_header *header)
{
	const struct file device = device_file(slots, fd);
	const struct area *area = superblock_area(&slots->super, role);
	uint8_t block[BLOCK_SIZE];
	int rc = file_read(&device, block, BLOCK_SIZE, slot_offset(area, slot),
			   NULL);

	if (!rc)
		slot_decode(header, &slots->super, role, block);
	return rc;
}

/* -EUCLEAN: no header is valid. */
static int
read_state(const struct slots *slots, int fd, enum files_role role,
	   struct state *state)
{
	struct slot_header *slot = state->slot;
	int rc = read_header(slots, fd, role, 0, &slot[0]);

	if (!rc)
		rc = read_header(slots, fd, role, 1, &slot[1]);
	if (rc)
		return rc;
	if (slot[0].kind == SLOT_INVALID && slot[1].kind == SLOT_INVALID)
		return -EUCLEAN;
	state->current = slot[0].kind == SLOT_INVALID ||
			 (slot[1].kind != SLOT_INVALID &&
			  slot[1].generation > slot[0].generation);
	return 0;
}

/* With SLOT_INVALID erases the header. */
static int
write_header(const struct slots *slots, int fd, enum files_role role,
	     unsigned int slot, const struct slot_header *header)
{
	const struct file device = device_file(slots, fd);
	const struct area *area = superblock_area(&slots->super, role);
	uint8_t block[BLOCK_SIZE] = { 0 };

	if (header->kind != SLOT_INVALID)
		slot_encode(block, &slots->super, role, header);
	return file_write(&device, block, BLOCK_SIZE, slot_offset(area, slot),
			  NULL);
}

static int
erase_header(const struct slots *slots, int fd, enum files_role role,
	     unsigned int slot)
{
	const struct slot_header none = { .kind = SLOT_INVALID };

	return write_header(slots, fd, role, slot, &none);
}

static int
sync_device(const struct slots *slots, int fd)
{
	const struct file device = device_file(slots, fd);

	return file_sync(&device, NULL);
}

static bool
is_file(const struct state *state)
{
	return state->slot[state->current].kind == SLOT_FILE;
}

static void
set_place(struct slots *slots, enum files_role role, unsigned int slot)
{
	const struct area *area = superblock_area(&slots->super, role);

	slots->files.place[role] = (struct files_place){
		.base = slot_offset(area, slot) + BLOCK_SIZE,
		.room = area->size - BLOCK_SIZE,
	};
}

static int
open_device(struct slots *slots, enum files_access access)
{
	return slots->device->ops->open(slots->device, FILES_VARS, access);
}

static void
close_device(const struct slots *slots, int fd)
{
	(void)slots->sys->close(fd);
}

/*
 * Locks the slot that is not in force.  -EEXIST: another process has put a file
 * there in the meantime.
 */
static int
lock_other(struct slots *slots, int fd, enum files_role role,
	   struct state *state)
{
	struct file file = device_file(slots, fd);
	unsigned int target;
	int rc = read_state(slots, fd, role, state);

	if (rc)
		return rc;
	target = !state->current;
	set_place(slots, role, target);
	file.place = slots->files.place[role];
	rc = lock_patiently(&file, &slots->files, F_WRLCK, NULL);
	if (!rc)
		rc = read_state(slots, fd, role, state);
	return !rc && state->current == target ? -EEXIST : rc;
}

/*
 * Completes what an earlier call or process has begun, if both headers are
 * valid: the one in force may be in the page cache only, because its sync has
 * failed or has not happened.  If the other one is erased, it is durable.
 */
static int
settle(const struct slots *slots, int fd, enum files_role role,
       const struct state *state)
{
	unsigned int current = state->current;
	int rc;

	if (state->slot[!current].kind == SLOT_INVALID)
		return 0;
	rc = write_header(slots, fd, role, current, &state->slot[current]);
	if (!rc)
		rc = sync_device(slots, fd);
	return rc ? rc : erase_header(slots, fd, role, !current);
}

/*
 * With the lock on the slot that is not in force nobody else puts it into
 * force.  -EEXIST: another process has done that just now, durably.
 */
static int
settle_queue(struct slots *slots)
{
	struct state state = { .current = 0 };
	int fd = open_device(slots, FILES_BESIDE), rc;

	if (fd < 0)
		return fd;
	rc = lock_other(slots, fd, FILES_NEXT, &state);
	if (!rc)
		rc = settle(slots, fd, FILES_NEXT, &state);
	close_device(slots, fd);
	return rc == -EEXIST ? 0 : rc;
}

/*
 * The caller has the lock on VARS.  Damage to another file than the journal is
 * reported when that file is opened.
 */
static int
settle_all(struct slots *slots, int fd)
{
	struct state state = { .current = 0 };
	int rc = 0;

	for (enum files_role role = FILES_JOURNAL; !rc && role < FILES_ROLES;
	     role++) {
		if (!is_writable(slots, role))
			continue;
		rc = read_state(slots, fd, role, &state);
		if (rc == -EUCLEAN && role != FILES_JOURNAL)
			rc = 0;
		else if (!rc && role != FILES_NEXT)
			rc = settle(slots, fd, role, &state);
		else if (!rc && state.slot[!state.current].kind)
			rc = settle_queue(slots);
	}
	return rc;
}

static int
open_file(struct slots *slots, int fd, enum files_role role,
	  enum files_access access)
{
	struct state state = { .current = 0 };
	int rc = read_state(slots, fd, role, &state);

	if (!rc && access != FILES_READ && role == FILES_JOURNAL)
		rc = settle_all(slots, fd);
	if (rc)
		return rc;
	set_place(slots, role, state.current);
	return is_file(&state) ? 0 : -ENOENT;
}

static int
slots_open(struct files *files, enum files_role role, enum files_access access)
{
	struct slots *slots = slots_of(files);
	bool beside = role != FILES_VARS && access == FILES_WRITE;
	int fd = open_device(slots, beside ? FILES_BESIDE : access), rc;

	if (fd < 0 || role == FILES_VARS)
		return fd;
	rc = open_file(slots, fd, role, access);
	if (!rc)
		return fd;
	close_device(slots, fd);
	return rc;
}

/* The header of the new file is erased before its contents are written. */
static int
prepare(struct slots *slots, int fd, enum files_role role)
{
	struct state state = { .current = 0 };
	int rc = lock_other(slots, fd, role, &state);

	return rc ? rc : settle(slots, fd, role, &state);
}

static int
slots_create(struct files *files, enum files_role role)
{
	struct slots *slots = slots_of(files);
	int fd, rc;

	if (role == FILES_VARS)
		return -EEXIST;
	if (!is_writable(slots, role))
		return -EPERM;
	fd = open_device(slots, FILES_BESIDE);
	if (fd < 0)
		return fd;
	rc = prepare(slots, fd, role);
	if (!rc)
		return fd;
	close_device(slots, fd);
	return rc;
}

/*
 * Puts the slot that is not in force into force.  *done: it is, perhaps not
 * durably.
 */
static int
put_in_force(const struct slots *slots, int fd, enum files_role role,
	     const struct state *state, struct slot_header header, bool *done)
{
	unsigned int old = state->current;
	int rc;

	header.generation = state->slot[old].generation + 1;
	if (header.generation == UINT64_MAX)
		return -EOVERFLOW;
	rc = write_header(slots, fd, role, !old, &header);
	if (rc) {
		*done = erase_header(slots, fd, role, !old) < 0;
		return rc;
	}
	*done = true;
	rc = sync_device(slots, fd);
	return rc ? rc : erase_header(slots, fd, role, old);
}

/* The caller has locked the slot since create(). */
static int
install_at(struct slots *slots, int fd, enum files_role role, bool replace,
	   bool *named)
{
	const struct slot_header file = { .kind = SLOT_FILE,
					  .length = slots->files.length[role] };
	struct state state = { .current = 0 };
	int rc = read_state(slots, fd, role, &state);

	if (!rc && is_file(&state) && !replace)
		rc = -EEXIST;
	if (rc)
		return rc;
	rc = put_in_force(slots, fd, role, &state, file, named);
	if (rc && *named && !replace)
		*named = erase_header(slots, fd, role, !state.current) < 0;
	return rc;
}

static int
slots_install(struct files *files, enum files_role role, bool replace,
	      bool *named)
{
	struct slots *slots = slots_of(files);
	int fd, rc;

	*named = false;
	if (role == FILES_VARS || !is_writable(slots, role))
		return -EPERM;
	fd = open_device(slots, FILES_BESIDE);
	if (fd < 0)
		return fd;
	rc = install_at(slots, fd, role, replace, named);
	close_device(slots, fd);
	return rc;
}

static int
remove_at(struct slots *slots, int fd, enum files_role role)
{
	const struct slot_header none = { .kind = SLOT_NO_FILE };
	struct state state = { .current = 0 };
	bool done;
	int rc = read_state(slots, fd, role, &state);

	if (rc || !is_file(&state))
		return rc;
	rc = lock_other(slots, fd, role, &state);
	if (rc || !is_file(&state))
		return rc;
	return put_in_force(slots, fd, role, &state, none, &done);
}

/* An unfinished file has no valid header: nothing is there to remove. */
static int
slots_remove(struct files *files, enum files_role role, bool unfinished)
{
	struct slots *slots = slots_of(files);
	int fd, rc;

	if (unfinished)
		return 0;
	if (role == FILES_VARS || !is_writable(slots, role))
		return -EPERM;
	fd = open_device(slots, FILES_BESIDE);
	if (fd < 0)
		return fd;
	rc = remove_at(slots, fd, role);
	close_device(slots, fd);
	return rc;
}

/* The end of a journal is found by its records. */
static int
slots_measure(struct files *files, enum files_role role, int fd,
	      const struct files_place *place, struct stat *st)
{
	const struct slots *slots = slots_of(files);
	unsigned int slot;
	struct state state = { .current = 0 };
	int rc;

	st->st_mode = S_IFREG | (st->st_mode & 07777);
	st->st_nlink = 1;
	st->st_size = (off_t)place->room;
	if (role == FILES_VARS)
		return 0;
	rc = read_state(slots, fd, role, &state);
	if (rc)
		return rc;
	slot = place->base - BLOCK_SIZE !=
	       superblock_area(&slots->super, role)->offset;
	st->st_nlink = slot == state.current && is_file(&state);
	if (role != FILES_JOURNAL)
		st->st_size = st->st_nlink ? (off_t)state.slot[slot].length : 0;
	return 0;
}

static int
slots_explain(const struct files *files, enum files_role role, int code,
	      struct error *err)
{
	const struct slots *slots = (const struct slots *)files;
	const struct files *device = slots->device;
	const char *path = files->name[FILES_VARS];

	if (code == EUCLEAN)
		return error_set(err, EUCLEAN,
				 "%s: damaged: neither of its two headers on "
				 "the device can be read: save the device with "
				 "dd, and prepare it again with `pflashctl "
				 "create --device --reset`, from the image at "
				 "its start",
				 files->name[role]);
	if (code == ENOENT)
		return error_errno(err, ENOENT, "%s", files->name[role]);
	return device->ops->explain ?
		       device->ops->explain(device, FILES_VARS, code, err) :
		       file_explain(path, code, err);
}

static void
slots_close(struct files *files)
{
	struct slots *slots = slots_of(files);

	slots->device->ops->close(slots->device);
	for (int role = 0; role < FILES_ROLES; role++)
		free(slots->name[role]);
	free(slots);
}

static const struct files_ops slots_ops = {
	.open = slots_open,
	.create = slots_create,
	.install = slots_install,
	.remove = slots_remove,
	.measure = slots_measure,
	.holder = sys_find_holder,
	.explain = slots_explain,
	.close = slots_close,
};

/* For a process that must not look at others: the worker. */
static const struct files_ops quiet_ops = {
	.open = slots_open,
	.create = slots_create,
	.install = slots_install,
	.remove = slots_remove,
	.measure = slots_measure,
	.explain = slots_explain,
	.close = slots_close,
};

static bool
name_files(struct slots *slots)
{
	static const char *const what[FILES_ROLES] = {
		[FILES_JOURNAL] = "journal",
		[FILES_STATE] = "state",
		[FILES_NEXT] = "next",
		[FILES_PINS] = "pins",
	};
	const char *path = slots->device->name[FILES_VARS];

	slots->files.name[FILES_VARS] = path;
	for (int role = FILES_JOURNAL; role < FILES_ROLES; role++) {
		if (asprintf(&slots->name[role], "%s (%s)", path, what[role]) <
		    0) {
			slots->name[role] = NULL;
			return false;
		}
		slots->files.name[role] = slots->name[role];
	}
	return true;
}

int
slots_wrap(struct files **files, const struct superblock *super,
	   const struct sys *sys, struct error *err)
{
	struct slots *slots = calloc(1, sizeof(*slots));
	struct files *device = *files;

	if (!slots)
		return error_set(err, ENOMEM, "out of memory");
	slots->device = device;
	slots->files.ops = device->ops->holder ? &slots_ops : &quiet_ops;
	slots->files.given = device->given;
	slots->sys = sys;
	slots->super = *super;
	slots->files.place[FILES_VARS].room = super->image;
	for (enum files_role role = FILES_JOURNAL; role < FILES_ROLES; role++)
		set_place(slots, role, 0);
	if (!name_files(slots)) {
		for (int role = 0; role < FILES_ROLES; role++)
			free(slots->name[role]);
		free(slots);
		return error_set(err, ENOMEM, "out of memory");
	}
	*files = &slots->files;
	return 0;
}

uint64_t
files_confine(struct files *files)
{
	struct slots *slots = slots_of(files);

	if (files->ops != &slots_ops && files->ops != &quiet_ops)
		return 0;
	slots->confined = true;
	return superblock_limit(&slots->super);
}

int
slots_format(const struct file *device, const struct superblock *super,
	     struct error *err)
{
	const struct slot_header first = { .kind = SLOT_NO_FILE,
					   .generation = 1 };
	uint8_t block[BLOCK_SIZE], zeros[BLOCK_SIZE] = { 0 };
	int rc = 0;

	for (enum files_role role = FILES_JOURNAL; !rc && role < FILES_ROLES;
	     role++) {
		const struct area *area = superblock_area(super, role);

		slot_encode(block, super, role, &first);
		rc = file_write(device, block, BLOCK_SIZE, slot_offset(area, 0),
				err);
		if (!rc)
			rc = file_write(device, zeros, BLOCK_SIZE,
					slot_offset(area, 1), err);
	}
	return rc;
}

/* --- which files a flash has --- */

int
files_complete(struct files **files, const struct sys *sys, struct error *err)
{
	const char *path = (*files)->name[FILES_VARS];
	struct file file = { .sys = sys ? sys : &sys_kernel };
	struct superblock super;
	int rc = file_open(&file, *files, FILES_VARS, false, err);

	if (rc) /* a file that is missing may have a journal */
		return rc == -ENOENT ? 0 : rc;
	rc = superblock_read(&super, file.sys, file.fd);
	file_close(&file);
	if (rc == -EUCLEAN)
		return error_set(err, EUCLEAN,
				 "%s: the superblock at its end is damaged, or "
				 "of another version or device size: give the "
				 "device its former size, or restore it from a "
				 "backup",
				 path);
	if (rc < 0)
		return error_errno(err, -rc, "%s", path);
	if (!rc)
		return 0;
	if ((*files)->journal_given)
		return error_set(err, EINVAL,
				 "%s: is a complete device, which has its "
				 "journal itself: leave out --journal",
				 path);
	return slots_wrap(files, &super, file.sys, err);
}

int
files_find(struct files **out, const char *vars, const char *journal,
	   const struct sys *sys, struct error *err)
{
	struct files *files;
	int rc = files_local(&files, vars, journal, sys, err);

	if (rc)
		return rc;
	rc = files_complete(&files, sys, err);
	if (rc)
		files->ops->close(files);
	else
		*out = files;
	return rc;
}

int
files_image_size(int fd, const struct sys *sys, uint32_t *size)
{
	struct superblock super;
	int rc = superblock_read(&super, sys ? sys : &sys_kernel, fd);

	*size = rc > 0 ? (uint32_t)super.image : 0;
	return rc < 0 ? rc : 0;
}
