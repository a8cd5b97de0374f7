/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oldest bursts are dropped: a snapshot replaces the last of them, with the
 * image after it.  Records keep their sequence numbers and times.
 */
#include "compose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "burst.h"
#include "crc32c.h"

#include "pflash/le.h"

struct buffer {
	uint8_t *bytes;
	size_t length;
	uint32_t chain;
	uint64_t salt;
};

static bool
keeps_history(const struct composition *in)
{
	return in->history->bytes > 0;
}

/* The time of the oldest record to keep, in ns; 0: of any age. */
static uint64_t
oldest_to_keep(const struct store_history *history)
{
	uint64_t now = journal_time(), age = history->seconds * 1000000000u;

	return history->seconds && age < now ? now - age : 0;
}

/*
 * Returns the sequence number of the last record to drop, and sets *bytes to
 * the number of bytes to drop.
 */
static uint64_t
last_to_drop(const struct composition *in, size_t *bytes)
{
	const struct scan *scan = in->old->scan;
	uint64_t oldest = oldest_to_keep(in->history);
	uint64_t last = scan->first + 1;
	size_t off = scan->history_start, begin = off;
	struct record record;

	*bytes = 0;
	while (scan_next(scan, in->old->journal, &off, &record)) {
		if (record.time >= oldest &&
		    scan->end - begin <= in->history->bytes)
			break;
		last = record.sequence;
		*bytes = off - scan->history_start;
		begin = off;
	}
	return last;
}

bool
compose_is_due(const struct composition *in)
{
	const struct scan *scan = in->old->scan;
	size_t bytes;

	if (keeps_history(in) != scan->snapshot)
		return true;
	if (!scan->snapshot)
		return scan->sequence > scan->first + 1;
	last_to_drop(in, &bytes);
	return bytes > COMPOSE_SLACK;
}

/* Adds a record whose payload the caller has written to payload(). */
static void
put_record(struct buffer *buffer, enum record_type type, uint64_t sequence,
	   uint64_t time, uint32_t length)
{
	const struct record_header header = {
		.type = type,
		.salt = buffer->salt,
		.sequence = sequence,
		/* The file gets its name only when all of it is durable. */
		.durable = sequence - 1,
		.time = time,
		.length = length,
	};
	uint8_t *p = buffer->bytes + buffer->length;
	size_t body = RECORD_HEADER_SIZE + (size_t)length;

	journal_encode_record(p, &header);
	buffer->chain = journal_chain(buffer->chain, p, length);
	put_le32(p + body, buffer->chain);
	buffer->length += body + RECORD_CHAIN_SIZE;
}

/* The place for the payload of the next record. */
static uint8_t *
payload(const struct buffer *buffer)
{
	return buffer->bytes + buffer->length + RECORD_HEADER_SIZE;
}

/* Writes to `p` the program operations that turn `from` into `to`. */
static uint32_t
difference(const uint8_t *from, const uint8_t *to, uint32_t size, uint8_t *p)
{
	uint32_t length = 0, first, end = 0;

	while (burst_difference(from, to, size, &first, &end)) {
		put_le32(p + length, first);
		put_le32(p + length + 4, end - first);
		memcpy(p + length + OPERATION_HEADER_SIZE, to + first,
		       end - first);
		length += OPERATION_HEADER_SIZE + end - first;
	}
	return length;
}

/*
 * Writes a snapshot to `p`: an erase of the whole image, then program
 * operations for all bytes that are not 0xff.  `blank` is a scratch buffer of
 * `size` bytes.
 */
static uint32_t
from_nothing(uint8_t *blank, const uint8_t *image, uint32_t size, uint8_t *p)
{
	memset(blank, 0xff, size);
	put_le32(p, 0);
	put_le32(p + 4, size | OPERATION_ERASE);
	return OPERATION_HEADER_SIZE +
	       difference(blank, image, size, p + OPERATION_HEADER_SIZE);
}

static void
put_done(struct buffer *buffer, const struct composition *in, uint64_t sequence)
{
	put_le32(payload(buffer), crc32c(0, in->image, in->size));
	put_record(buffer, RECORD_DONE, sequence, journal_time(), 4);
}

/*
 * Copies the old history from `snapshot` on, also its checkpoint and done
 * records, because sequence numbers must have no gap.  `scratch` has room for
 * two images.
 */
