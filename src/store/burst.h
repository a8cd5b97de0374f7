/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The open burst: the changes of the image since the last commit, private to
 * src/store.  docs/format.md, section "Burst", has the format of the payload.
 *
 * A burst has two parts.  The record becomes the journal record of the burst:
 * its payload has an operation for each program and erase.  The undo list has
 * the former contents of each block that the burst has touched; with it a burst
 * that cannot be committed is undone, without a second image.
 *
 * burst_init() allocates enough memory for the largest burst, so no change
 * allocates memory or fails.  Pages that no burst has touched use no memory.
 *
 * Units: offsets and lengths are in bytes, of the image or of the payload.  A
 * block is BLOCK_SIZE bytes of the image.
 */
#ifndef STORE_BURST_H
#define STORE_BURST_H

#include <stdbool.h>
#include <string.h>

#include "journal.h"

#include "pflash/le.h"

/* The undo list: blocks before the burst, in the order of the first change. */
struct undo {
	uint8_t *blocks;    /* the former contents, BLOCK_SIZE bytes each */
	uint16_t *numbers;  /* the number of each block in the image */
	bool *saved;        /* by block of the image: true: in the list */
	unsigned int count; /* number of blocks in the list */
};

struct burst {
	uint8_t *image;     /* borrowed from the store; the burst changes it */
	uint8_t *record;    /* record header, payload, chain */
	uint8_t *payload;   /* inside `record` */
	uint32_t length;    /* of the payload; 0: no burst is open */
	uint32_t operation; /* offset of the last operation in the payload */
	uint32_t next;      /* a program here extends that operation */
	uint32_t limit;     /* a longer payload must be committed */
	bool borrowed;      /* `record` belongs to the caller of burst_init() */
	struct undo undo;
};

/* `next`: no program can extend the last operation. */
#define BURST_NO_NEXT UINT32_MAX

/* One operation of a payload. */
struct operation {
	uint32_t offset; /* in the image */
	uint32_t length;
	const uint8_t *data; /* inside the payload; NULL: an erase */
};

/*
 * Initializes an empty burst for an image of `size` bytes, which is borrowed.
 * `memory` is STORE_BURST_ROOM(limit) bytes for the record, borrowed.  If it is
 * NULL, the burst allocates the record: room for `limit` bytes of payload and
 * one more operation on the whole image.  -ENOMEM.  The caller calls
 * burst_free() also after an error.
 */
int burst_init(struct burst *burst, uint8_t *image, uint32_t size,
	       uint32_t limit, void *memory);
void burst_free(struct burst *burst);

/*
 * Sets the range [off, off + len) of the image to 0xff.  The caller has checked
 * that the range is inside the image and not empty, and that the burst is not
 * full.
 */
void burst_erase(struct burst *burst, uint32_t off, uint32_t len);

/*
 * Applies the operations of the payload to the image, and saves the blocks for
 * burst_undo().  -EINVAL: an operation is malformed; the operations before it
 * are applied.
 */
int burst_replay(struct burst *burst, uint32_t size);

/* Restores the image from before the burst, and empties the burst. */
void burst_undo(struct burst *burst);

/*
 * Ends a committed burst: marks its blocks in `dirty`, one byte for each block
 * of the image, and empties the burst.
 */
void burst_end(struct burst *burst, uint8_t *dirty);

/* True if the last operation ends at `next`, or if `next` is none. */
bool burst_can_grow(const struct burst *burst);

/*
 * Checks the invariants, for tests: undoing the burst and replaying the payload
 * gives the same image.  False: an invariant is violated.
 */
bool burst_verify(const struct burst *burst, uint32_t size);

/*
 * Decodes the operation at *pos of a payload of `len` bytes, and moves *pos
 * behind it.  1: done; 0: the end of the payload; -EINVAL: the operation
 * exceeds the payload or an image of `size` bytes.
 */
int burst_next(const uint8_t *payload, uint32_t len, uint32_t *pos,
	       uint32_t size, struct operation *op);

/*
 * Finds the next range [*first, *end) in which two images differ, from the old
 * *end on.  Equal bytes that are no more than the header of an operation do not
 * end a range.  False: no difference is left.
 */
bool burst_difference(const uint8_t *from, const uint8_t *to, uint32_t size,
		      uint32_t *first, uint32_t *end);

/* Applies the operation to the image. */
void operation_apply(const struct operation *op, uint8_t *image);

/* Called only by burst_program() and burst_save(). */
void burst_start_program(struct burst *burst, uint32_t off);
void burst_save_blocks(struct burst *burst, uint32_t off, uint32_t len);

static inline bool
burst_full(const struct burst *burst)
{
	return burst->length > burst->limit;
}

/* Adds the blocks of the range to the undo list, if they are not in it. */
static inline void
burst_save(struct burst *burst, uint32_t off, uint32_t len)
{
	if (len > 1 || !burst->undo.saved[off >> BLOCK_SHIFT])
		burst_save_blocks(burst, off, len);
}

/* OVMF programs single bytes: avoids the call of memcpy() for them. */
static inline void
copy_bytes(uint8_t *to, const void *from, uint32_t len)
{
	if (len == 1)
		*to = *(const uint8_t *)from;
	else
		memcpy(to, from, len);
}

/*
 * Sets the range [off, off + len) of the image to `bytes`.  The caller has made
 * the checks of burst_erase().  OVMF programs bytes in ascending order: they
 * all extend one operation.
 */
static inline void
burst_program(struct burst *burst, uint32_t off, const void *bytes,
	      uint32_t len)
{
	burst_save(burst, off, len);
	if (off != burst->next)
		burst_start_program(burst, off);
	copy_bytes(burst->payload + burst->length, bytes, len);
	burst->length += len;
	burst->next = off + len;
	put_le32(burst->payload + burst->operation + 4,
		 burst->length - burst->operation - OPERATION_HEADER_SIZE);
	copy_bytes(burst->image + off, bytes, len);
}

#endif
