/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VARS is in one of two states.  Normally it is unchanged since the last
 * checkpoint, and the last done record has its CRC.  During a checkpoint it may
 * be any mixture of old and new contents; but the journal has every byte that
 * differs, so replaying all bursts must give the image whose CRC the checkpoint
 * record has.
 */
#include "recover.h"

#include <errno.h>
#include <string.h>

#include "burst.h"
#include "crc32c.h"
#include "journal.h"
#include "vars.h"

static int
mismatch(const struct recovery *recovery, const char *property,
	 struct error *err)
{
	return error_set(err, EUCLEAN,
			 "%s: %s differs from the last write recorded in %s: "
			 "`pflashctl check` names the command that helps",
			 recovery->vars_path, property, recovery->journal_path);
}

static int
malformed(const struct recovery *recovery, const struct record *record,
	  struct error *err)
{
	return error_set(err, EUCLEAN,
			 "%s: record %llu at offset %zu: expected operations "
			 "inside the image",
			 recovery->journal_path,
			 (unsigned long long)record->sequence,
			 (size_t)(record->payload - recovery->journal) -
				 RECORD_HEADER_SIZE);
}

/* -EINVAL if an operation is malformed or outside the image. */
static int
replay_operations(const struct record *record, uint8_t *image, uint32_t size,
		  uint8_t *dirty)
{
	struct operation op;
	uint32_t pos = 0;
	int rc;

	while ((rc = burst_next(record->payload, record->length, &pos, size,
				&op)) > 0) {
		operation_apply(&op, image);
		if (dirty)
			vars_mark(dirty, op.offset, op.length);
	}
	return rc;
}

/* Replays the records from offset `off` up to the sequence number `last`. */
static int
replay(const struct recovery *recovery, size_t off, uint64_t last,
       uint8_t *image, uint32_t size, uint8_t *dirty, struct error *err)
{
	struct record record;

	while (scan_next(recovery->scan, recovery->journal, &off, &record) &&
	       record.sequence <= last) {
		if (record.type != RECORD_BURST &&
		    record.type != RECORD_SNAPSHOT)
			continue;
		if (replay_operations(&record, image, size, dirty))
			return malformed(recovery, &record, err);
	}
	return 0;
}

/* A snapshot must begin with an erase of the whole image. */
static bool
erases_all(const struct record *record, uint32_t size)
{
	struct operation op;
	uint32_t pos = 0;

	return burst_next(record->payload, record->length, &pos, size, &op) >
		       0 &&
	       !op.data && op.offset == 0 && op.length == size;
}

/* Checks all records, because the history uses also those before `done`. */
static int
check_operations(const struct recovery *recovery, uint32_t size,
		 struct error *err)
{
	size_t off = recovery->scan->start;
	struct record record;
	struct operation op;

	while (scan_next(recovery->scan, recovery->journal, &off, &record)) {
		uint32_t pos = 0;
		int rc = 0;

		if (record.type == RECORD_SNAPSHOT &&
		    !erases_all(&record, size))
			rc = -EINVAL;
		if (record.type == RECORD_SNAPSHOT ||
		    record.type == RECORD_BURST)
			while (!rc &&
			       (rc = burst_next(record.payload, record.length,
						&pos, size, &op)) > 0)
				rc = 0;
		if (rc)
			return malformed(recovery, &record, err);
	}
	return 0;
}

int
recover_image(const struct recovery *recovery, uint8_t *image, uint32_t size,
	      uint8_t *dirty, struct error *err)
{
	const struct scan *scan = recovery->scan;
	int rc;

	if (scan->image_size != size)
		return mismatch(recovery, "size", err);
	rc = check_operations(recovery, size, err);
	if (rc)
		return rc;
	if (!scan->checkpoint && crc32c(0, image, size) != scan->done_crc)
		return mismatch(recovery, "content", err);
	rc = replay(recovery, scan->done, scan->sequence, image, size, dirty,
		    err);
	if (rc)
		return rc;
	if (scan->checkpoint && crc32c(0, image, size) != scan->checkpoint_crc)
		return mismatch(recovery, "content", err);
	return 0;
}

int
recover_past(const struct recovery *recovery, uint64_t sequence, uint8_t *image,
	     uint32_t size, struct error *err)
{
	const struct scan *scan = recovery->scan;

	if (!scan->snapshot || scan->image_size != size ||
	    sequence <= scan->first || sequence > scan->sequence)
		return error_set(err, ENOENT,
				 "%s: the history has no point number %llu",
				 recovery->journal_path,
				 (unsigned long long)sequence);
	return replay(recovery, JOURNAL_HEADER_SIZE, sequence, image, size,
		      NULL, err);
}
