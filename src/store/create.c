/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Creates a VARS file: writes and syncs a file without its final name, then
 * gives it the name, which fails if the name exists.
 */
#include "create.h"

#include <errno.h>
#include <stdlib.h>

#include "journal.h"
#include "vars.h"

#include "pflash/identify.h"
#include "pflash/store.h"

static void
explain_taken(const struct file *file, mode_t mode, struct error *err)
{
	if (file->place.room || S_ISBLK(mode))
		error_set(err, EEXIST,
			  "%s: exists, and is a device: `pflashctl create "
			  "--device --reset` makes it empty, and with "
			  "--template a copy",
			  file->path);
	else if (S_ISREG(mode))
		error_set(err, EEXIST,
			  "%s: File exists: give another name, or remove this "
			  "flash and its variables with `pflashctl remove`",
			  file->path);
	else
		error_set(err, EEXIST, "%s: exists, and is %s: %s", file->path,
			  identify_type_name(mode),
			  S_ISDIR(mode) ? "name the file in it" :
					  "give another name");
}

/* 0: no file has this name; -EEXIST: a file has it. */
static int
look_for(const struct vars *vars, enum files_role role, struct error *err)
{
	struct file file = { .sys = vars->file.sys };
	int rc = file_open(&file, vars->files, role, false, err);
	struct stat st;

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = error_errno(err, EEXIST, "%s", file.path);
	if (file.sys->fstat(file.fd, &st) == 0)
		explain_taken(&file, st.st_mode, err);
	file_close(&file);
	return rc;
}

/* 0: there is no note of a move in the place of the journal. */
static int
check_note(const struct vars *vars, struct error *err)
{
	struct journal journal;
	struct error why;
	uint8_t *bytes;
	size_t len;
	int rc = journal_open(&journal, vars->file.sys, vars->files, false,
			      &why);

	if (rc)
		return 0;
	rc = journal_read(&journal, &bytes, &len, &why);
	journal_close(&journal);
	if (!rc)
		free(bytes);
	return rc == -EREMCHG ? error_set(err, EREMCHG, "%s", why.text) : 0;
}

/* The journal of an earlier VARS file would not match a new one. */
static int
check_journal(const struct vars *vars, struct error *err)
{
	const char *const *name = vars->files->name;
	int rc = look_for(vars, FILES_JOURNAL, err);

	if (rc == -EEXIST && check_note(vars, err) < 0)
		return -EREMCHG;
	if (rc == -EEXIST)
		rc = error_set(
			err, EUCLEAN,
			"%s: is the journal of an earlier %s, and may be "
			"the only copy of its variables: `pflashctl "
			"check` names the command that restores them",
			name[FILES_JOURNAL], name[FILES_VARS]);
	return rc;
}

/* The protection register in it belongs to the earlier VARS file. */
static int
check_state(const struct vars *vars, struct error *err)
{
	const char *const *name = vars->files->name;
	int rc = look_for(vars, FILES_STATE, err);

	if (rc == -EEXIST)
		rc = error_set(err, EUCLEAN,
			       "%s: is the chip's state of an earlier %s: put "
			       "that file back, or remove the state and its "
			       "protection register",
			       name[FILES_STATE], name[FILES_VARS]);
	return rc;
}

/* A new guest must not get the changes that wait for another one. */
static int
check_queue(const struct vars *vars, struct error *err)
{
	const char *const *name = vars->files->name;
	int rc = look_for(vars, FILES_NEXT, err);

	if (rc == -EEXIST)
		rc = error_set(err, EUCLEAN,
			       "%s: has changes for the next start of an "
			       "earlier %s: put that file back, or remove the "
			       "changes",
			       name[FILES_NEXT], name[FILES_VARS]);
	return rc;
}

/* Else the next start would give a new guest the keys of another one. */
static int
check_pins(const struct vars *vars, struct error *err)
{
	const char *const *name = vars->files->name;
	int rc = look_for(vars, FILES_PINS, err);

	if (rc == -EEXIST)
		rc = error_set(err, EUCLEAN,
			       "%s: has the values of the pinned variables of "
			       "an earlier %s: put that file back, or remove "
			       "the values",
			       name[FILES_PINS], name[FILES_VARS]);
	return rc;
}

static int
write_file(struct vars *vars, const void *image, size_t size, struct error *err)
{
	struct files *files = vars->files;
	bool named;
	int rc = file_write_new(&vars->file, files, FILES_VARS, image, size,
				err);

	if (rc)
		return rc;
	rc = files->ops->install(files, FILES_VARS, false, &named);
	if (!rc)
		return 0;
	(void)files->ops->remove(files, FILES_VARS, true);
	return error_errno(err, -rc, "%s", vars->file.path);
}

int
create_check_free(const struct vars *vars, struct error *err)
{
	int rc = look_for(vars, FILES_VARS, err);

	if (!rc)
		rc = check_journal(vars, err);
	if (!rc)
		rc = check_state(vars, err);
	if (!rc)
		rc = check_queue(vars, err);
	return rc ? rc : check_pins(vars, err);
}

int
store_check_new(const struct store_config *config, struct error *err)
{
	struct vars vars;
	int rc = vars_init(&vars, config, err);

	if (!rc)
		rc = create_check_free(&vars, err);
	vars_close(&vars);
	return rc;
}

/*
 * Checks first whether the names are free, for a clear message.  If a file
 * appears after that, install() fails.
 */
int
store_create(const struct store_config *config, const void *image,
	     struct error *err)
{
	uint32_t size = config->size;
	struct vars vars;
	int rc = vars_init(&vars, config, err);

	if (!rc && (!size || size > STORE_MAX_SIZE || size % BLOCK_SIZE))
		rc = error_set(err, EINVAL,
			       "%s: an image of %u bytes, expected "
			       "4 KiB blocks, at most %u bytes",
			       vars.files->name[FILES_VARS], size,
			       STORE_MAX_SIZE);
	if (!rc)
		rc = create_check_free(&vars, err);
	if (!rc)
		rc = write_file(&vars, image, size, err);
	vars_close(&vars);
	return rc;
}
