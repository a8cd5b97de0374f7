/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests that read VARS images: images with variables, in allocations of
 * exactly their size, and fault-tolerant writes (FTW).
 */
#ifndef SUPPORT_VARS_H
#define SUPPORT_VARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/fv.h"

struct vars {
	const struct fv_layout *layout; /* NULL if made by vars_make_other() */
	uint8_t *image;
	size_t size;
	size_t at; /* the offset of the next variable */
	bool plain;
};

/* The two vendor GUIDs of the tests: EfiGlobalVariable and another one. */
extern const uint8_t vendor_global[16];
extern const uint8_t vendor_other[16];

/*
 * Makes an empty store of a known layout, or one of `blocks` blocks and `store`
 * bytes for the variables.
 */
struct vars vars_make(const char *layout);
struct vars vars_make_other(uint32_t blocks, uint32_t store);
struct vars vars_copy(const struct vars *vars);
void vars_free(struct vars *vars);

/* Gives the store the shorter variable headers; it must be empty. */
void vars_make_plain(struct vars *vars);

/* Adds a variable with an ASCII name; returns the offset of its header. */
size_t vars_add(struct vars *vars, uint8_t state, const uint8_t *vendor,
		const char *name, const char *data);

/* The same with any bytes as name; the caller may change header fields. */
size_t vars_add_raw(struct vars *vars, uint8_t state, const uint8_t *vendor,
		    const void *name, uint32_t name_size, const void *data,
		    uint32_t data_size);

/* Corrects the checksum of the volume header at `off`. */
void vars_fix_sum(struct vars *vars, size_t off);

/*
 * Puts an FTW write header with `count` records, and `private` bytes for each,
 * at offset `off` of the queue in the working block. Flags are active low.
 * Returns the offset of its end.
 */
size_t vars_ftw_write(struct vars *vars, size_t off, uint8_t flags,
		      uint64_t count, uint64_t private);

/*
 * Puts a record of such a write: for the variable store, or for something else
 * if `lba` is not 0.
 */
void vars_ftw_record(struct vars *vars, size_t off, uint8_t flags,
		     uint64_t lba);

/* Copies the store into the spare area, as a write of the store does first. */
void vars_fill_spare(struct vars *vars);

#endif
