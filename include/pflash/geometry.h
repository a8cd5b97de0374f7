/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The geometry of a bank of flash parts: the width of its bus, the number of
 * parts side by side on the bus, and the erase blocks.  docs/chip.md, section
 * 1, has the rules.
 *
 * All offsets and sizes are bytes of the whole bank; each part holds
 * 1/interleave of them.
 */
#ifndef PFLASH_GEOMETRY_H
#define PFLASH_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/error.h"

#define GEOMETRY_MAX_WIDTH 4   /* bytes */
#define GEOMETRY_MAX_PARTS 4   /* side by side */
#define GEOMETRY_MAX_REGIONS 4 /* regions of equal blocks */
#define GEOMETRY_MAX_BLOCKS 4096
#define GEOMETRY_MIN_BLOCK 4096u      /* bytes */
#define GEOMETRY_MAX_BLOCK (1u << 20) /* bytes */

struct geometry_region {
	uint32_t block_size; /* a power of two */
	uint32_t count;      /* blocks, not 0 */
};

struct geometry {
	uint32_t size;      /* the sum of the regions */
	uint8_t width;      /* of the bus in bytes: 1, 2 or 4 */
	uint8_t interleave; /* number of parts: 1, 2 or 4 */
	uint8_t region_count;
	struct geometry_region regions[GEOMETRY_MAX_REGIONS];
};

/* One erase block. */
struct geometry_block {
	uint32_t index; /* blocks count from 0, in order of address */
	uint32_t first; /* offset of its first byte */
	uint32_t size;
};

/*
 * Checks every rule of docs/chip.md, section 1.  -EINVAL if the geometry breaks
 * one, with a sentence that names it.  All other functions need a geometry that
 * has passed.
 */
int geometry_check(const struct geometry *g, struct error *err);

/*
 * Fills `g` for a bank of `size` bytes and checks it with geometry_check().
 * `blocks` is a list of SIZE[xCOUNT], separated by commas; SIZE may end in K or
 * M.  The last region may omit COUNT: it then fills the rest of the bank.
 * `interleave` 0 means the smallest number of parts that the width allows.
 * -EINVAL, with a sentence, if the list or the geometry is invalid.
 */
int geometry_parse(struct geometry *g, uint32_t size, unsigned int width,
		   unsigned int interleave, const char *blocks,
		   struct error *err);

/* True if the number is a power of two; 0 is not. */
static inline bool
geometry_power_of_two(uint32_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

/* The width of one part in bytes: 1 (x8) or 2 (x16). */
static inline unsigned int
geometry_lane(const struct geometry *g)
{
	return g->width / g->interleave;
}

/* The number of erase blocks. */
uint32_t geometry_blocks(const struct geometry *g);

/* The block that contains `off`, which must be below the size. */
struct geometry_block geometry_block_at(const struct geometry *g, uint32_t off);

/* The block with this index, which must be below geometry_blocks(). */
struct geometry_block geometry_block_number(const struct geometry *g,
					    uint32_t index);

#endif
