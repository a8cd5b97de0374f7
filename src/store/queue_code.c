/* SPDX-License-Identifier: BSD-2-Clause */
/* The format of VARS.next (docs/format.md, section "The queue"). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "queue.h"

#include "pflash/le.h"

/* One wrong bit does not make it of the magic number of another file. */
#define MAGIC "PFLASHY"
#define VERSION '1'

/* Offsets in the header. */
enum {
	VERSION_AT = 7,
	COUNT = 8,
	LENGTH = 12,
	CRC = 16,
	HEADER_SIZE = QUEUE_HEADER_SIZE,
};

/* Values of the second byte of a change. */
enum { ANY, NONE, EXPECTED, CONDITIONS };

static uint32_t
checksum(const uint8_t *header, const uint8_t *payload, size_t len)
{
	return crc32c(crc32c(0, header, CRC), payload, len);
}

/* --- encoding --- */

/*
 * The output; the first pass only counts `len`, with `bytes` NULL, the second
 * one writes.
 */
struct writer {
	uint8_t *bytes;
	size_t len;
};

static void
put_bytes(struct writer *to, const void *bytes, size_t len)
{
	if (to->bytes && len)
		memcpy(to->bytes + to->len, bytes, len);
	to->len += len;
}

static void
put_number(struct writer *to, uint64_t value, unsigned int len)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	put_bytes(to, bytes, len);
}

static void
put_value(struct writer *to, const struct edit_value *value)
{
	const struct variable_time *time = &value->time;

	put_number(to, value->attributes, 4);
	put_number(to, time->year, 2);
	put_number(to, time->month, 1);
	put_number(to, time->day, 1);
	put_number(to, time->hour, 1);
	put_number(to, time->minute, 1);
	put_number(to, time->second, 1);
	put_number(to, 0, 1);
	put_number(to, value->data_size, 4);
	put_bytes(to, value->data, value->data_size);
}

static void
put_change(struct writer *to, const struct change *change)
{
	unsigned int condition = !change->has_condition ? ANY :
				 change->expects_none   ? NONE :
							  EXPECTED;

	put_number(to, change->kind == CHANGE_REMOVE, 1);
	put_number(to, condition, 1);
	put_number(to, 0, 2);
	put_bytes(to, change->value.guid, GUID_SIZE);
	put_number(to, change->value.name_size, 4);
	put_bytes(to, change->value.name, change->value.name_size);
	if (change->kind == CHANGE_SET)
		put_value(to, &change->value);
	if (condition == EXPECTED)
		put_value(to, &change->expected);
}

static void
put_list(struct writer *to, const struct queue_item *item)
{
	const struct change *change;
	size_t text_len = strlen(item->text);

	put_number(to, item->time, 8);
	put_number(to, changes_count(item->changes), 4);
	put_number(to, text_len, 4);
	put_bytes(to, item->text, text_len);
	for (size_t i = 0; (change = changes_at(item->changes, i)); i++)
		put_change(to, change);
}

static void
put_queue(struct writer *to, const struct queue *queue)
{
	for (size_t i = 0; i < queue->count; i++)
		put_list(to, &queue->lists[i].item);
}

int
queue_encode(const struct queue *queue, uint8_t **bytes, size_t *len,
	     struct error *err)
{
	struct writer count = { .bytes = NULL }, to = { .len = HEADER_SIZE };

	*bytes = NULL;
	put_queue(&count, queue);
	*len = HEADER_SIZE + count.len;
	if (*len > QUEUE_SIZE_MOST)
		return error_set(err, E2BIG,
				 "the changes that wait for the next start "
				 "have %zu bytes, at most %u are possible",
				 *len, QUEUE_SIZE_MOST);
	to.bytes = *bytes = malloc(*len);
	if (!to.bytes)
		return error_set(err, ENOMEM, "out of memory");
	put_queue(&to, queue);
	memcpy(to.bytes, MAGIC, VERSION_AT);
	to.bytes[VERSION_AT] = VERSION;
	put_le32(to.bytes + COUNT, (uint32_t)queue->count);
	put_le32(to.bytes + LENGTH, (uint32_t)count.len);
	put_le32(to.bytes + CRC,
		 checksum(to.bytes, to.bytes + HEADER_SIZE, count.len));
	return 0;
}

/* --- decoding --- */

/* The input; `bad` once something was read behind its end. */
struct input {
	const uint8_t *bytes;
	size_t left;
	bool bad;
};

/* The next `len` bytes; NULL: there are fewer. */
static const uint8_t *
get_bytes(struct input *from, size_t len)
{
	const uint8_t *bytes = from->bytes;

	if (from->bad || len > from->left) {
		from->bad = true;
		return NULL;
	}
	from->bytes += len;
	from->left -= len;
	return bytes;
}

/* A number of up to 8 bytes; 0 behind the end. */
static uint64_t
get_number(struct input *from, unsigned int len)
{
	const uint8_t *bytes = get_bytes(from, len);
	uint8_t whole[8] = { 0 };

	if (bytes)
		memcpy(whole, bytes, len);
	return get_le64(whole);
}

