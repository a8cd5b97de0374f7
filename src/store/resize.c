/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replaces VARS by a file of another size.  The two files cannot change at
 * once, and a journal does not fit a VARS file of another size.  So the order
 * is:
 *
 *  1. recovery and checkpoint: VARS alone has the image, durably;
 *  2. the new VARS, without its name, is written and synced;
 *  3. copies of VARS and journal get their names, durably, VARS first;
 *  4. the journal is removed, durably: VARS is complete without it;
 *  5. the new VARS gets its name, durably.
 *
 * A crash before 5 leaves the old VARS, with its journal or without; after 5
 * the new one.  If the new VARS has a journal, as when a change is undone, this
 * journal replaces the old one in 4.  Then a crash between 4 and 5 leaves files
 * that recovery refuses, and the same call again begins with 5.
 *
 * The copies are complete before the first change.  They are copies, and not
 * the old files renamed: a process that has opened VARS, and gets the lock when
 * this process ends, must find that its file has no name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vars.h"

#define MOST_COPIES 1000u

struct resizing {
	const struct store_resize *resize;
	struct store *store;
	const struct sys *sys;
	struct files *files;
	struct files *copy; /* NULL until its names are known */
	char *path;         /* of the copy of VARS */
	bool copied_vars, copied_journal;
	bool removed; /* the journal has lost its name */
	bool named;   /* the new VARS has its name */
};

static int
failed(const struct files *files, enum files_role role, int rc,
       struct error *err)
{
	return error_errno(err, -rc, "%s", files->name[role]);
}

/* Refuses a file whose name cannot be given to another one. */
static int
check_kind(const struct resizing *r, struct error *err)
{
	struct file file = { .sys = r->sys };
	const char *path = r->files->name[FILES_VARS];
	struct stat st;
	int rc = file_open(&file, r->files, FILES_VARS, false, err);

	if (rc)
		return rc;
	rc = file_stat(&file, &st, err);
	if (!rc && file.place.room)
		rc = error_set(err, EINVAL,
			       "%s: a device is complete for one size: "
			       "`pflashctl export` its image, convert that, "
			       "and prepare the device again with `pflashctl "
			       "create --device --reset --template`",
			       path);
	if (!rc && st.st_nlink > 1)
		rc = error_set(err, EMLINK,
			       "%s: has %lu names (hard links), which a file "
			       "of another size would not have: remove the "
			       "others",
			       path, (unsigned long)st.st_nlink);
	file_close(&file);
	return rc;
}

/* Writes the unfinished VARS of `files`, owned like the present VARS. */
static int
write_vars(const struct resizing *r, struct files *files, const void *image,
	   uint32_t size, struct error *err)
{
	struct file file = { .sys = r->sys, .fd = -1 };
	int rc = file_write_new(&file, files, FILES_VARS, image, size, err);

	if (rc)
		return rc;
	rc = files_local_own_like(r->files, file.fd);
	/* Mode and owner, too; the data are already durable. */
	if (!rc && r->sys->fsync(file.fd) < 0)
		rc = -errno;
	file_close(&file);
	if (!rc)
		return 0;
	(void)files->ops->remove(files, FILES_VARS, true);
	return failed(files, FILES_VARS, rc, err);
}

/* 1: no file has one of the names; 0: one has. */
static int
is_free(const struct resizing *r, struct files *files, struct error *err)
{
	for (int role = 0; role < FILES_ROLES; role++) {
		int fd = files->ops->open(files, (enum files_role)role, false);

		if (fd >= 0)
			(void)r->sys->close(fd);
		if (fd >= 0 || fd == -ELOOP)
			return 0;
		if (fd != -ENOENT)
			return failed(files, (enum files_role)role, fd, err);
	}
	return 1;
}

/* asprintf(3) has failed. */
static int
no_path(struct resizing *r, struct error *err)
{
	r->path = NULL;
	return error_set(err, ENOMEM, "out of memory");
}

