/* SPDX-License-Identifier: BSD-2-Clause */
#include "repairs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"
#include "random.h"

#include "pflash/reader.h"

#define KEPT ".kept"
#define RESIZED ".old"

static const struct bytes *
content(const char *name)
{
	int inode = disk_find(machine.disk, name);

	return inode < 0 ? NULL : &machine.disk->inode[inode];
}

static bool
has_journal(const char *vars)
{
	char name[NAME_SIZE + 16];

	(void)snprintf(name, sizeof(name), "%s.journal", vars);
	return content(name) != NULL;
}

/* FNV-1a; never 0. */
static uint64_t
hash(const struct bytes *bytes)
{
	uint64_t value = 0xcbf29ce484222325u;

	for (size_t i = 0; i < bytes->len; i++)
		value = (value ^ bytes->data[i]) * 0x100000001b3u;
	return value ? value : 1;
}

static struct store_config
config_of(const struct run *run)
{
	return (struct store_config){
		.path = run_path(run),
		.size = run->setting->size,
		.sync = run->setting->sync,
		.history = &run->setting->history,
		.sys = &sys_machine,
	};
}

/* --- damage --- */

static void
damage_file(enum damage damage, uint32_t size, bool sync, uint64_t *random)
{
	uint8_t *bytes = calloc(1, size);
	int fd = sys_machine.open(machine.vars, O_RDWR, 0);

	if (!bytes)
		abort();
	if (damage == DAMAGE_CUT)
		(void)sys_machine.ftruncate(fd, below(random, size));
	else if (damage == DAMAGE_EMPTY)
		(void)sys_machine.ftruncate(fd, 0);
	if (damage == DAMAGE_GARBAGE)
		run_fill(bytes, size, draw(random));
	if (damage == DAMAGE_GARBAGE || damage == DAMAGE_ZEROED)
		(void)sys_machine.pwrite(fd, bytes, size, 0);
	if (sync)
		(void)sys_machine.fdatasync(fd);
	(void)sys_machine.close(fd);
	free(bytes);
}

bool
repairs_damage(struct run *run, enum damage damage, uint64_t seed)
{
	struct fault fault = machine.fault;

	if (!content(machine.vars) || !has_journal(machine.vars))
		return true;
	if (run_tolerant()) /* the journal may not be durable */
		return true;
	machine.fault.kind = FAULT_NONE;
	run->model->may.touched = TOUCHED_DAMAGED;
	run->model->may.cached = below(&seed, 2);
	if (damage == DAMAGE_GONE)
		(void)sys_machine.unlink(machine.vars);
	else
		damage_file(damage, run->setting->size, !run->model->may.cached,
			    &seed);
	machine.fault = fault;
	return true;
}

/* --- rescue --- */

/* Finds the newest point; *found is false after a fault. */
static bool
read_newest(struct run *run, uint8_t *image, uint32_t *number, bool *found)
{
	const struct store_config config = config_of(run);
	struct fault fault = machine.fault;
	struct error err = { "" };
	struct reader *reader;
	int rc;

	machine.fault.kind = FAULT_NONE;
	places_mirror(run);
	rc = reader_open_rescue(&reader, &config, &err);
	machine.fault = fault;
	*found = rc >= 0;
	if (rc < 0)
		return run_wrong(run, "reader_open_rescue: %s", err.text);
	*number = run_find_state(run, reader_image(reader));
	memcpy(image, reader_image(reader), run->model->size);
	if (rc > 0 && reader_source(reader) != READER_POINT)
		(void)run_wrong(run, "the image is not that of a point");
	reader_close(reader);
	if (!*number)
		(void)run_wrong(run, "the newest point is no state");
	return !run->why[0];
}

static bool
is_noted(const struct model *model, uint64_t value)
{
	for (uint32_t i = 0; i < model->may.damages; i++)
		if (model->damage[i] == value)
			return true;
	return false;
}

