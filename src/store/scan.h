/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds the valid records of a journal in memory, and decides whether the bytes
 * behind the last valid record are a torn tail or damage (docs/format.md).  The
 * functions do no I/O and accept any bytes.  Offsets count from the start of
 * the file, in bytes.
 */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

struct scan {
	uint64_t image_size; /* image_size, salt, first: from the header */
	uint64_t salt;
	uint64_t first;    /* the sequence number before the first record */
	uint32_t chain;    /* of the last valid record, or of the header */
	uint64_t sequence; /* of the last valid record, or `first` */
	uint64_t bursts;   /* number of bursts behind the last done record */
	bool snapshot;     /* the first record is a snapshot: has a history */
	bool checkpoint;   /* a checkpoint follows the last done record */
	/* The CRCs of the image in the last checkpoint and done records. */
	uint32_t checkpoint_crc;
	uint32_t done_crc;
	size_t start;         /* of the first record */
	size_t history_start; /* end of the snapshot, or of the header */
	size_t done;    /* behind the last done record; 0: there is none yet */
	size_t end;     /* end of the last valid record */
	size_t dropped; /* bytes of the torn tail, behind `end` */
	bool whole;     /* scan_journal() found no damage */
};

struct record {
	uint32_t type;   /* enum record_type, if scan_journal() passed it */
	uint32_t length; /* of the payload, in bytes */
	uint64_t sequence;
	uint64_t durable;       /* records up to this one were durable */
	uint64_t time;          /* CLOCK_REALTIME, ns */
	const uint8_t *payload; /* in the caller's bytes */
};

/*
 * Finds the valid records of a journal.  -EUCLEAN if the journal is damaged or
 * malformed; the sentence names the file (`path`), the offset and the expected
 * record.  In both cases *scan describes the records before the damage.
 */
int scan_journal(struct scan *scan, const uint8_t *bytes, size_t len,
		 const char *path, struct error *err);

/*
 * The length of a journal at the start of `bytes`, behind which anything may
 * follow, such as a former journal: the end of the last record header that has
 * the journal's salt, with its payload; at least the end of the valid records,
 * and of a record there whose header has one damaged field.  Without a valid
 * header all of `len`.
 */
size_t scan_length(const uint8_t *bytes, size_t len);

/*
 * Finds the records behind the damage at which scan_journal() stopped, with the
 * result `scan`: those of the last run of valid records, which must have a done
 * record.  The chain of a run begins with the four bytes before it.  *tail
 * describes the run, for recover_image().  False: there is none.
 */
bool scan_tail(const struct scan *scan, const uint8_t *bytes, size_t len,
	       struct scan *tail);

/*
 * Reads the record at *off and moves *off behind it.  Start with *off =
 * JOURNAL_HEADER_SIZE.  False at scan->end.  `scan` is the result of
 * scan_journal() for the same bytes.
 */
bool scan_next(const struct scan *scan, const uint8_t *bytes, size_t *off,
	       struct record *record);

#endif