/* Sets r->copy to names that are free. */
static int
find_copy(struct resizing *r, struct error *err)
{
	const char *vars = r->files->name[FILES_VARS];
	const char *suffix = r->resize->suffix;
	int rc = 0;

	for (unsigned int n = 1; !rc && n <= MOST_COPIES; n++) {
		if (r->copy)
			r->copy->ops->close(r->copy);
		free(r->path);
		r->copy = NULL;
		r->path = NULL;
		if ((n == 1 ? asprintf(&r->path, "%s%s", vars, suffix) :
			      asprintf(&r->path, "%s%s.%u", vars, suffix, n)) <
		    0)
			return no_path(r, err);
		rc = files_local(&r->copy, r->path, NULL, r->sys, err);
		if (!rc)
			rc = is_free(r, r->copy, err);
	}
	if (rc == 0)
		return error_set(err, EEXIST,
				 "%s%s: %u files of this name exist", vars,
				 suffix, MOST_COPIES);
	return rc > 0 ? 0 : rc;
}

static int
install(struct files *files, enum files_role role, bool *installed,
	struct error *err)
{
	int rc = files->ops->install(files, role, false, installed);

	*installed = rc == 0;
	if (!rc)
		return 0;
	(void)files->ops->remove(files, role, true);
	return failed(files, role, rc, err);
}

static int
copy_vars(struct resizing *r, struct error *err)
{
	int rc = write_vars(r, r->copy, store_image(r->store),
			    store_size(r->store), err);

	return rc ? rc : install(r->copy, FILES_VARS, &r->copied_vars, err);
}

/* The caller frees *bytes. */
static int
read_journal(const struct resizing *r, uint8_t **bytes, size_t *len,
	     struct error *err)
{
	struct file file = { .sys = r->sys };
	int rc = file_open(&file, r->files, FILES_JOURNAL, false, err);

	if (rc)
		return rc;
	rc = file_read_all(&file, bytes, len, err);
	file_close(&file);
	return rc;
}

static int
write_journal(const struct resizing *r, struct files *files,
	      const uint8_t *bytes, size_t len, struct error *err)
{
	struct file file = { .sys = r->sys, .fd = -1 };
	int rc = file_write_new(&file, files, FILES_JOURNAL, bytes, len, err);

	if (!rc)
		file_close(&file);
	return rc;
}

/* The store is open: the journal exists, and ends with a done record. */
static int
copy_journal(struct resizing *r, struct error *err)
{
	uint8_t *bytes = NULL;
	size_t len;
	int rc = read_journal(r, &bytes, &len, err);

	if (!rc)
		rc = write_journal(r, r->copy, bytes, len, err);
	free(bytes);
	return rc ? rc :
		    install(r->copy, FILES_JOURNAL, &r->copied_journal, err);
}

static int
switch_files(struct resizing *r, struct error *err)
{
	const struct store_resize *resize = r->resize;
	const char *vars = r->files->name[FILES_VARS];
	int rc = resize->journal ? write_journal(r, r->files, resize->journal,
						 resize->journal_len, err) :
				   0;

	if (rc)
		return rc;
	rc = files_local_switch(r->files, resize->journal != NULL, &r->removed,
				&r->named);
	if (!rc)
		return 0;
	if (r->named)
		return error_set(err, EIO,
				 "%s: is the new file, but may not be durable: "
				 "%s",
				 vars, strerror(-rc));
	if (!r->removed)
		return failed(r->files, FILES_JOURNAL, rc, err);
	if (resize->journal)
		return error_set(err, -rc,
				 "%s: not replaced yet, but its journal is "
				 "that of the other size: repeat the command: "
				 "%s",
				 vars, strerror(-rc));
	return error_set(err, -rc,
			 "%s: unchanged, but its history is in %s now: %s",
			 vars, r->copy->name[FILES_JOURNAL], strerror(-rc));
}

