/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading both files while a daemon may change them.  It changes VARS only
 * between a checkpoint record and the reset of the journal, and every reset
 * has a new salt.  So VARS is read between two readings of the journal: if
 * both have one salt, either VARS was not touched meanwhile or the second
 * reading ends with the checkpoint record, against whose CRC the result is
 * checked.  Anything else is tried again.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "journal.h"
#include "lock.h"
#include "recover.h"
#include "vars.h"

#include "pflash/store.h"

#define EXPORT_TRIES 200
#define EXPORT_PAUSE_NS 2000000L

/* One reading of the journal; bytes is NULL if there is none. */
struct reading {
	struct journal journal;
	struct scan scan;
	uint8_t *bytes;
	size_t len;
};

static void
reading_free(struct reading *reading)
{
	journal_close(&reading->journal);
	free(reading->bytes);
}

static int
reading_take(struct reading *reading, const struct vars *vars,
	     struct error *err)
{
	int rc;

	*reading = (struct reading){ .bytes = NULL };
	rc = journal_open(&reading->journal, vars->file.sys, vars->path,
			  O_RDONLY, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = journal_read(&reading->journal, &reading->bytes, &reading->len,
			  err);
	if (!rc)
		rc = scan_journal(&reading->scan, reading->bytes, reading->len,
				  reading->journal.path, err);
	if (rc)
		reading_free(reading);
	return rc;
}

/* Was VARS untouched between them, apart from a checkpoint that `after` has? */
static bool
readings_agree(const struct reading *before, const struct reading *after,
	       bool last_try)
{
	if (!before->bytes || !after->bytes)
		return !before->bytes && !after->bytes;
	if (!before->scan.header || !after->scan.header)
		return last_try; /* a creation that was interrupted */
	return before->scan.salt == after->scan.salt;
}

static int
combine(const struct vars *vars, const struct reading *reading, uint8_t *image,
	struct error *err)
{
	struct recovery recovery = {
		.scan = &reading->scan,
		.journal = reading->bytes,
		.vars_path = vars->path,
		.journal_path = reading->journal.path,
	};

	return recover_image(&recovery, image, vars->size, NULL, err);
}

/* -EAGAIN if the files changed meanwhile. */
static int
export_once(const struct vars *vars, uint8_t *image, bool last_try,
	    struct error *err)
{
	struct reading before, after;
	int rc;

	rc = reading_take(&before, vars, err);
	if (rc)
		return rc;
	rc = vars_read(vars, image, err);
	if (!rc)
		rc = reading_take(&after, vars, err);
	if (!rc) {
		if (readings_agree(&before, &after, last_try))
			rc = combine(vars, &after, image, err);
		else
			rc = error_set(err, EAGAIN,
				       "%s: changes too fast to be read",
				       vars->path);
		reading_free(&after);
	}
	reading_free(&before);
	return rc;
}

/* Where nobody holds the lock, nothing changes: once more is enough. */
static int
export_retry(const struct vars *vars, uint8_t *image, struct error *err)
{
	const struct timespec pause = { .tv_nsec = EXPORT_PAUSE_NS };
	bool last_try = false;
	int tries = 0, rc;

	for (;;) {
		rc = export_once(vars, image, last_try, err);
		if (last_try || (rc != -EAGAIN && rc != -EUCLEAN))
			return rc;
		last_try = !lock_is_held(&vars->file) ||
			   ++tries == EXPORT_TRIES;
		if (!last_try)
			(void)nanosleep(&pause, NULL);
	}
}

int
store_export(const struct sys *sys, const char *path, uint8_t **image,
	     size_t *size, struct error *err)
{
	struct vars vars;
	int rc;

	*image = NULL;
	rc = vars_open(&vars, sys ? sys : &sys_kernel, path, O_RDONLY, err);
	if (rc)
		return rc;
	*size = vars.size;
	*image = vars_alloc(vars.size);
	rc = *image ? export_retry(&vars, *image, err) :
		      error_errno(err, ENOMEM, "%s", path);
	vars_close(&vars);
	if (rc) {
		free(*image);
		*image = NULL;
	}
	return rc;
}
