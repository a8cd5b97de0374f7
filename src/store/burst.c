/* SPDX-License-Identifier: BSD-2-Clause */
#include "burst.h"

#include <errno.h>
#include <stdlib.h>

#include "pflash/store.h"

/* A large malloc() returns fresh pages, which use memory only when touched. */
static int
undo_init(struct undo *undo, uint32_t size)
{
	uint32_t blocks = size >> BLOCK_SHIFT;

	undo->blocks = malloc(size);
	undo->numbers = malloc(blocks * sizeof(*undo->numbers));
	undo->saved = calloc(blocks, sizeof(*undo->saved));
	undo->count = 0;
	return undo->blocks && undo->numbers && undo->saved ? 0 : -ENOMEM;
}

_Static_assert(RECORD_HEADER_SIZE + OPERATION_HEADER_SIZE + RECORD_CHAIN_SIZE <=
		       STORE_BURST_ROOM(0) - STORE_CHANGE_MOST,
	       "a record and one change fit");

int
burst_init(struct burst *burst, uint8_t *image, uint32_t size, uint32_t limit,
	   void *memory)
{
	size_t room = (size_t)limit + OPERATION_HEADER_SIZE + size;

	burst->image = image;
	burst->limit = limit;
	burst->borrowed = memory;
	burst->record = memory ? memory :
				 malloc(RECORD_HEADER_SIZE + room +
					RECORD_CHAIN_SIZE);
	if (!burst->record || undo_init(&burst->undo, size) < 0)
		return -ENOMEM;
	burst->payload = burst->record + RECORD_HEADER_SIZE;
	burst->length = 0;
	burst->operation = 0;
	burst->next = BURST_NO_NEXT;
	return 0;
}

void
burst_free(struct burst *burst)
{
	if (!burst->borrowed)
		free(burst->record);
	free(burst->undo.blocks);
	free(burst->undo.numbers);
	free(burst->undo.saved);
	*burst = (struct burst){ .record = NULL };
}

void
burst_save_blocks(struct burst *burst, uint32_t off, uint32_t len)
{
	struct undo *undo = &burst->undo;
	uint32_t first = off >> BLOCK_SHIFT;
	uint32_t last = (off + len - 1) >> BLOCK_SHIFT;

	for (uint32_t n = first; n <= last; n++) {
		if (undo->saved[n])
			continue;
		undo->saved[n] = true;
		undo->numbers[undo->count] = (uint16_t)n;
		memcpy(undo->blocks + ((size_t)undo->count << BLOCK_SHIFT),
		       burst->image + ((size_t)n << BLOCK_SHIFT), BLOCK_SIZE);
		undo->count++;
	}
}

/* Copies the saved blocks back into `image`. */
static void
undo_restore(const struct undo *undo, uint8_t *image)
{
	for (unsigned int i = 0; i < undo->count; i++)
		memcpy(image + ((size_t)undo->numbers[i] << BLOCK_SHIFT),
		       undo->blocks + ((size_t)i << BLOCK_SHIFT), BLOCK_SIZE);
}

static void
burst_clear(struct burst *burst)
{
	struct undo *undo = &burst->undo;

	for (unsigned int i = 0; i < undo->count; i++)
		undo->saved[undo->numbers[i]] = false;
	undo->count = 0;
	burst->length = 0;
	burst->operation = 0;
	burst->next = BURST_NO_NEXT;
}

void
burst_undo(struct burst *burst)
{
	undo_restore(&burst->undo, burst->image);
	burst_clear(burst);
}

void
burst_end(struct burst *burst, uint8_t *dirty)
{
	for (unsigned int i = 0; i < burst->undo.count; i++)
		dirty[burst->undo.numbers[i]] = 1;
	burst_clear(burst);
}

static void
burst_start(struct burst *burst, uint32_t off, uint32_t len)
{
	uint8_t *p = burst->payload + burst->length;

	put_le32(p, off);
	put_le32(p + 4, len);
	burst->operation = burst->length;
	burst->length += OPERATION_HEADER_SIZE;
}