/* Makes the new file and the copies, and then the switch. */
static int
replace(struct resizing *r, const uint8_t *image, struct error *err)
{
	int rc = write_vars(r, r->files, image, r->resize->size, err);

	if (rc)
		return rc;
	rc = find_copy(r, err);
	if (!rc)
		rc = copy_vars(r, err);
	if (!rc)
		rc = copy_journal(r, err);
	if (!rc)
		rc = switch_files(r, err);
	if (!r->named)
		(void)r->files->ops->remove(r->files, FILES_VARS, true);
	if (rc && !r->removed && r->copied_journal)
		(void)files_local_unlink(r->copy, FILES_JOURNAL);
	if (rc && !r->removed && r->copied_vars)
		(void)files_local_unlink(r->copy, FILES_VARS);
	return rc;
}

static int
edit_image(struct resizing *r,
	   int (*use)(struct resizing *, const uint8_t *, struct error *),
	   struct error *err)
{
	uint8_t *image = malloc(r->resize->size);
	int rc;

	if (!image)
		return error_set(err, ENOMEM, "out of memory");
	rc = r->resize->edit(r->resize->opaque, r->store, image, err);
	if (rc > 0)
		rc = use(r, image, err);
	free(image);
	return rc;
}

/* --- a call that was interrupted --- */

static bool
has_content(const struct resizing *r, enum files_role role,
	    const uint8_t *bytes, size_t len)
{
	struct file file = { .sys = r->sys };
	uint8_t *now = NULL;
	struct error err;
	size_t size;
	bool same;

	if (file_open(&file, r->files, role, false, &err))
		return false;
	same = !file_read_all(&file, &now, &size, &err) && size == len &&
	       !memcmp(now, bytes, len);
	free(now);
	file_close(&file);
	return same;
}

static bool
has_no_journal(const struct resizing *r)
{
	int fd = r->files->ops->open(r->files, FILES_JOURNAL, false);

	if (fd >= 0)
		(void)r->sys->close(fd);
	return fd == -ENOENT;
}

/* VARS is locked.  Completes a call that lacks only VARS or its journal. */
static int
finish_image(struct resizing *r, const uint8_t *image, struct error *err)
{
	const struct store_resize *resize = r->resize;
	int rc;

	if (!has_content(r, FILES_JOURNAL, resize->journal,
			 resize->journal_len) &&
	    !(has_no_journal(r) &&
	      has_content(r, FILES_VARS, image, resize->size)))
		return 0;
	rc = write_vars(r, r->files, image, resize->size, err);
	if (!rc)
		rc = switch_files(r, err);
	if (!r->named)
		(void)r->files->ops->remove(r->files, FILES_VARS, true);
	return rc ? rc : 1;
}

/* 1: the interrupted call is complete now; 0: none was interrupted. */
static int
finish(struct resizing *r, const struct store_config *config, struct error *err)
{
	struct store_config files = *config;
	struct vars vars;
	int rc;

	files.files = r->files;
	files.size = 0;
	rc = vars_open(&vars, &files, VARS_WRITE, err);
	if (rc)
		return rc;
	rc = edit_image(r, finish_image, err);
	vars_close(&vars);
	return rc;
}

static int
run(struct resizing *r, const struct store_config *config, char **kept,
    struct error *err)
{
	struct store_config files = *config;
	int rc = check_kind(r, err);

	files.files = r->files;
	if (!rc && r->resize->journal)
		rc = finish(r, config, err);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = store_open(&r->store, &files, NULL, err);
	if (rc)
		return rc;
	rc = edit_image(r, replace, err);
	if (r->named)
		*kept = r->path;
	else
		free(r->path);
	/* Nothing was changed since store_open(), so nothing is written. */
	(void)store_close(r->store);
	if (r->copy)
		r->copy->ops->close(r->copy);
	return rc;
}

int
store_resize(const struct store_config *config,
	     const struct store_resize *resize, char **kept, struct error *err)
{
	struct resizing r = {
		.resize = resize,
		.sys = config->sys ? config->sys : &sys_kernel,
		.files = config->files,
	};
	int rc = 0;

	*kept = NULL;
	if (!r.files)
		rc = files_find(&r.files, config->path, config->journal,
				config->sys, err);
	if (rc)
		return rc;
	rc = run(&r, config, kept, err);
	if (!config->files)
		r.files->ops->close(r.files);
	return rc;
}
