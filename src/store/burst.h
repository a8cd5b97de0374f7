/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The burst that is open: the operations since the last commit, kept as the
 * journal record they will become.  The one memory block is large enough for
 * the largest burst, so that noting an operation allocates nothing and cannot
 * fail; pages that are never reached cost no memory.
 */
#ifndef STORE_BURST_H
#define STORE_BURST_H

#include <stdbool.h>
#include <string.h>

#include "journal.h"

#include "pflash/le.h"

struct burst {
	uint8_t *record;    /* header, payload, chain */
	uint8_t *payload;   /* in `record` */
	uint32_t length;    /* of the payload */
	uint32_t operation; /* where the last one begins in the payload */
	uint32_t next;      /* image offset at which it can grow, or none */
	uint32_t limit;     /* commit when the payload is longer than this */
	bool borrowed;      /* the memory */
};

#define BURST_NO_NEXT UINT32_MAX

/* One operation; `data` is NULL for an erase. */
struct operation {
	uint32_t offset;
	uint32_t length;
	const uint8_t *data;
};

/* Room for `limit` bytes and then one operation on all of the image. */
int burst_init(struct burst *burst, uint32_t limit, uint32_t image_size);
/* The same in memory of STORE_BURST_ROOM(limit) bytes. */
void burst_borrow(struct burst *burst, uint32_t limit, void *memory);
void burst_free(struct burst *burst);
void burst_clear(struct burst *burst);

/* The caller has checked the range; the burst is not full. */
void burst_erase(struct burst *burst, uint32_t off, uint32_t len);
void burst_start_program(struct burst *burst, uint32_t off);

/*
 * The operation at *pos of a payload; moves *pos behind it.  1, 0 at the end,
 * -EINVAL if there is none that fits the payload and an image of `size` bytes.
 */
int burst_next(const uint8_t *payload, uint32_t len, uint32_t *pos,
	       uint32_t size, struct operation *op);

/*
 * The next range in which two images differ, from *end on; a gap that is
 * shorter than an operation's header is none.  false: there is none any more.
 */
bool burst_difference(const uint8_t *from, const uint8_t *to, uint32_t size,
		      uint32_t *first, uint32_t *end);

/* Does the operation on the image.  */
void operation_apply(const struct operation *op, uint8_t *image);

static inline bool
burst_full(const struct burst *burst)
{
	return burst->length > burst->limit;
}

/* One byte is what OVMF programs: it is not worth a call. */
static inline void
copy_bytes(uint8_t *to, const void *from, uint32_t len)
{
	if (len == 1)
		*to = *(const uint8_t *)from;
	else
		memcpy(to, from, len);
}

/*
 * On the way of every byte a guest programs: most go behind the one before,
 * into the same operation.
 */
static inline void
burst_program(struct burst *burst, uint32_t off, const void *bytes,
	      uint32_t len)
{
	if (off != burst->next)
		burst_start_program(burst, off);
	copy_bytes(burst->payload + burst->length, bytes, len);
	burst->length += len;
	burst->next = off + len;
	put_le32(burst->payload + burst->operation + 4,
		 burst->length - burst->operation - OPERATION_HEADER_SIZE);
}

#endif
