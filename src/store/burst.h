/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The open burst: the changes of the image since the last commit.
 *
 * It has two halves.  The record is the journal record that the burst becomes:
 * an operation for each program and erase.  The undo list has the former
 * contents of each block that the burst touches, so that a burst that cannot
 * be committed is undone, and the store needs no second image.
 *
 * Both lie in memory that is large enough for the largest burst: a change
 * allocates nothing and cannot fail.  Pages that no burst reaches cost no
 * memory.
 */
#ifndef STORE_BURST_H
#define STORE_BURST_H

#include <stdbool.h>
#include <string.h>

#include "journal.h"

#include "pflash/le.h"

/* The blocks as they were before the burst, in the order it touched them. */
struct undo {
	uint8_t *blocks;    /* BLOCK_SIZE bytes for each */
	uint16_t *numbers;  /* and which block of the image it is */
	bool *saved;        /* by block of the image: is it in the list? */
	unsigned int count; /* blocks in the list */
};

struct burst {
	uint8_t *image;     /* borrowed; the store's, which the burst changes */
	uint8_t *record;    /* header, payload, chain */
	uint8_t *payload;   /* in `record` */
	uint32_t length;    /* of the payload */
	uint32_t operation; /* where the last one begins in the payload */
	uint32_t next;      /* image offset at which it can grow, or none */
	uint32_t limit;     /* commit when the payload is longer than this */
	bool borrowed;      /* the record's memory */
	struct undo undo;
};

#define BURST_NO_NEXT UINT32_MAX

/* One operation; `data` is NULL for an erase. */
struct operation {
	uint32_t offset;
	uint32_t length;
	const uint8_t *data;
};

/*
 * An empty burst for an image of `size` bytes, which is borrowed.  `memory`:
 * STORE_BURST_ROOM(limit) bytes for the record, borrowed; NULL: the burst has
 * memory of its own, for `limit` bytes and one operation on all of the image.
 * -ENOMEM; burst_free() in any case.
 */
int burst_init(struct burst *burst, uint8_t *image, uint32_t size,
	       uint32_t limit, void *memory);
void burst_free(struct burst *burst);

/*
 * Sets [off, off + len) of the image to 0xff.  The caller has checked that the
 * range is inside the image and that the burst is not full.
 */
void burst_erase(struct burst *burst, uint32_t off, uint32_t len);

/* Does what the operations of the payload say; -EINVAL: one is malformed. */
int burst_replay(struct burst *burst, uint32_t size);

/* The image becomes what it was before the burst, and the burst is empty. */
void burst_undo(struct burst *burst);

/* The burst is committed: marks its blocks in `dirty`, and is empty. */
void burst_end(struct burst *burst, uint8_t *dirty);

/* Is the last operation as long as `next` says? */
bool burst_can_grow(const struct burst *burst);

/* Do record and undo list explain the image?  false: one of them is broken. */
bool burst_verify(const struct burst *burst, uint32_t size);

/*
 * The operation at *pos of a payload; moves *pos behind it.  1, 0 at the end,
 * -EINVAL if there is none that fits the payload and an image of `size` bytes.
 */
int burst_next(const uint8_t *payload, uint32_t len, uint32_t *pos,
	       uint32_t size, struct operation *op);

/*
 * The next range in which two images differ, from *end on; a gap that is
 * shorter than an operation's header is none.  false: there is no more.
 */
bool burst_difference(const uint8_t *from, const uint8_t *to, uint32_t size,
		      uint32_t *first, uint32_t *end);

/* Does the operation on the image. */
void operation_apply(const struct operation *op, uint8_t *image);

/* For burst_program() alone. */
void burst_start_program(struct burst *burst, uint32_t off);
void burst_save_blocks(struct burst *burst, uint32_t off, uint32_t len);

static inline bool
burst_full(const struct burst *burst)
{
	return burst->length > burst->limit;
}

/* Saves what the range holds, unless the burst has touched its blocks. */
static inline void
burst_save(struct burst *burst, uint32_t off, uint32_t len)
{
	if (len > 1 || !burst->undo.saved[off >> BLOCK_SHIFT])
		burst_save_blocks(burst, off, len);
}

/* OVMF programs single bytes: such a copy is not worth a call. */
static inline void
copy_bytes(uint8_t *to, const void *from, uint32_t len)
{
	if (len == 1)
		*to = *(const uint8_t *)from;
	else
		memcpy(to, from, len);
}

/*
 * Sets [off, off + len) of the image to `bytes`; otherwise as burst_erase().
 * OVMF programs ascending bytes: they all go into one operation.
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
