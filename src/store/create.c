/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new VARS file: written and synced under a name of its own in the same
 * directory, then renamed, which fails if the new name exists.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "journal.h"
#include "vars.h"

#include "pflash/store.h"

static char *
temporary_path(const char *path)
{
	uint64_t random;
	char *name;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return NULL;
	return asprintf(&name, "%s.%016" PRIx64, path, random) < 0 ? NULL :
								     name;
}

static int
write_file(const struct sys *sys, const char *path, const void *image,
	   size_t size, struct error *err)
{
	struct file file = { .sys = sys, .path = path, .fd = -1 };
	int rc;

	rc = file_open(&file, O_WRONLY | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR,
		       err);
	if (rc)
		return rc;
	rc = file_write(&file, image, size, 0, err);
	if (!rc)
		rc = file_sync(&file, err);
	file_close(&file);
	if (rc)
		(void)sys->unlink(path);
	return rc;
}

/* The file never has two names, which store_open() would refuse. */
static int
name_file(const struct sys *sys, const char *from, const char *to,
	  struct error *err)
{
	int rc;

	if (sys->rename_new(from, to) < 0) {
		rc = error_errno(err, errno, "%s", to);
		(void)sys->unlink(from);
		return rc;
	}
	rc = file_sync_directory(sys, to, err);
	if (rc)
		(void)sys->unlink(to);
	return rc;
}

/* 0: nothing has this name; -EEXIST: something has. */
static int
look_for(const struct sys *sys, const char *path, struct error *err)
{
	struct file file = { .sys = sys, .path = path, .fd = -1 };
	int rc = file_open(&file, O_PATH | O_NOFOLLOW, 0, err);

	file_close(&file);
	if (!rc)
		return error_errno(err, EEXIST, "%s", path);
	return rc == -ENOENT ? 0 : rc;
}

/* What an earlier file of this name left behind says what VARS must be. */
static int
check_journal(const struct sys *sys, const struct store_config *config,
	      const char *path, struct error *err)
{
	struct journal journal;
	int rc = journal_open(&journal, sys, path, O_RDONLY, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = error_set(err, EUCLEAN,
		       "%s: is the journal of an earlier %s: put that file "
		       "back, or remove the journal and its history",
		       path, config->path);
	journal_close(&journal);
	return rc;
}

/* The protection register was that one's, too. */
static int
check_state(const struct sys *sys, const struct store_config *config,
	    const char *path, struct error *err)
{
	int rc = look_for(sys, path, err);

	if (rc == -EEXIST)
		rc = error_set(err, EUCLEAN,
			       "%s: is the chip's state of an earlier %s: put "
			       "that file back, or remove the state and its "
			       "protection register",
			       path, config->path);
	return rc;
}

static int
check_left(const struct sys *sys, const struct store_config *config,
	   struct error *err)
{
	struct vars vars = { 0 };
	char *state = NULL;
	int rc;

	if (config->journal)
		vars.journal = strdup(config->journal);
	else if (asprintf(&vars.journal, "%s.journal", config->path) < 0)
		vars.journal = NULL;
	if (vars.journal)
		state = vars_beside(&vars, ".state");
	if (!state)
		rc = error_set(err, ENOMEM, "out of memory");
	else
		rc = check_journal(sys, config, vars.journal, err);
	if (!rc)
		rc = check_state(sys, config, state, err);
	free(state);
	free(vars.journal);
	return rc;
}

int
store_create(const struct store_config *config, const void *image,
	     struct error *err)
{
	const struct sys *sys = config->sys ? config->sys : &sys_kernel;
	uint32_t size = config->size;
	char *temporary;
	int rc;

	if (!size || size > STORE_MAX_SIZE || size % VARS_BLOCK_SIZE)
		return error_set(err, EINVAL,
				 "%s: an image of %u bytes, expected "
				 "4 KiB blocks, at most %u bytes",
				 config->path, size, STORE_MAX_SIZE);
	/* Before anything else; the renaming has the last word. */
	rc = look_for(sys, config->path, err);
	if (!rc)
		rc = check_left(sys, config, err);
	if (rc)
		return rc;
	temporary = temporary_path(config->path);
	if (!temporary)
		return error_errno(err, errno, "%s", config->path);
	rc = write_file(sys, temporary, image, size, err);
	if (!rc)
		rc = name_file(sys, temporary, config->path, err);
	free(temporary);
	return rc;
}
