/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads both files while a daemon may write them.  The daemon writes VARS only
 * after it has appended a checkpoint record, and each new journal file has a
 * new salt.  So the reader reads the journal, then VARS, then the journal
 * again.  If both readings of the journal have the same salt, then either VARS
 * did not change in between, or the second reading has the checkpoint record.
 * The CRCs in the journal verify the result.  In all other cases the reader
 * tries again.
 */
#include "pflash/reader.h"

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

/* The journal at one moment; bytes is NULL if the file does not exist. */
struct reading {
	struct journal journal;
	struct scan scan;
	uint8_t *bytes;
	size_t len;
};

struct reader {
	struct vars vars;
	struct reading reading;
	uint8_t *image;
	enum reader_source source;
	/* After reader_open_rescue() has returned 1: VARS alone. */
	struct {
		uint8_t *bytes; /* NULL: VARS cannot be a flash */
		uint32_t size;
	} raw;
	bool may_be_newer;
};

static void
reading_free(struct reading *reading)
{
	journal_close(&reading->journal);
	free(reading->bytes);
	reading->bytes = NULL;
}

static int
reading_load(struct reading *reading, const struct vars *vars,
	     const struct store_config *config, struct error *err)
{
	uint32_t noted;
	int rc;

	*reading = (struct reading){ .bytes = NULL };
	rc = journal_open(&reading->journal, vars->file.sys, vars->files, false,
			  err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = journal_read_noted(&reading->journal, config, &noted,
				&reading->bytes, &reading->len, err);
	file_close(&reading->journal.file);
	if (!rc && reading->bytes)
		rc = scan_journal(&reading->scan, reading->bytes, reading->len,
				  reading->journal.file.path, err);
	if (rc)
		reading_free(reading);
	return rc;
}

/* True if VARS did not change in between, or `after` has the checkpoint. */
static bool
readings_agree(const struct reading *before, const struct reading *after)
{
	if (!before->bytes || !after->bytes)
		return !before->bytes && !after->bytes;
	return before->scan.salt == after->scan.salt;
}

static struct recovery
recovery_of(const struct reader *reader)
{
	return (struct recovery){
		.scan = &reader->reading.scan,
		.journal = reader->reading.bytes,
		.vars_path = reader->vars.file.path,
		.journal_path = reader->reading.journal.file.path,
	};
}

/* Makes the image from VARS and the second reading. */
static int
combine(struct reader *reader, const struct reading *before, struct error *err)
{
	struct recovery recovery = recovery_of(reader);

	if (!readings_agree(before, &reader->reading))
		return error_set(err, EAGAIN,
				 "%s: changes too fast to be read; try again",
				 reader->vars.file.path);
	if (!reader->reading.bytes)
		return 0;
	return recover_image(&recovery, reader->image, reader->vars.size, NULL,
			     err);
}

/* -EAGAIN if the files changed while they were read. */
static int
read_once(struct reader *reader, const struct store_config *config,
	  struct error *err)
{
	struct reading before;
	int rc;

	rc = reading_load(&before, &reader->vars, config, err);
	if (rc)
		return rc;
	rc = vars_read(&reader->vars, reader->image, err);
	if (!rc)
		rc = reading_load(&reader->reading, &reader->vars, config,
				  err);
	if (!rc)
		rc = combine(reader, &before, err);
	if (rc)
		reading_free(&reader->reading);
	reading_free(&before);
	return rc;
}

/*
 * If no process holds the lock the files do not change, and one more attempt is
 * enough.
 */
static int
read_both(struct reader *reader, const struct store_config *config,
	  struct error *err)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	bool last_try = false;
	int tries = 0, rc;

	for (;;) {
		rc = read_once(reader, config, err);
		if (last_try || (rc != -EAGAIN && rc != -EUCLEAN))
			return rc;
		last_try = !lock_is_held(&reader->vars.file) ||
			   ++tries == TRIES;
		if (!last_try)
			(void)nanosleep(&pause, NULL);
	}
}

static int
reader_prepare(struct reader **out, const struct store_config *config,
	       struct error *err)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int rc;

	if (!reader)
		return error_set(err, ENOMEM, "out of memory");
	reader->reading.journal.file.fd = -1;
	rc = vars_open(&reader->vars, config, VARS_LOOK, err);
	if (!rc) {
		reader->image = vars_alloc(reader->vars.size);
		if (!reader->image)
			rc = error_set(err, ENOMEM, "out of memory");
	}
	if (rc) {
		reader_close(reader);
		return rc;
	}
	*out = reader;
	return 0;
}

int
reader_open(struct reader **out, const struct sys *sys, const char *path,
	    struct error *err)
{
	const struct store_config config = { .path = path, .sys = sys };

	return reader_open_files(out, &config, err);
}

int
reader_open_files(struct reader **out, const struct store_config *config,
		  struct error *err)
{
	struct reader *reader = NULL;
	int rc = reader_prepare(&reader, config, err);