static int
put_history(struct buffer *buffer, const struct composition *in,
	    uint64_t snapshot, uint8_t *scratch, struct error *err)
{
	const struct scan *scan = in->old->scan;
	size_t off = JOURNAL_HEADER_SIZE;
	struct record record;
	int rc = recover_past(in->old, snapshot, scratch, in->size, err);

	while (!rc && scan_next(scan, in->old->journal, &off, &record)) {
		if (record.sequence == snapshot) {
			record.type = RECORD_SNAPSHOT;
			record.length = from_nothing(scratch + in->size,
						     scratch, in->size,
						     payload(buffer));
		} else if (record.sequence > snapshot) {
			memcpy(payload(buffer), record.payload, record.length);
		} else {
			continue;
		}
		put_record(buffer, (enum record_type)record.type,
			   record.sequence, record.time, record.length);
	}
	return rc;
}

/*
 * Adds a burst from the last image of the old history to in->image.  A done
 * record ends a checkpoint that was interrupted.
 */
static int
put_adopted(struct buffer *buffer, const struct composition *in, uint64_t *next,
	    uint8_t *scratch, struct error *err)
{
	const struct scan *old = in->old->scan;
	uint32_t length;
	int rc = recover_past(in->old, old->sequence, scratch, in->size, err);

	if (rc)
		return rc;
	if (old->checkpoint) {
		put_le32(payload(buffer), old->checkpoint_crc);
		put_record(buffer, RECORD_DONE, (*next)++, journal_time(), 4);
	}
	length = difference(scratch, in->image, in->size, payload(buffer));
	if (length)
		put_record(buffer, RECORD_BURST, (*next)++, journal_time(),
			   length);
	return 0;
}

/*
 * An upper bound for the journal's size.  In a snapshot or a difference,
 * operation headers take at most as much room as data.
 */
static size_t
room(const struct composition *in)
{
	size_t old = in->old ? in->old->scan->end : 0;

	return JOURNAL_HEADER_SIZE + 4 * (size_t)in->size + old +
	       4 * (RECORD_HEADER_SIZE + RECORD_CHAIN_SIZE + 64);
}

static int
fill(struct buffer *buffer, const struct composition *in, uint8_t *scratch,
     struct error *err)
{
	const struct scan *old = in->old ? in->old->scan : NULL;
	uint64_t next = old ? old->sequence + 1 : 1, snapshot = next;
	bool inherit = keeps_history(in) && old && old->snapshot;
	size_t dropped;
	int rc = 0;

	if (inherit)
		snapshot = last_to_drop(in, &dropped);
	journal_encode_header(buffer->bytes, in->size, buffer->salt,
			      snapshot - 1);
	buffer->chain = get_le32(buffer->bytes + 60);
	buffer->length = JOURNAL_HEADER_SIZE;
	if (inherit)
		rc = put_history(buffer, in, snapshot, scratch, err);
	else if (keeps_history(in))
		put_record(buffer, RECORD_SNAPSHOT, next++, journal_time(),
			   from_nothing(scratch, in->image, in->size,
					payload(buffer)));
	if (!rc && inherit && in->adopt)
		rc = put_adopted(buffer, in, &next, scratch, err);
	if (!rc)
		put_done(buffer, in, next);
	return rc;
}

int
compose_journal(const struct composition *in, uint8_t **bytes,
		struct scan *scan, struct error *err)
{
	struct buffer buffer = { .bytes = malloc(room(in)) };
	uint8_t *scratch = malloc(2 * (size_t)in->size);
	int rc = 0;

	*bytes = NULL;
	if (!buffer.bytes || !scratch)
		rc = error_set(err, ENOMEM, "out of memory");
	else if (getrandom(&buffer.salt, sizeof(buffer.salt), 0) !=
		 (ssize_t)sizeof(buffer.salt))
		rc = error_errno(err, errno, "getrandom");
	if (!rc)
		rc = fill(&buffer, in, scratch, err);
	free(scratch);
	if (!rc)
		rc = scan_journal(scan, buffer.bytes, buffer.length,
				  "the new journal", err);
	if (rc) {
		free(buffer.bytes);
		return rc;
	}
	*bytes = buffer.bytes;
	return 0;
}
