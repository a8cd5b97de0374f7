/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scan stops at the first record N that is not valid.  Appended bytes reach
 * the disk in any order before a sync, so an invalid record alone is a torn
 * tail.  But if a later record says that N was durable when that record was
 * written, then the guest had the answer for N, and N was damaged later.  Such
 * a journal is refused, because dropping N would lose a completed write.
 */
#include "scan.h"

#include <errno.h>
#include <string.h>

#include "crc32c.h"
#include "journal.h"

#include "pflash/le.h"

static int
scan_header(struct scan *scan, const uint8_t *p, size_t len, const char *path,
	    struct error *err)
{
	bool valid = len >= JOURNAL_HEADER_SIZE &&
		     !memcmp(p, JOURNAL_MAGIC, 8) &&
		     get_le32(p + 60) == crc32c(0, p, 60);

	if (!valid)
		return error_set(
			err, EUCLEAN,
			"%s: damaged at offset 0: expected a journal header",
			path);
	if (get_le32(p + 8) != JOURNAL_VERSION ||
	    get_le32(p + 12) != JOURNAL_HEADER_SIZE)
		return error_set(err, EUCLEAN,
				 "%s: journal version %u, expected %u", path,
				 get_le32(p + 8), JOURNAL_VERSION);
	scan->image_size = get_le64(p + 16);
	scan->salt = get_le64(p + 24);
	scan->first = get_le64(p + 32);
	scan->sequence = scan->first;
	scan->chain = get_le32(p + 60);
	scan->start = scan->end = scan->history_start = JOURNAL_HEADER_SIZE;
	return 0;
}

/* Decodes a record header; false if its magic, salt or checksum is wrong. */
static bool
decode_header(const uint8_t *p, size_t left, uint64_t salt,
	      struct record *record)
{
	if (left < RECORD_HEADER_SIZE || memcmp(p, RECORD_MAGIC, 4) ||
	    get_le64(p + 8) != salt || get_le32(p + 44) != crc32c(0, p, 44))
		return false;
	record->type = get_le32(p + 4);
	record->sequence = get_le64(p + 16);
	record->durable = get_le64(p + 24);
	record->time = get_le64(p + 32);
	record->length = get_le32(p + 40);
	record->payload = p + RECORD_HEADER_SIZE;
	return true;
}

static size_t
record_size(const struct record *record)
{
	return RECORD_HEADER_SIZE + (size_t)record->length + RECORD_CHAIN_SIZE;
}

/* Reads the record at scan->end and advances `scan` if it is valid. */
static bool
scan_record(struct scan *scan, const uint8_t *bytes, size_t len,
	    struct record *record)
{
	const uint8_t *p = bytes + scan->end;
	size_t left = len - scan->end, size;
	uint32_t chain;

	if (!decode_header(p, left, scan->salt, record) ||
	    record->sequence != scan->sequence + 1 ||
	    record_size(record) > left)
		return false;
	size = record_size(record);
	chain = journal_chain(scan->chain, p, record->length);
	if (get_le32(p + size - RECORD_CHAIN_SIZE) != chain)
		return false;
	scan->chain = chain;
	scan->sequence++;
	scan->end += size;
	return true;
}

/*
 * Enters the record in `scan`.  False if its type is not allowed at this
 * position.
 */
static bool
scan_shape(struct scan *scan, const struct record *record)
{
	bool has_crc = record->length == 4;

	switch (record->type) {
	case RECORD_SNAPSHOT:
		scan->snapshot = true;
		scan->history_start = scan->end;
		return record->sequence == scan->first + 1;
	case RECORD_BURST: scan->bursts++; return !scan->checkpoint;
	case RECORD_CHECKPOINT:
		scan->checkpoint = true;
		scan->checkpoint_crc = has_crc ? get_le32(record->payload) : 0;
		return has_crc;
	case RECORD_DONE:
		scan->checkpoint = false;
		scan->bursts = 0;
		scan->done = scan->end;
		scan->done_crc = has_crc ? get_le32(record->payload) : 0;
		return has_crc;
	default: return false;
	}
}

/* True if a record behind scan->end says that the next one was durable. */
static bool
tail_was_durable(const struct scan *scan, const uint8_t *bytes, size_t len)
{
	const uint8_t *p = bytes + scan->end, *end = bytes + len;
	struct record record;

	while ((p = memmem(p, (size_t)(end - p), RECORD_MAGIC, 4))) {
		if (decode_header(p, (size_t)(end - p), scan->salt, &record) &&
		    record.sequence > scan->sequence &&
		    record.durable > scan->sequence)
			return true;
		p++;
	}
	return false;
}

