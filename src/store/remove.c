/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Removes a flash.  VARS goes first: after a crash the rest is no flash, and
 * store_check_new() permits no new VARS file beside its journal.  The same call
 * again removes the rest.
 */
#include <errno.h>
#include <stdlib.h>

#include "journal.h"
#include "lock.h"
#include "movenote.h"
#include "queue.h"
#include "remove.h"
#include "vars.h"

#include "pflash/store.h"

struct removal {
	struct vars vars;
	struct journal journal;
	struct file queue;
	bool found; /* at least one file exists */
};

static int
check_vars(const struct file *file, const struct stat *st, struct error *err)
{
	const char *path = file->path;

	if (S_ISBLK(st->st_mode) || file->place.room)
		return error_set(err, EINVAL,
				 "%s: a block device is not removed: "
				 "`blkdiscard -z` erases it",
				 path);
	if (st->st_nlink > 1)
		return error_set(err, EMLINK,
				 "%s: has %lu names (hard links), and the "
				 "others would stay without the journal: "
				 "remove them first",
				 path, (unsigned long)st->st_nlink);
	return 0;
}

/* The contents do not matter: they may be damaged. */
static int
lock_vars(struct removal *r, struct error *err)
{
	struct file *file = &r->vars.file;
	struct stat st;
	int rc = file_open(file, r->vars.files, FILES_VARS, true, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	r->found = true;
	rc = file_stat(file, &st, err);
	if (!rc)
		rc = check_vars(file, &st, err);
	return rc ? rc : lock_file(file, r->vars.files, F_WRLCK, err);
}

/*
 * A flash that was sent, or `moved`, is none any more.  A move that was
 * interrupted must be completed or undone first.
 */
static bool
is_gone(const uint8_t *bytes, size_t len, bool moved)
{
	struct movenote note;

	return movenote_decode(&note, bytes, len) &&
	       (movenote_is_transfer(&note) ||
		(moved && note.kind == MOVENOTE_DEPARTED));
}

static int
lock_journal(struct removal *r, bool moved, struct error *err)
{
	uint8_t *bytes = NULL;
	size_t len;
	int rc = journal_open(&r->journal, r->vars.file.sys, r->vars.files,
			      true, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	r->found = true;
	rc = file_read_all(&r->journal.file, &bytes, &len, err);
	if (!rc && !is_gone(bytes, len, moved))
		rc = movenote_refuse(bytes, len, r->vars.files, err);
	free(bytes);
	return rc;
}

static int
lock_queue(struct removal *r, struct error *err)
{
	int rc;

	r->queue.sys = r->vars.file.sys;
	rc = queue_lock(&r->queue, r->vars.files, true, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	r->found = true;
	return 0;
}

static int
remove_all(const struct removal *r, struct error *err)
{
	static const enum files_role order[] = { FILES_VARS, FILES_STATE,
						 FILES_PINS, FILES_NEXT,
						 FILES_JOURNAL };
	struct files *files = r->vars.files;

	for (size_t i = 0; i < FILES_ROLES; i++) {
		int rc = files_local_unlink(files, order[i]);

		if (!rc)
			rc = files->ops->remove(files, order[i], true);
		if (rc)
			return error_errno(err, -rc, "%s",
					   files->name[order[i]]);
	}
	return 0;
}

static int
remove_flash(const struct store_config *config, bool moved, struct error *err)
{
	struct removal r = { .vars.file.fd = -1,
			     .journal.file.fd = -1,
			     .queue.fd = -1 };
	int rc = vars_init(&r.vars, config, err);

	if (!rc)
		rc = lock_vars(&r, err);
	if (!rc)
		rc = lock_journal(&r, moved, err);
	if (!rc)
		rc = lock_queue(&r, err);
	if (!rc)
		rc = remove_all(&r, err);
	if (!rc && !r.found)
		rc = error_errno(err, ENOENT, "%s",
				 r.vars.files->name[FILES_VARS]);
	file_close(&r.queue);
	journal_close(&r.journal);
	vars_close(&r.vars);
	return rc;
}

int
store_remove(const struct store_config *config, struct error *err)
{
	return remove_flash(config, false, err);
}

int
remove_rest(const struct store_config *config, struct error *err)
{
	return remove_flash(config, true, err);
}
