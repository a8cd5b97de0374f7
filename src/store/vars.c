/* SPDX-License-Identifier: BSD-2-Clause */
#include "vars.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "lock.h"
#include "superblock.h"

#include "pflash/identify.h"

off_t
vars_length(const struct vars *vars)
{
	off_t size;

	if (vars->file.place.room)
		return (off_t)vars->file.place.room;
	if (!S_ISBLK(vars->stat.st_mode))
		return vars->stat.st_size;
	size = vars->file.sys->lseek(vars->file.fd, 0, SEEK_END);
	return size < 0 ? -errno : size;
}

static int
check_size(struct vars *vars, const struct store_config *config,
	   struct error *err)
{
	bool device = S_ISBLK(vars->stat.st_mode) && !vars->file.place.room;
	off_t size = vars_length(vars);

	if (size < 0)
		return error_errno(err, (int)-size, "%s", vars->file.path);
	/* A device may be larger than the flash, which is at its start. */
	if (device && config->size && (off_t)config->size <= size)
		size = config->size;
	if (config->size && size != (off_t)config->size)
		return error_set(err, EINVAL,
				 "%s: size is %lld bytes, expected %u",
				 vars->file.path, (long long)size,
				 config->size);
	if (size <= 0 || size > (off_t)STORE_MAX_SIZE || size % BLOCK_SIZE) {
		(void)identify_size_error(vars->file.path, (uint64_t)size, err);
		(void)identify_explain(vars->file.sys, vars->file.fd,
				       vars->file.path, false, err);
		return -EINVAL;
	}
	vars->size = (uint32_t)size;
	return 0;
}

/*
 * A file with two names would have two journals.  A process that opens one name
 * would not see the journal of the other name: it would miss bursts that VARS
 * does not have yet, or find that VARS does not match its journal.
 */
int
vars_check_kind(struct vars *vars, struct error *err)
{
	if (vars->file.sys->fstat(vars->file.fd, &vars->stat) < 0)
		return error_errno(err, errno, "%s", vars->file.path);
	if (identify_type(vars->stat.st_mode, vars->file.path, err) < 0)
		return -EINVAL;
	if (vars->file.place.room)
		return 0;
	if (S_ISBLK(vars->stat.st_mode) && !vars->files->journal_given)
		return superblock_missing(&vars->file, err);
	if (vars->stat.st_nlink > 1 && S_ISREG(vars->stat.st_mode) &&
	    !vars->files->journal_given)
		return error_set(err, EMLINK,
				 "%s: has %lu names (hard links), but a "
				 "journal belongs to one: remove the others, "
				 "or name the journal with --journal",
				 vars->file.path,
				 (unsigned long)vars->stat.st_nlink);
	/* store_resize() replaced the file before this process locked it. */
	if (vars->stat.st_nlink == 0 && S_ISREG(vars->stat.st_mode))
		return error_set(err, EBUSY,
				 "%s: was replaced by another process while it "
				 "was opened",
				 vars->file.path);
	return 0;
}

int
vars_init(struct vars *vars, const struct store_config *config,
	  struct error *err)
{
	int rc = 0;

	memset(vars, 0, sizeof(*vars));
	vars->file.sys = config->sys ? config->sys : &sys_kernel;
	vars->file.fd = -1;
	vars->files = config->files;
	if (!config->files) {
		rc = files_find(&vars->files, config->path, config->journal,
				config->sys, err);
		vars->own_files = !rc;
	}
	return rc;
}

/* VARS is missing: its journal, or the note of a move, says what to do. */
static void
explain_missing(const struct vars *vars, struct error *err)
{
	struct journal journal;
	struct error why;
	uint8_t *bytes = NULL;
	size_t len;
	int rc = journal_open(&journal, vars->file.sys, vars->files, false,
			      &why);

	if (rc)
		return;
	rc = journal_read(&journal, &bytes, &len, &why);
	if (rc == -EREMCHG)
		error_set(err, ENOENT, "%s", why.text);
	else
		error_set(err, ENOENT,
			  "%s: No such file or directory, but its journal is "
			  "there: `pflashctl check` names the command that "
			  "restores it",
			  vars->file.path);
	journal_close(&journal);
	free(bytes);
}

int
vars_open(struct vars *vars, const struct store_config *config,
	  enum vars_use use, struct error *err)
{
	int rc = vars_init(vars, config, err);

	if (rc)
		return rc;
	rc = file_open(&vars->file, vars->files, FILES_VARS, use == VARS_WRITE,
		       err);
	if (rc == -ENOENT)
		explain_missing(vars, err);
	if (!rc && use != VARS_LOOK)
		rc = lock_file(&vars->file, vars->files,
			       use == VARS_WRITE ? F_WRLCK : F_RDLCK, err);
	if (!rc)
		rc = vars_check_kind(vars, err);
	if (!rc)
		rc = check_size(vars, config, err);
	if (rc)
		vars_close(vars);
	return rc;
}

void
vars_close(struct vars *vars)
{
	file_close(&vars->file);
	if (vars->own_files)
		vars->files->ops->close(vars->files);
	vars->files = NULL;
	vars->own_files = false;
}

uint8_t *
vars_alloc(uint32_t size)
{
	return aligned_alloc(BLOCK_SIZE, size);
}

int
vars_read(const struct vars *vars, uint8_t *image, struct error *err)
{
	return file_read(&vars->file, image, vars->size, 0, err);
}

int
vars_hold(const struct vars *vars, struct error *err)
{
	uint8_t first;
	int rc;

	if (vars->file.place.room || S_ISBLK(vars->stat.st_mode))
		return 0;
	rc = file_read(&vars->file, &first, 1, 0, err);
	if (!rc)
		rc = file_write(&vars->file, &first, 1, 0, err);
	return rc ? rc : file_sync(&vars->file, err);
}

int
vars_settle(const struct vars *vars, const uint8_t *image, struct error *err)
{
	int rc = file_write(&vars->file, image, vars->size, 0, err);

	return rc ? rc : file_sync(&vars->file, err);
}

void
vars_mark(uint8_t *dirty, uint32_t off, uint32_t len)
{
	uint32_t first = off / BLOCK_SIZE;

	if (len)
		memset(dirty + first, 1,
		       (off + len - 1) / BLOCK_SIZE - first + 1);
}

int
vars_write(const struct vars *vars, const uint8_t *image, const uint8_t *dirty,
	   struct error *err)
{
	uint32_t blocks = vars->size / BLOCK_SIZE, first, end;
	int rc = 0;

	for (first = 0; !rc && first < blocks; first = end) {
		for (end = first; end < blocks && dirty[end]; end++)
			;
		if (end > first)
			rc = file_write(&vars->file, image + first * BLOCK_SIZE,
					(end - first) * BLOCK_SIZE,
					first * BLOCK_SIZE, err);
		else
			end++;
	}
	return rc ? rc : file_sync(&vars->file, err);
}
