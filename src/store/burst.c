/* SPDX-License-Identifier: BSD-2-Clause */
#include "burst.h"

#include <errno.h>
#include <stdlib.h>

#include "pflash/store.h"

int
burst_init(struct burst *burst, uint32_t limit, uint32_t image_size)
{
	size_t room = (size_t)limit + OPERATION_HEADER_SIZE + image_size;

	burst->record = malloc(RECORD_HEADER_SIZE + room + RECORD_CHAIN_SIZE);
	if (!burst->record)
		return -ENOMEM;
	burst->payload = burst->record + RECORD_HEADER_SIZE;
	burst->limit = limit;
	burst->borrowed = false;
	burst_clear(burst);
	return 0;
}

_Static_assert(RECORD_HEADER_SIZE + OPERATION_HEADER_SIZE + RECORD_CHAIN_SIZE <=
		       STORE_BURST_ROOM(0) - STORE_CHANGE_MOST,
	       "a record and one change fit");

void
burst_borrow(struct burst *burst, uint32_t limit, void *memory)
{
	burst->record = memory;
	burst->payload = burst->record + RECORD_HEADER_SIZE;
	burst->limit = limit;
	burst->borrowed = true;
	burst_clear(burst);
}

void
burst_free(struct burst *burst)
{
	if (!burst->borrowed)
		free(burst->record);
	burst->record = NULL;
}

void
burst_clear(struct burst *burst)
{
	burst->length = 0;
	burst->operation = 0;
	burst->next = BURST_NO_NEXT;
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
	burst_start(burst, off, len | OPERATION_ERASE);
	burst->next = BURST_NO_NEXT;
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
