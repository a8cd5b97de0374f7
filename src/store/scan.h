/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a journal that is wholly in memory: which records are valid, and
 * whether what follows the last of them is a torn tail or damage.  No I/O and
 * no trust: every byte may be anything.
 */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

struct scan {
	uint64_t image_size; /* from the header */
	uint64_t salt;
	uint64_t first;
	uint32_t chain;    /* of the last valid record, or of the header */
	uint64_t sequence; /* of the last valid record, or `first` */
	uint64_t bursts;   /* behind the last done record */
	bool snapshot;     /* the first record is one: there is a history */
	bool checkpoint;   /* one follows the last done record */
	uint32_t checkpoint_crc; /* of the image at the last of these */
	uint32_t done_crc;
	size_t kept;    /* behind the snapshot, or the header */
	size_t done;    /* behind the last done record; 0: there is none yet */
	size_t end;     /* behind the last valid record */
	size_t dropped; /* bytes of a torn tail, behind `end` */
	bool whole;     /* scan_journal() found no damage */
};

struct record {
	uint32_t type;
	uint32_t length; /* of the payload */
	uint64_t sequence;
	uint64_t durable;
	uint64_t time;          /* CLOCK_REALTIME, ns */
	const uint8_t *payload; /* in the caller's bytes */
};

/*
 * Finds the valid records of a journal.  -EUCLEAN if it is damaged or has not
 * the shape of one, with file, offset and what was expected there.  `path` is
 * for that message.  What was found up to there is in `scan` all the same.
 */
int scan_journal(struct scan *scan, const uint8_t *bytes, size_t len,
		 const char *path, struct error *err);

/*
 * The record at *off of a journal that scan_journal() passed; moves *off
 * behind it.  Start with JOURNAL_HEADER_SIZE.  false at scan->end.
 */
bool scan_next(const struct scan *scan, const uint8_t *bytes, size_t *off,
	       struct record *record);

#endif
