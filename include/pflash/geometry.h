/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a bank of flash parts is laid out: the width of its bus, the parts side
 * by side on it, and its erase blocks (docs/chip.md, section 1).
 *
 * All offsets and sizes are bytes in the bank; each part has 1/interleave of
 * them.
 */
#ifndef PFLASH_GEOMETRY_H
#define PFLASH_GEOMETRY_H

#include <stdint.h>

#include "pflash/error.h"

#define GEOMETRY_MAX_WIDTH 4   /* bytes */
#define GEOMETRY_MAX_PARTS 4   /* side by side */
#define GEOMETRY_MAX_REGIONS 4 /* of equal blocks */
#define GEOMETRY_MAX_BLOCKS 4096
#define GEOMETRY_MIN_BLOCK 4096u
#define GEOMETRY_MAX_BLOCK (1u << 20)

struct geometry_region {
	uint32_t block_size; /* a power of two */
	uint32_t count;      /* blocks, not 0 */
};

struct geometry {
	uint32_t size;      /* the sum of the regions */
	uint8_t width;      /* bytes of the bus: 1, 2 or 4 */
	uint8_t interleave; /* parts: 1, 2 or 4 */
	uint8_t region_count;
	struct geometry_region regions[GEOMETRY_MAX_REGIONS];
};

/* One erase block. */
struct geometry_block {
	uint32_t index; /* from 0, in ascending order */
	uint32_t first; /* its first byte */
	uint32_t size;
};

/* Every rule of docs/chip.md, section 1; -EINVAL with a sentence. */
int geometry_check(const struct geometry *g, struct error *err);

/*
 * Fills `g` for a bank of `size` bytes.  `blocks` is SIZE[xCOUNT], and more of
 * them after commas; SIZE may end in K or M; the last COUNT may be left out:
 * the rest.  interleave 0: as few parts as the width allows.  -EINVAL with a
 * sentence.
 */
int geometry_parse(struct geometry *g, uint32_t size, unsigned int width,
		   unsigned int interleave, const char *blocks,
		   struct error *err);

/* Bytes of a part's lane on the bus: 1 (x8) or 2 (x16). */
static inline unsigned int
geometry_lane(const struct geometry *g)
{
	return g->width / g->interleave;
}

uint32_t geometry_blocks(const struct geometry *g);

/* The block that `off`, below the size, lies in; and the block of a number. */
struct geometry_block geometry_block_at(const struct geometry *g, uint32_t off);
struct geometry_block geometry_block_number(const struct geometry *g,
					    uint32_t index);

#endif