static bool
note(struct run *run, uint64_t value)
{
	struct model *model = run->model;
	struct range *may = &model->may;

	if (is_noted(model, value))
		return true;
	if (may->damages == MAX_DAMAGES)
		return run_wrong(run, "the script damages VARS too often");
	model->damage[may->damages++] = value;
	return true;
}

/*
 * The file that is there now must be kept, unless it has the image.  If it has,
 * it is kept all the same where a fault prevents that it is read.
 */
static bool
note_damaged(struct run *run, const uint8_t *image)
{
	const struct bytes *vars = content(machine.vars);
	struct range *may = &run->model->may;
	bool same;

	may->kept_unknown = may->kept_unknown || run_tolerant();
	if (!vars)
		return true;
	same = vars->len == run->model->size &&
	       !memcmp(vars->data, image, vars->len);
	if (same)
		return machine.fault.kind == FAULT_NONE ||
		       note(run, hash(vars));
	may->damaged = may->cached ? 0 : hash(vars);
	return note(run, hash(vars));
}

/* A new image after state `number`; returns its own number. */
static uint32_t
begin_reset(struct run *run, uint8_t *image, uint64_t seed, uint32_t number)
{
	struct model *model = run->model;

	setting_image(run->setting, image, seed);
	memcpy(model->image, image, model->size);
	model->done = number;
	model_set(model, ++model->may.hi);
	return model->may.hi;
}

static bool
rescue(struct run *run, const uint8_t *image, uint32_t number)
{
	const struct store_config config = config_of(run);
	struct range *may = &run->model->may;
	struct error err = { "" };
	struct store_kept kept;
	int rc;

	/* VARS may lose its name before another file gets it. */
	may->touched = TOUCHED_DAMAGED;
	if (!note_damaged(run, image))
		return false;
	places_mirror(run);
	rc = store_rescue(&config, image, run->model->size, &kept, &err);
	store_kept_free(&kept);
	if (machine_leaks())
		return run_wrong(run, "store_rescue leaves a file open");
	if (rc)
		return run_tolerant() ||
		       run_wrong(run, "store_rescue: %s", err.text);
	if (machine.dead)
		return true;
	may->touched = TOUCHED_NOT;
	if (number > may->lo)
		may->lo = number;
	run_settled(run, number);
	return repairs_check(run);
}

bool
repairs_rescue(struct run *run, uint64_t seed, bool reset)
{
	uint8_t *image = malloc(run->model->size);
	uint32_t number = 0;
	bool good, found;

	if (!image)
		abort();
	good = !has_journal(machine.vars) ||
	       (read_newest(run, image, &number, &found) && found);
	if (good && number && reset)
		number = begin_reset(run, image, seed, number);
	if (good && number)
		good = rescue(run, image, number);
	free(image);
	return good;
}

/* --- resize --- */

static int
new_image(void *opaque, const struct store *store, uint8_t *image,
	  struct error *err)
{
	const struct run *run = opaque;

	(void)store;
	(void)err;
	memcpy(image, run->model->image, run->model->size);
	return 1;
}

static bool
resize(struct run *run, uint32_t number)
{
	const struct store_config config = config_of(run);
	const struct store_resize how = {
		.size = run->model->size,
		.suffix = RESIZED,
		.edit = new_image,
		.opaque = run,
	};
	struct range *may = &run->model->may;
	struct error err = { "" };
	char *kept;
	bool good;
	int rc;

	places_mirror(run);
	rc = store_resize(&config, &how, &kept, &err);
	if (machine_leaks())
		return run_wrong(run, "store_resize leaves a file open");
	if (rc || machine.dead) {
		free(kept);
		return run_tolerant() ||
		       run_wrong(run, "store_resize: %s", err.text);
	}
	may->lo = may->hi;
	run_settled(run, may->hi);
	good = run_history(run, kept, number);
	free(kept);
	return good && repairs_check(run);
}

/*
 * The journal may be lost before the new file has its name: then the old state
 * has no history.
 */
