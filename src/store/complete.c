/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prepares a device that is complete, and measures its files.  The superblock
 * is erased first and written last, so a device that a crash leaves half
 * prepared is not complete.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

#include "journal.h"
#include "lock.h"
#include "slots.h"
#include "vars.h"

#include "pflash/identify.h"

struct preparation {
	struct file device;
	struct superblock super;
	const void *image;
};

static uint64_t
mebibytes(uint64_t bytes)
{
	return (bytes + (1u << 20) - 1) >> 20;
}

static int
plan(struct preparation *p, uint32_t size, struct error *err)
{
	int64_t length = superblock_device_size(p->device.sys, p->device.fd);

	if (length < 0)
		return error_errno(err, (int)-length, "%s", p->device.path);
	if (superblock_plan(&p->super, size, (uint64_t)length))
		return error_set(err, ENOSPC,
				 "%s: has %" PRIi64 " bytes: a complete device "
				 "for a flash of %u bytes needs %" PRIu64
				 ", that is, %" PRIu64 " MiB",
				 p->device.path, length, size,
				 superblock_least(size),
				 mebibytes(superblock_least(size)));
	if (getrandom(&p->super.id, sizeof(p->super.id), 0) !=
	    (ssize_t)sizeof(p->super.id))
		return error_errno(err, errno, "getrandom");
	return 0;
}

static bool
is_blank(const uint8_t *bytes, size_t size)
{
	struct identity identity;

	identify_image(bytes, size, &identity);
	return identity_is_blank(&identity);
}

/* Nothing is overwritten by mistake. */
static int
check_blank(const struct preparation *p, struct error *err)
{
	size_t size = p->super.image;
	uint8_t *now = vars_alloc((uint32_t)size);
	struct superblock super;
	int rc = now ? file_read(&p->device, now, size, 0, err) :
		       error_set(err, ENOMEM, "out of memory");

	if (!rc && (!is_blank(now, size) ||
		    superblock_read(&super, p->device.sys, p->device.fd)))
		rc = error_set(err, EEXIST,
			       "%s: is not blank: `pflashctl create --device "
			       "--reset` prepares it all the same, and what it "
			       "has is lost",
			       p->device.path);
	free(now);
	return rc;
}

static int
write_superblock(const struct preparation *p, bool valid, struct error *err)
{
	uint8_t block[BLOCK_SIZE] = { 0 };
	int rc;

	if (valid)
		superblock_encode(block, &p->super);
	rc = file_write(&p->device, block, BLOCK_SIZE,
			p->super.device - BLOCK_SIZE, err);
	return rc ? rc : file_sync(&p->device, err);
}

static int
write_device(const struct preparation *p, struct error *err)
{
	int rc = write_superblock(p, false, err);

	if (!rc)
		rc = file_write(&p->device, p->image, p->super.image, 0, err);
	if (!rc)
		rc = slots_format(&p->device, &p->super, err);
	if (!rc)
		rc = file_sync(&p->device, err);
	return rc ? rc : write_superblock(p, true, err);
}

static int
check_type(const struct preparation *p, struct error *err)
{
	struct stat st;

	if (p->device.sys->fstat(p->device.fd, &st) < 0)
		return error_errno(err, errno, "%s", p->device.path);
	return identify_type(st.st_mode, p->device.path, err) < 0 ? -EINVAL : 0;
}

static int
prepare(struct preparation *p, struct files *files, uint32_t size, bool replace,
	struct error *err)
{
	int rc = file_open(&p->device, files, FILES_VARS, true, err);

	if (!rc)
		rc = lock_file(&p->device, files, F_WRLCK, err);
	if (!rc)
		rc = check_type(p, err);
	if (!rc)
		rc = plan(p, size, err);
	if (!rc && !replace)
		rc = check_blank(p, err);
	if (!rc)
		rc = write_device(p, err);
	file_close(&p->device);
	return rc;
}

int
store_create_device(const struct store_config *config, const void *image,
		    bool replace, struct error *err)
{
	struct preparation p = {
		.device = { .sys = config->sys ? config->sys : &sys_kernel },
		.image = image,
	};
	uint32_t size = config->size;
	struct files *files;
	int rc;

	if (!size || size > STORE_MAX_SIZE || size % BLOCK_SIZE)
		return error_set(err, EINVAL,
				 "%s: an image of %u bytes, expected 4 KiB "
				 "blocks, at most %u bytes",
				 config->path, size, STORE_MAX_SIZE);
	rc = files_local(&files, config->path, NULL, config->sys, err);
	if (rc)
		return rc;
	rc = prepare(&p, files, size, replace, err);
	files->ops->close(files);
	return rc;
}

static int
measure_journal(const struct vars *vars, uint64_t *used, struct error *err)
{
	struct journal journal;
	uint8_t *bytes;
	size_t len;
	int rc = journal_open(&journal, vars->file.sys, vars->files, false,
			      err);

	if (rc)
		return rc;
	rc = journal_read(&journal, &bytes, &len, err);
	journal_close(&journal);
	if (!rc)
		free(bytes);
	*used = rc ? 0 : len;
	return rc;
}

static int
measure_file(const struct vars *vars, enum files_role role, uint64_t *used,
	     struct error *err)
{
	struct file file = { .sys = vars->file.sys };
	struct stat st = { .st_size = 0 };
	int rc = file_open(&file, vars->files, role, false, err);

	if (!rc)
		rc = file_stat(&file, &st, err);
	file_close(&file);
	*used = (uint64_t)st.st_size;
	return rc;
}

int
store_measure(const struct store_config *config, struct store_areas *areas,
	      struct error *err)
{
	struct vars vars;
	int rc = vars_init(&vars, config, err);

	*areas = (struct store_areas){ .used = { 0 } };
	for (enum files_role role = FILES_VARS;
	     !rc && role < FILES_ROLES && vars.files->place[role].room;
	     role++) {
		areas->room[role] = vars.files->place[role].room;
		rc = role == FILES_JOURNAL ?
			     measure_journal(&vars, &areas->used[role], err) :
			     measure_file(&vars, role, &areas->used[role], err);
		if (rc == -ENOENT)
			rc = 0;
	}
	vars_close(&vars);
	return rc ? rc : areas->room[FILES_VARS] != 0;
}