static void
get_value(struct input *from, struct edit_value *value)
{
	struct variable_time *time = &value->time;

	value->attributes = (uint32_t)get_number(from, 4);
	time->year = (uint16_t)get_number(from, 2);
	time->month = (uint8_t)get_number(from, 1);
	time->day = (uint8_t)get_number(from, 1);
	time->hour = (uint8_t)get_number(from, 1);
	time->minute = (uint8_t)get_number(from, 1);
	time->second = (uint8_t)get_number(from, 1);
	(void)get_number(from, 1);
	value->data_size = (uint32_t)get_number(from, 4);
	value->data = get_bytes(from, value->data_size);
}

/* The pointers are into the input. */
static void
get_change(struct input *from, struct change *change)
{
	uint64_t kind = get_number(from, 1), condition = get_number(from, 1);
	struct edit_value *value = &change->value;

	(void)get_number(from, 2);
	from->bad |= kind > 1 || condition >= CONDITIONS;
	change->kind = kind ? CHANGE_REMOVE : CHANGE_SET;
	change->has_condition = condition != ANY;
	change->expects_none = condition == NONE;
	value->guid = get_bytes(from, GUID_SIZE);
	value->name_size = (uint32_t)get_number(from, 4);
	value->name = get_bytes(from, value->name_size);
	change->expected = *value;
	if (change->kind == CHANGE_SET)
		get_value(from, value);
	if (condition == EXPECTED)
		get_value(from, &change->expected);
}

static int
damaged(struct error *err)
{
	return error_set(err, EUCLEAN,
			 "damaged: the changes in it cannot be read");
}

/*
 * Two changes of one variable would be one change fewer than the list says, so
 * no writer makes them.
 */
static int
get_changes(struct input *from, struct changes *changes, uint64_t count,
	    struct error *err)
{
	int rc = 0;

	for (uint64_t i = 0; !rc && !from->bad && i < count; i++) {
		struct change change = { .kind = CHANGE_SET };

		get_change(from, &change);
		if (!from->bad)
			rc = changes_add(changes, &change, err);
	}
	if (!rc && (from->bad || changes_count(changes) != count))
		rc = damaged(err);
	return rc;
}

static int
get_list(struct input *from, struct queue *queue, struct error *err)
{
	uint64_t time = get_number(from, 8), count = get_number(from, 4);
	size_t text_len = (size_t)get_number(from, 4);
	const char *text = (const char *)get_bytes(from, text_len);
	struct changes *changes;
	int rc;

	if (from->bad || count == 0 || count > QUEUE_CHANGES_MOST ||
	    text_len > QUEUE_TEXT_MOST)
		return damaged(err);
	changes = changes_new();
	if (!changes)
		return error_set(err, ENOMEM, "out of memory");
	rc = get_changes(from, changes, count, err);
	if (!rc)
		return queue_take(queue, time, text, text_len, changes, err);
	changes_free(changes);
	return rc;
}

static int
check_header(const uint8_t *bytes, size_t len, struct error *err)
{
	if (len < HEADER_SIZE || memcmp(bytes, MAGIC, VERSION_AT) != 0)
		return error_set(err, EUCLEAN,
				 "damaged: it has no list of changes");
	if (bytes[VERSION_AT] != VERSION)
		return error_set(err, EUCLEAN,
				 "has a format that this version cannot read");
	if (len > QUEUE_SIZE_MOST ||
	    get_le32(bytes + LENGTH) != len - HEADER_SIZE ||
	    get_le32(bytes + COUNT) > QUEUE_MOST ||
	    get_le32(bytes + CRC) !=
		    checksum(bytes, bytes + HEADER_SIZE, len - HEADER_SIZE))
		return damaged(err);
	return 0;
}

size_t
queue_header_count(const uint8_t header[QUEUE_HEADER_SIZE])
{
	size_t count = get_le32(header + COUNT);

	if (memcmp(header, MAGIC, VERSION_AT) != 0 ||
	    header[VERSION_AT] != VERSION)
		return 0;
	return count < QUEUE_MOST ? count : QUEUE_MOST;
}

static int
get_queue(struct input *from, struct queue *queue, uint32_t count,
	  struct error *err)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < count; i++)
		rc = get_list(from, queue, err);
	return !rc && from->left ? damaged(err) : rc;
}

int
queue_decode(struct queue **out, const uint8_t *bytes, size_t len,
	     struct error *err)
{
	struct input from = { .bad = false };
	int rc = check_header(bytes, len, err);

	*out = NULL;
	if (rc)
		return rc;
	from.bytes = bytes + HEADER_SIZE;
	from.left = len - HEADER_SIZE;
	*out = queue_new();
	if (!*out)
		return error_set(err, ENOMEM, "out of memory");
	rc = get_queue(&from, *out, get_le32(bytes + COUNT), err);
	if (!rc)
		return 0;
	queue_free(*out);
	*out = NULL;
	return rc;
}