void
burst_erase(struct burst *burst, uint32_t off, uint32_t len)
{
	burst_save(burst, off, len);
	burst_start(burst, off, len | OPERATION_ERASE);
	burst->next = BURST_NO_NEXT;
	memset(burst->image + off, 0xff, len);
}

void
burst_start_program(struct burst *burst, uint32_t off)
{
	burst_start(burst, off, 0);
	burst->next = off;
}

int
burst_next(const uint8_t *payload, uint32_t len, uint32_t *pos, uint32_t size,
	   struct operation *op)
{
	uint32_t left = len - *pos, word;

	if (!left)
		return 0;
	if (left < OPERATION_HEADER_SIZE)
		return -EINVAL;
	word = get_le32(payload + *pos + 4);
	op->offset = get_le32(payload + *pos);
	op->length = word & ~OPERATION_ERASE;
	op->data = NULL;
	if (op->offset > size || op->length > size - op->offset)
		return -EINVAL;
	*pos += OPERATION_HEADER_SIZE;
	if (word & OPERATION_ERASE)
		return 1;
	if (op->length > left - OPERATION_HEADER_SIZE)
		return -EINVAL;
	op->data = payload + *pos;
	*pos += op->length;
	return 1;
}

void
operation_apply(const struct operation *op, uint8_t *image)
{
	if (op->data)
		memcpy(image + op->offset, op->data, op->length);
	else
		memset(image + op->offset, 0xff, op->length);
}

int
burst_replay(struct burst *burst, uint32_t size)
{
	struct operation op;
	uint32_t pos = 0;
	int rc;

	while ((rc = burst_next(burst->payload, burst->length, &pos, size,
				&op)) > 0) {
		if (op.length)
			burst_save(burst, op.offset, op.length);
		operation_apply(&op, burst->image);
	}
	return rc;
}

bool
burst_can_grow(const struct burst *burst)
{
	const uint8_t *op = burst->payload + burst->operation;

	if (burst->next == BURST_NO_NEXT)
		return true;
	return burst->operation + OPERATION_HEADER_SIZE + get_le32(op + 4) ==
		       burst->length &&
	       get_le32(op) + get_le32(op + 4) == burst->next;
}

static bool
undo_verify(const struct undo *undo, uint32_t size)
{
	unsigned int saved = 0;

	for (uint32_t n = 0; n < size >> BLOCK_SHIFT; n++)
		saved += undo->saved[n];
	for (unsigned int i = 0; i < undo->count; i++)
		if (undo->numbers[i] >= size >> BLOCK_SHIFT ||
		    !undo->saved[undo->numbers[i]])
			return false;
	return saved == undo->count;
}

/* Undoes the burst in a copy of the image, replays it there, and compares. */
static bool
replays_to_image(const struct burst *burst, uint32_t size)
{
	uint8_t *copy = malloc(size);
	struct operation op;
	uint32_t pos = 0;
	bool same;
	int rc;

	if (!copy)
		return true;
	memcpy(copy, burst->image, size);
	undo_restore(&burst->undo, copy);
	while ((rc = burst_next(burst->payload, burst->length, &pos, size,
				&op)) > 0)
		operation_apply(&op, copy);
	same = !rc && !memcmp(copy, burst->image, size);
	free(copy);
	return same;
}

bool
burst_verify(const struct burst *burst, uint32_t size)
{
	return burst_can_grow(burst) && undo_verify(&burst->undo, size) &&
	       replays_to_image(burst, size);
}

bool
burst_difference(const uint8_t *from, const uint8_t *to, uint32_t size,
		 uint32_t *first, uint32_t *end)
{
	uint32_t off = *end, same = 0;

	while (off < size && from[off] == to[off])
		off++;
	*first = *end = off;
	for (; off < size && same <= OPERATION_HEADER_SIZE; off++) {
		same = from[off] == to[off] ? same + 1 : 0;
		if (!same)
			*end = off + 1;
	}
	return *first < size;
}
