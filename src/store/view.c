/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading both files while a daemon may change them.  It changes VARS only
 * behind a checkpoint record, and every new journal file has a new salt.  So
 * VARS is read between two readings of the journal: if both have one salt,
 * either VARS was not touched meanwhile or the second reading has the
 * checkpoint record, and the CRCs in the journal check the result.  Anything
 * else is tried again.
 */
#include "pflash/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "burst.h"
#include "journal.h"
#include "lock.h"
#include "recover.h"
#include "vars.h"

#define TRIES 200
#define PAUSE_NS 2000000L

/* One reading of the journal; bytes is NULL if there is none. */
struct reading {
	struct journal journal;
	struct scan scan;
	uint8_t *bytes;
	size_t len;
};

struct view {
	struct vars vars;
	struct reading reading;
	uint8_t *image;
};

static void
reading_free(struct reading *reading)
{
	journal_close(&reading->journal);
	free(reading->bytes);
	reading->bytes = NULL;
}

static int
reading_take(struct reading *reading, const struct vars *vars,
	     struct error *err)
{
	int rc;

	*reading = (struct reading){ .bytes = NULL };
	rc = journal_open(&reading->journal, vars->file.sys, vars->files, false,
			  err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = journal_read(&reading->journal, &reading->bytes, &reading->len,
			  err);
	file_close(&reading->journal.file);
	if (!rc)
		rc = scan_journal(&reading->scan, reading->bytes, reading->len,
				  reading->journal.file.path, err);
	if (rc)
		reading_free(reading);
	return rc;
}

/* Was VARS untouched between them, apart from a checkpoint that `after` has? */
static bool
readings_agree(const struct reading *before, const struct reading *after)
{
	if (!before->bytes || !after->bytes)
		return !before->bytes && !after->bytes;
	return before->scan.salt == after->scan.salt;
}

static struct recovery
recovery_of(const struct view *view)
{
	return (struct recovery){
		.scan = &view->reading.scan,
		.journal = view->reading.bytes,
		.vars_path = view->vars.file.path,
		.journal_path = view->reading.journal.file.path,
	};
}

/* Uses the second reading, which the view then owns. */
static int
combine(struct view *view, const struct reading *before, struct error *err)
{
	struct recovery recovery = recovery_of(view);

	if (!readings_agree(before, &view->reading))
		return error_set(err, EAGAIN, "%s: changes too fast to be read",
				 view->vars.file.path);
	if (!view->reading.bytes)
		return 0;
	return recover_image(&recovery, view->image, view->vars.size, NULL,
			     err);
}

/* -EAGAIN if the files changed meanwhile. */
static int
read_once(struct view *view, struct error *err)
{
	struct reading before;
	int rc;

	rc = reading_take(&before, &view->vars, err);
	if (rc)
		return rc;
	rc = vars_read(&view->vars, view->image, err);
	if (!rc)
		rc = reading_take(&view->reading, &view->vars, err);
	if (!rc)
		rc = combine(view, &before, err);
	if (rc)
		reading_free(&view->reading);
	reading_free(&before);
	return rc;
}

/* Where nobody holds the lock, nothing changes: once more is enough. */
static int
read_both(struct view *view, struct error *err)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	bool last_try = false;
	int tries = 0, rc;

	for (;;) {
		rc = read_once(view, err);
		if (last_try || (rc != -EAGAIN && rc != -EUCLEAN))
			return rc;
		last_try = !lock_is_held(&view->vars.file) || ++tries == TRIES;
		if (!last_try)
			(void)nanosleep(&pause, NULL);
	}
}

static int
view_prepare(struct view **out, const struct store_config *config,
	     struct error *err)
{
	struct view *view = calloc(1, sizeof(*view));
	int rc;

	if (!view)
		return error_set(err, ENOMEM, "out of memory");
	view->reading.journal.file.fd = -1;
	rc = vars_open(&view->vars, config, VARS_LOOK, err);
	if (!rc) {
		view->image = vars_alloc(view->vars.size);
		if (!view->image)
			rc = error_set(err, ENOMEM, "out of memory");
	}
	if (rc) {
		view_close(view);
		return rc;
	}
	*out = view;
	return 0;
}

