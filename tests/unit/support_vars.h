/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of what is inside of a VARS image: images with variables in
 * them, in memory of exactly their size, and fault-tolerant writes.
 */
#ifndef SUPPORT_VARS_H
#define SUPPORT_VARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/fv.h"

struct vars {
	const struct fv_layout *layout; /* NULL: made by vars_make_other() */
	uint8_t *image;
	size_t size;
	size_t at; /* where the next variable goes */
	bool plain;
};

/* What tests name variables of: two vendors, EfiGlobalVariable and another. */
extern const uint8_t vendor_global[16];
extern const uint8_t vendor_other[16];

/* An empty store of that layout, or of `blocks` with `store` bytes for it. */
struct vars vars_make(const char *layout);
struct vars vars_make_other(uint32_t blocks, uint32_t store);
struct vars vars_copy(const struct vars *vars);
void vars_free(struct vars *vars);

/* The store has the shorter headers from now on; it must be empty. */
void vars_make_plain(struct vars *vars);

/* Adds one; returns the offset of its header.  `name` is ASCII. */
size_t vars_add(struct vars *vars, uint8_t state, const uint8_t *vendor,
		const char *name, const char *data);

/* The same with any name, and with any header fields set afterwards. */
size_t vars_add_raw(struct vars *vars, uint8_t state, const uint8_t *vendor,
		    const void *name, uint32_t name_size, const void *data,
		    uint32_t data_size);

/* Makes the sum of the volume header at an offset 0. */
void vars_fix_sum(struct vars *vars, size_t off);

/*
 * Writes a write of `count` records and `private` bytes with each into the
 * working block, at `off` of the queue; flags are active low.  Returns the end.
 */
size_t vars_ftw_write(struct vars *vars, size_t off, uint8_t flags,
		      uint64_t count, uint64_t private);

/* A record of it: the variable store, or something else if `lba` is not 0. */
void vars_ftw_record(struct vars *vars, size_t off, uint8_t flags,
		     uint64_t lba);

/* Copies the store into the spare area, as a write does before it is one. */
void vars_fill_spare(struct vars *vars);

#endif