bool
repairs_resize(struct run *run, uint64_t seed)
{
	struct model *model = run->model;
	uint32_t number = model->done;

	if (!run->complete) /* a fault prevented a clean close */
		return true;
	model->may.resized = number;
	model_begin_history(model);
	setting_image(run->setting, model->image, seed);
	model_adopt(model, false);
	return resize(run, number);
}

/* --- checks --- */

static bool
check_settled(struct run *run)
{
	uint32_t number = run->model->may.settled;
	const struct bytes *vars = content(machine.vars);

	return !number ||
	       (vars &&
		(run->setting->device || vars->len == run->model->size) &&
		model_is(run->model, number, vars->data)) ||
	       run_wrong(run, "VARS alone is not state %u", number);
}

static bool
is_copy_of_vars(const char *name, const char *suffix)
{
	size_t vars = strlen(machine.vars), len = strlen(suffix);

	return strncmp(name, machine.vars, vars) == 0 &&
	       (!name[vars] || (strncmp(name + vars, suffix, len) == 0 &&
				!strstr(name, ".journal")));
}

/* The damaged file exists as VARS or under the name of a kept file. */
static bool
is_kept(const struct run *run, bool *renamed)
{
	const struct disk *disk = machine.disk;
	bool found = false;

	*renamed = false;
	for (int i = 0; i < disk->entries; i++) {
		const struct entry *entry = &disk->entry[i];

		if (!is_copy_of_vars(entry->name, KEPT) ||
		    hash(&disk->inode[entry->inode]) != run->model->may.damaged)
			continue;
		found = true;
		*renamed = *renamed || strcmp(entry->name, machine.vars) != 0;
	}
	return found;
}

/* Each kept file has the content that the processes saw. */
static bool
check_kept(struct run *run)
{
	const struct disk *disk = machine.disk;

	for (int i = 0; i < disk->entries; i++) {
		const struct entry *entry = &disk->entry[i];

		if (strcmp(entry->name, machine.vars) != 0 &&
		    is_copy_of_vars(entry->name, KEPT) &&
		    !is_noted(run->model, hash(&disk->inode[entry->inode])))
			return run_wrong(run, "%s is not what was damaged",
					 entry->name);
	}
	return true;
}

/* A file that a rescue has replaced exists under a name. */
static bool
check_damaged(struct run *run)
{
	const struct range *may = &run->model->may;
	bool renamed;

	if (may->kept_unknown)
		return true;
	if (may->damaged && !is_kept(run, &renamed))
		return run_wrong(run, "the damaged VARS file is not kept");
	return check_kept(run);
}

void
repairs_before_open(struct run *run)
{
	bool renamed;

	if (run->model->may.damaged && is_kept(run, &renamed) && !renamed)
		run->model->may.damaged = 0;
}

/* Is a kept copy in this state, with its history? */
static bool
find_resized(struct run *run, uint32_t number)
{
	const struct disk *disk = machine.disk;
	char path[300], why[sizeof(run->why)];
	bool found = false;

	memcpy(why, run->why, sizeof(why));
	for (int i = 0; i < disk->entries && !found; i++) {
		const char *name = disk->entry[i].name;

		if (!strcmp(name, machine.vars) ||
		    !is_copy_of_vars(name, RESIZED) || strlen(name) > 20)
			continue;
		(void)snprintf(path, sizeof(path), "%s%s", run_path(run),
			       name + strlen(machine.vars));
		found = run_history(run, path, number);
	}
	memcpy(run->why, why, sizeof(why));
	return found;
}

/* The history is with the flash, or with the copy that a resize keeps. */
static bool
check_resized(struct run *run)
{
	uint32_t number = run->model->may.resized;

	return !number || has_journal(machine.vars) ||
	       find_resized(run, number) ||
	       run_wrong(run, "the history of state %u is lost", number);
}

bool
repairs_check(struct run *run)
{
	return machine.dead ||
	       (check_settled(run) && check_damaged(run) && check_resized(run));
}