/* The journal as far as it goes, after read_both() gave up. */
static void
take_what_there_is(struct view *view)
{
	struct reading *reading = &view->reading;
	struct error err;

	*reading = (struct reading){ .bytes = NULL };
	if (journal_open(&reading->journal, view->vars.file.sys,
			 view->vars.files, false, &err) < 0)
		return;
	if (journal_read(&reading->journal, &reading->bytes, &reading->len,
			 &err) == 0)
		(void)scan_journal(&reading->scan, reading->bytes, reading->len,
				   reading->journal.file.path, &err);
	file_close(&reading->journal.file);
}

int
view_open_rescue(struct view **out, const struct store_config *config,
		 struct error *err)
{
	struct view *view;
	struct error ignored;
	int rc = view_open_files(out, config, err);

	if (rc != -EUCLEAN)
		return rc;
	rc = view_prepare(&view, config, &ignored);
	if (rc)
		return rc;
	take_what_there_is(view);
	if (vars_read(&view->vars, view->image, &ignored)) {
		view_close(view);
		return -EIO;
	}
	*out = view;
	return 1;
}

int
view_open(struct view **out, const struct sys *sys, const char *path,
	  struct error *err)
{
	const struct store_config config = { .path = path, .sys = sys };

	return view_open_files(out, &config, err);
}

int
view_open_files(struct view **out, const struct store_config *config,
		struct error *err)
{
	struct view *view;
	int rc = view_prepare(&view, config, err);

	if (rc)
		return rc;
	rc = read_both(view, err);
	if (rc) {
		view_close(view);
		return rc;
	}
	*out = view;
	return 0;
}

void
view_close(struct view *view)
{
	reading_free(&view->reading);
	vars_close(&view->vars);
	free(view->image);
	free(view);
}

const uint8_t *
view_image(const struct view *view)
{
	return view->image;
}

uint32_t
view_size(const struct view *view)
{
	return view->vars.size;
}

/* The next record that is a point in time. */
static bool
next_record(const struct view *view, size_t *cursor, struct record *record)
{
	const struct scan *scan = &view->reading.scan;

	if (!view->reading.bytes || !scan->snapshot)
		return false;
	if (*cursor == 0)
		*cursor = JOURNAL_HEADER_SIZE;
	while (scan_next(scan, view->reading.bytes, cursor, record))
		if (record->type == RECORD_BURST ||
		    record->type == RECORD_SNAPSHOT)
			return true;
	return false;
}

bool
view_walk(const struct view *view, size_t *cursor, struct view_point *point,
	  uint8_t *image)
{
	uint32_t size = view->vars.size, pos = 0;
	struct record record;
	struct operation op;

	if (!next_record(view, cursor, &record))
		return false;
	*point = (struct view_point){
		.sequence = record.sequence,
		.time = record.time,
		.oldest = record.type == RECORD_SNAPSHOT,
	};
	while (burst_next(record.payload, record.length, &pos, size, &op) > 0) {
		if (image)
			operation_apply(&op, image);
		if (op.data)
			point->programmed += op.length;
		else
			point->erased += op.length;
	}
	return true;
}

bool
view_next(const struct view *view, size_t *cursor, struct view_point *point)
{
	return view_walk(view, cursor, point, NULL);
}

uint64_t
view_pending(const struct view *view)
{
	return view->reading.scan.bursts;
}

bool
view_has_journal(const struct view *view)
{
	return view->reading.bytes != NULL;
}

bool
view_journal_is_whole(const struct view *view)
{
	return view->reading.bytes && view->reading.scan.whole;
}

uint64_t
view_torn_bytes(const struct view *view)
{
	return view->reading.scan.dropped;
}

int
view_past(const struct view *view, uint64_t sequence, uint8_t *image,
	  struct error *err)
{
	struct recovery recovery = recovery_of(view);

	if (!view->reading.bytes)
		return error_set(err, ENOENT, "%s: has no history",
				 view->vars.file.path);
	return recover_past(&recovery, sequence, image, view->vars.size, err);
}

int
store_export(const struct sys *sys, const char *path, uint8_t **image,
	     size_t *size, struct error *err)
{
	struct view *view;
	int rc = view_open(&view, sys, path, err);

	*image = NULL;
	if (rc)
		return rc;
	*size = view->vars.size;
	*image = view->image;
	view->image = NULL;
	view_close(view);
	return 0;
}
