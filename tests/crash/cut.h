/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is on the medium when the power is cut: what was synced, and a choice
 * of what was not.  A file system may write data, sizes and names in any order
 * until it is told to sync them.  Within one sector a write is done wholly, or
 * not, or leaves garbage in the bytes it was to change; it leaves alone those
 * outside its range and those that it was to write as they are.
 */
#ifndef CRASH_CUT_H
#define CRASH_CUT_H

#include "disk.h"

#define SECTOR 512u

struct cut {
	const struct log *log;
	struct disk durable;
	size_t *pending; /* numbers of ops that are not synced, in order */
	size_t count, room;
	size_t at;     /* the op during which the power is cut */
	bool underway; /* it is the last of the pending ones */
	bool hard;     /* garbage wherever a sector is written */
};

enum choice_kind {
	CHOICE_ALL = 'a',
	CHOICE_NONE = 'n',
	CHOICE_PREFIX = 'p', /* `a` ops and `b` sectors of the next */
	CHOICE_GROWN = 'g', /* names and sizes, no data: `a` is what is there */
	CHOICE_MASK = 'm',  /* the units of the bits in `a` */
	CHOICE_RANDOM = 'r', /* from the seed `a` */
};

struct choice {
	enum choice_kind kind;
	uint32_t a, b;
};

void cut_begin(struct cut *cut, const struct disk *base, const struct log *log);
/* Moves on to the next op; false behind the last one. */
bool cut_next(struct cut *cut);
void cut_free(struct cut *cut);

/* Sectors, truncations and directory operations that may be there or not. */
uint32_t cut_units(const struct cut *cut);
/* Sectors of a pending op; 1 for one that is no write. */
uint32_t cut_sectors(const struct cut *cut, size_t pending);

void cut_build(const struct cut *cut, struct choice choice, struct disk *out);

#endif
