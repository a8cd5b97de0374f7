/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Old history is dropped from its beginning: the snapshot moves forward to the
 * last of the bursts that go.  Records keep their numbers and times.
 */
#include "compose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "burst.h"
#include "crc32c.h"

#include "pflash/le.h"

/* Dropping less history than this is not worth a new file. */
#define SLACK (256u << 10)

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

/* The time before which records go. */
static uint64_t
oldest_to_keep(const struct store_history *history)
{
	uint64_t now = journal_time(), age = history->seconds * 1000000000u;

	return history->seconds && age < now ? now - age : 0;
}

/* The number of the last burst that is to go, and how many bytes go. */
static uint64_t
last_to_drop(const struct composition *in, size_t *bytes)
{
	const struct scan *scan = in->old->scan;
	uint64_t oldest = oldest_to_keep(in->history);
	uint64_t last = scan->first + 1;
	size_t off = scan->kept, begin = off;
	struct record record;

	*bytes = 0;
	while (scan_next(scan, in->old->journal, &off, &record)) {
		if (record.time >= oldest &&
		    scan->end - begin <= in->history->bytes)
			break;
		last = record.sequence;
		*bytes = off - scan->kept;
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
	return bytes > SLACK;
}

/* The payload stands at its place already. */
static void
put_record(struct buffer *buffer, enum record_type type, uint64_t sequence,
	   uint64_t time, uint32_t length)
{
	const struct record_header header = {
		.type = type,
		.salt = buffer->salt,
		.sequence = sequence,
		/* The file has no name before all of it is durable. */
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

/* Where the payload of the next record goes. */
static uint8_t *
payload(const struct buffer *buffer)
{
	return buffer->bytes + buffer->length + RECORD_HEADER_SIZE;
}

/* Programs, from one image to another. */
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

/* An erase of all, and programs of what is not erased; spoils `blank`. */
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
 * The old history without its beginning.  Every record is copied, the done
 * records too: the numbers must have no gap.  `scratch` has room for two
 * images.
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
 * From the last image of the old history to the one that VARS has.  A
 * checkpoint that was under way is over.
 */
static int
put_adopted(struct buffer *buffer, const struct composition *in, uint64_t *next,
	    uint8_t *scratch, struct error *err)
{
	const struct scan *old = in->old->scan;
	int rc = recover_past(in->old, old->sequence, scratch, in->size, err);

	if (rc)
		return rc;
	if (old->checkpoint) {
		put_le32(payload(buffer), old->checkpoint_crc);
		put_record(buffer, RECORD_DONE, (*next)++, journal_time(), 4);
	}
	put_record(buffer, RECORD_BURST, (*next)++, journal_time(),
		   difference(scratch, in->image, in->size, payload(buffer)));
	return 0;
}

/* As much as snapshot and difference can need: up to half of each headers. */
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