static int
damaged(const struct scan *scan, const char *path, const char *expected,
	struct error *err)
{
	return error_set(err, EUCLEAN,
			 "%s: damaged at offset %zu: expected record %llu%s",
			 path, scan->end,
			 (unsigned long long)scan->sequence + 1, expected);
}

int
scan_journal(struct scan *scan, const uint8_t *bytes, size_t len,
	     const char *path, struct error *err)
{
	struct record record;
	int rc;

	memset(scan, 0, sizeof(*scan));
	rc = scan_header(scan, bytes, len, path, err);
	if (rc)
		return rc;
	while (scan_record(scan, bytes, len, &record))
		if (!scan_shape(scan, &record))
			return error_set(err, EUCLEAN,
					 "%s: record %llu, which ends at "
					 "offset %zu, has a type that is not "
					 "allowed there",
					 path,
					 (unsigned long long)record.sequence,
					 scan->end);
	if (tail_was_durable(scan, bytes, len))
		return damaged(
			scan, path,
			", which was durable when a later record was written",
			err);
	if (!scan->done)
		return damaged(scan, path, ", which every journal has", err);
	scan->dropped = len - scan->end;
	scan->whole = true;
	return 0;
}

/* The end of the record, or of the bytes. */
static size_t
clipped_end(size_t off, const struct record *record, size_t len)
{
	size_t size = record_size(record);

	return size < len - off ? off + size : len;
}

/*
 * True if a record of this salt was here, and one of magic, salt and other
 * fields is damaged.
 */
static bool
was_record(const uint8_t *p, size_t left, uint64_t salt)
{
	uint8_t header[RECORD_HEADER_SIZE];

	if (left < RECORD_HEADER_SIZE)
		return false;
	if (get_le64(p + 8) == salt)
		return true;
	memcpy(header, p, RECORD_HEADER_SIZE);
	put_le64(header + 8, salt);
	return get_le32(p + 44) == crc32c(0, header, 44);
}

size_t
scan_length(const uint8_t *bytes, size_t len)
{
	const uint8_t *p = bytes, *end = bytes + len;
	struct record record;
	struct scan scan;
	size_t last;

	memset(&scan, 0, sizeof(scan));
	if (scan_header(&scan, bytes, len, "", NULL))
		return len;
	while (scan_record(&scan, bytes, len, &record))
		;
	last = scan.end;
	if (was_record(bytes + last, len - last, scan.salt))
		last += RECORD_HEADER_SIZE;
	p += scan.end;
	while ((p = memmem(p, (size_t)(end - p), RECORD_MAGIC, 4))) {
		size_t off = (size_t)(p - bytes);

		if (decode_header(p, len - off, scan.salt, &record) &&
		    clipped_end(off, &record, len) > last)
			last = clipped_end(off, &record, len);
		p++;
	}
	return last;
}

/* Reads the run of valid records at `off`; false: none begins there. */
static bool
scan_run(const struct scan *scan, const uint8_t *bytes, size_t len, size_t off,
	 struct scan *run)
{
	struct record record;

	if (!decode_header(bytes + off, len - off, scan->salt, &record) ||
	    record.sequence <= scan->sequence)
		return false;
	*run = (struct scan){
		.image_size = scan->image_size,
		.salt = scan->salt,
		.first = record.sequence - 1,
		.sequence = record.sequence - 1,
		.chain = get_le32(bytes + off - RECORD_CHAIN_SIZE),
		.start = off,
		.history_start = off,
		.end = off,
	};
	while (scan_record(run, bytes, len, &record))
		if (record.type == RECORD_SNAPSHOT || !scan_shape(run, &record))
			return false;
	run->dropped = len - run->end;
	return run->end > off;
}

bool
scan_tail(const struct scan *scan, const uint8_t *bytes, size_t len,
	  struct scan *tail)
{
	const uint8_t *p = bytes + scan->end, *end = bytes + len;
	struct scan run;
	bool found = false;

	if (scan->end < JOURNAL_HEADER_SIZE)
		return false; /* the header is not valid */
	while ((p = memmem(p, (size_t)(end - p), RECORD_MAGIC, 4))) {
		if (!scan_run(scan, bytes, len, (size_t)(p - bytes), &run)) {
			p++;
			continue;
		}
		*tail = run;
		found = run.done > 0;
		p = bytes + run.end;
	}
	return found;
}

bool
scan_next(const struct scan *scan, const uint8_t *bytes, size_t *off,
	  struct record *record)
{
	if (*off >= scan->end ||
	    !decode_header(bytes + *off, scan->end - *off, scan->salt, record))
		return false;
	*off += record_size(record);
	return true;
}
