/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A journal belongs to a VARS file in two cases.  The file is as it was when
 * the journal was last emptied (its CRC is the base): every record applies.
 * Or a checkpoint was under way: then the file may be any mixture of old and
 * new, but every byte in which they differ is in the journal, and replaying
 * all of it must give the image whose CRC the checkpoint record holds.
 * A journal without records belongs to any file.
 */
#include "recover.h"

#include <errno.h>

#include "burst.h"
#include "crc32c.h"
#include "journal.h"
#include "vars.h"

static int
foreign(const struct recovery *recovery, const char *why, struct error *err)
{
	return error_set(err, EUCLEAN,
			 "%s: does not belong to %s (%s): "
			 "put the right file in place, "
			 "or remove the journal to give up its %llu bursts",
			 recovery->journal_path, recovery->vars_path, why,
			 (unsigned long long)recovery->scan->bursts);
}

static int
malformed(const struct recovery *recovery, const struct record *record,
	  const char *expected, struct error *err)
{
	return error_set(err, EUCLEAN,
			 "%s: record %llu at offset %zu: expected %s",
			 recovery->journal_path,
			 (unsigned long long)record->sequence,
			 (size_t)(record->payload - recovery->journal) -
				 RECORD_HEADER_SIZE,
			 expected);
}

/* 0, or -EINVAL at an operation that does not fit. */
static int
replay_burst(const struct record *record, uint8_t *image, uint32_t size,
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

static int
replay(const struct recovery *recovery, uint8_t *image, uint32_t size,
       uint8_t *dirty, struct error *err)
{
	size_t off = JOURNAL_HEADER_SIZE;
	struct record record;

	while (scan_next(recovery->scan, recovery->journal, &off, &record)) {
		if (record.type == RECORD_BURST) {
			if (replay_burst(&record, image, size, dirty))
				return malformed(recovery, &record,
						 "operations inside the image",
						 err);
		} else if (record.type != RECORD_CHECKPOINT ||
			   record.length != 4) {
			return malformed(recovery, &record,
					 "a burst or a checkpoint", err);
		}
	}
	return 0;
}

int
recover_image(const struct recovery *recovery, uint8_t *image, uint32_t size,
	      uint8_t *dirty, struct error *err)
{
	const struct scan *scan = recovery->scan;
	int rc;

	if (!scan->sequence)
		return 0;
	if (scan->image_size != size)
		return foreign(recovery, "another size", err);
	if (!scan->checkpoint && crc32c(0, image, size) != scan->base)
		return foreign(recovery, "another content", err);
	rc = replay(recovery, image, size, dirty, err);
	if (rc)
		return rc;
	if (scan->checkpoint && crc32c(0, image, size) != scan->image_crc)
		return foreign(recovery, "another content", err);
	return 0;
}