	if (rc)
		return rc;
	rc = read_both(reader, config, err);
	if (rc) {
		reader_close(reader);
		return rc;
	}
	*out = reader;
	return 0;
}

void
reader_close(struct reader *reader)
{
	reading_free(&reader->reading);
	vars_close(&reader->vars);
	free(reader->raw.bytes);
	free(reader->image);
	free(reader);
}

/* Loads the journal up to its damage.  0 also if there is none. */
static int
load_damaged_journal(struct reader *reader, struct error *err)
{
	struct reading *reading = &reader->reading;
	int rc = journal_open(&reading->journal, reader->vars.file.sys,
			      reader->vars.files, false, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = journal_read(&reading->journal, &reading->bytes, &reading->len,
			  err);
	if (!rc)
		(void)scan_journal(&reading->scan, reading->bytes, reading->len,
				   reading->journal.file.path, err);
	file_close(&reading->journal.file);
	return rc;
}

static bool
can_be_a_flash(uint64_t size)
{
	return size > 0 && size <= STORE_MAX_SIZE && size % BLOCK_SIZE == 0;
}

/*
 * Loads VARS if its size can be that of a flash; on a device, as much as the
 * configuration says.  -errno: the file is of a wrong kind.
 */
static int
load_raw(struct reader *reader, const struct store_config *config,
	 struct error *err)
{
	struct vars *vars = &reader->vars;
	int rc = file_open(&vars->file, vars->files, FILES_VARS, false, err);
	off_t size;

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = vars_check_kind(vars, err);
	if (rc)
		return rc;
	size = vars_length(vars);
	if (S_ISBLK(vars->stat.st_mode) && config->size)
		size = config->size;
	if (size < 0 || !can_be_a_flash((uint64_t)size))
		return 0;
	reader->raw.bytes = vars_alloc((uint32_t)size);
	if (!reader->raw.bytes)
		return error_set(err, ENOMEM, "out of memory");
	rc = file_read(&vars->file, reader->raw.bytes, (size_t)size, 0, err);
	reader->raw.size = (uint32_t)size;
	return rc;
}

/* Makes the image of VARS and the records of `scan`; false: they do not fit. */
static bool
fits(struct reader *reader, const struct scan *scan)
{
	struct recovery recovery = recovery_of(reader);
	struct error err;

	recovery.scan = scan;
	if (!scan->done || scan->image_size != reader->raw.size)
		return false;
	memcpy(reader->image, reader->raw.bytes, reader->raw.size);
	return !recover_image(&recovery, reader->image, reader->raw.size, NULL,
			      &err);
}

/* Makes the newest image that the journal has without VARS. */
static bool
newest_point(struct reader *reader)
{
	const struct scan *scan = &reader->reading.scan;
	struct recovery recovery = recovery_of(reader);
	struct error err;

	return scan->snapshot && can_be_a_flash(scan->image_size) &&
	       !recover_past(&recovery, scan->sequence, reader->image,
			     (uint32_t)scan->image_size, &err);
}

/* True if VARS is an image of the history, so it has nothing newer. */
static bool
vars_is_a_point(const struct reader *reader)
{
	uint32_t size = reader->raw.size;
	uint8_t *image = reader->raw.bytes ? vars_alloc(size) : NULL;
	struct reader_point point;
	size_t cursor = 0;
	bool found = false;

	while (image && !found && reader->vars.size == size &&
	       reader_walk(reader, &cursor, &point, image, NULL, NULL))
		found = memcmp(image, reader->raw.bytes, size) == 0;
	free(image);
	return found;
}

/* Chooses the best image that the files have; see enum reader_source. */
static void
choose_image(struct reader *reader)
{
	const struct reading *reading = &reader->reading;
	const struct scan *scan = &reading->scan;
	bool tail = reading->bytes && !scan->whole;
	struct scan behind;

	reader->source = READER_NOTHING;
	tail = tail && scan_tail(scan, reading->bytes, reading->len, &behind);
	reader->vars.size = (uint32_t)scan->image_size;
	if (tail && reader->raw.bytes && fits(reader, &behind)) {
		reader->source = READER_VARS_FITS;
		return;
	}
	reader->may_be_newer = scan->dropped || (!scan->whole && !tail);
	if (reader->raw.bytes && fits(reader, scan)) {
		reader->may_be_newer = false;
		reader->source = READER_VARS_FITS;
	}
	if (newest_point(reader)) {
		reader->source = READER_POINT;
		if (reader->may_be_newer && vars_is_a_point(reader))
			reader->may_be_newer = false;
	} else if (reader->source == READER_NOTHING && reader->raw.bytes) {
		memcpy(reader->image, reader->raw.bytes, reader->raw.size);
		reader->vars.size = reader->raw.size;
		reader->source = READER_VARS;
	} else if (reader->source == READER_NOTHING) {
		reader->vars.size = 0;
	}
}

/* 1, or -errno: there is nothing to rescue, or it cannot be read. */
static int
rescue(struct reader *reader, const struct store_config *config,
       struct error *err)
{
	int rc = vars_init(&reader->vars, config, err);

	if (!rc)
		rc = load_raw(reader, config, err);
	if (!rc)
		rc = load_damaged_journal(reader, err);
	if (rc)
		return rc;
	if (reader->vars.file.fd < 0 && !reader->reading.bytes)
		return -ENOENT;
	reader->image = vars_alloc(STORE_MAX_SIZE);
	if (!reader->image)
		return error_set(err, ENOMEM, "out of memory");
	choose_image(reader);
	return 1;
}

int
reader_open_rescue(struct reader **out, const struct store_config *config,
		   struct error *err)
{
	struct reader *reader;
	struct error why;
	int rc = reader_open_files(out, config, err), ret;

	if (rc != -EUCLEAN && rc != -EINVAL && rc != -ENOENT)
		return rc;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return error_set(err, ENOMEM, "out of memory");
	reader->vars.file.fd = reader->reading.journal.file.fd = -1;
	ret = rescue(reader, config, &why);
	if (ret > 0) {
		*out = reader;
		return ret;
	}
	reader_close(reader);
	return ret == -EREMCHG ? error_set(err, EREMCHG, "%s", why.text) : rc;
}

enum reader_source
reader_source(const struct reader *reader)
{
	return reader->source;
}

const uint8_t *
reader_vars(const struct reader *reader, uint32_t *size)
{
	*size = reader->raw.size;
	return reader->raw.bytes;
}

bool
reader_vars_may_be_newer(const struct reader *reader)
{
	return reader->may_be_newer;
}

uint64_t
reader_newest(const struct reader *reader)
{
	struct reader_point point = { 0 };
	size_t cursor = 0;

	while (reader_next(reader, &cursor, &point))
		;
	return point.sequence;
}

const uint8_t *
reader_image(const struct reader *reader)
{
	return reader->image;
}

uint32_t
reader_size(const struct reader *reader)
{
	return reader->vars.size;
}

/*
 * Steps to the next record that is a point in time of the history.  *done
 * becomes the time of the last done record before it, or 0.
 */
static bool
next_record(const struct reader *reader, size_t *cursor, struct record *record,
	    uint64_t *done)
{
	const struct scan *scan = &reader->reading.scan;

	*done = 0;
	if (!reader->reading.bytes || !scan->snapshot)
		return false;
	if (*cursor == 0)
		*cursor = JOURNAL_HEADER_SIZE;
	while (scan_next(scan, reader->reading.bytes, cursor, record)) {
		if (record->type == RECORD_BURST ||
		    record->type == RECORD_SNAPSHOT)
			return true;
		if (record->type == RECORD_DONE)
			*done = record->time;
	}
	return false;
}

bool
reader_walk(const struct reader *reader, size_t *cursor,
	    struct reader_point *point, uint8_t *image,
	    reader_written_fn written, void *opaque)
{
	uint32_t size = reader->vars.size, pos = 0;
	uint64_t done;
	struct record record;
	struct operation op;

	if (!next_record(reader, cursor, &record, &done))
		return false;
	*point = (struct reader_point){
		.sequence = record.sequence,
		.time = record.time,
		.oldest = record.type == RECORD_SNAPSHOT,
		.written = done,
	};
	while (burst_next(record.payload, record.length, &pos, size, &op) > 0) {
		if (image)
			operation_apply(&op, image);
		if (written)
			written(opaque, op.offset, op.length);
		if (op.data)
			point->programmed += op.length;
		else
			point->erased += op.length;
	}
	return true;
}

bool
reader_next(const struct reader *reader, size_t *cursor,
	    struct reader_point *point)
{
	return reader_walk(reader, cursor, point, NULL, NULL, NULL);
}

uint64_t
reader_pending(const struct reader *reader)
{
	return reader->reading.scan.bursts;
}

bool
reader_has_journal(const struct reader *reader)
{
	return reader->reading.bytes != NULL;
}

bool
reader_journal_is_whole(const struct reader *reader)
{
	return reader->reading.bytes && reader->reading.scan.whole;
}

bool
reader_is_complete(const struct reader *reader)
{
	return reader->vars.files->place[FILES_VARS].room != 0;
}

uint64_t
reader_torn_bytes(const struct reader *reader)
{
	return reader->reading.scan.dropped;
}

int
reader_past(const struct reader *reader, uint64_t sequence, uint8_t *image,
	    struct error *err)
{
	struct recovery recovery = recovery_of(reader);

	if (!reader->reading.bytes)
		return error_set(err, ENOENT, "%s: has no history",
				 reader->vars.file.path);
	return recover_past(&recovery, sequence, image, reader->vars.size, err);
}

int
store_export(const struct sys *sys, const char *path, uint8_t **image,
	     size_t *size, struct error *err)
{
	struct reader *reader;
	int rc = reader_open(&reader, sys, path, err);

	*image = NULL;
	if (rc)
		return rc;
	*size = reader->vars.size;
	*image = reader->image;
	reader->image = NULL;
	reader_close(reader);
	return 0;
}
