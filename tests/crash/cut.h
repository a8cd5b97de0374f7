/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Builds a disk as it may be after a power cut: all synced changes, and a
 * choice of the changes that were not synced. A file system may write data,
 * sizes and names in any order until it is told to sync them. The write of one
 * sector either happens, or does not, or leaves garbage in the bytes that it
 * would have changed. It never alters bytes outside its range, nor bytes that
 * it would have written with their old value.
 */
#ifndef CRASH_CUT_H
#define CRASH_CUT_H

#include "disk.h"

#define SECTOR 512u

struct cut {
	const struct log *log;
	struct disk durable;
	size_t *pending; /* ops that are not synced, in order, by number */
	size_t count, room;
	size_t at;     /* the op during which the power is cut */
	bool underway; /* op `at` is the last pending one */
	bool hard;     /* garbage also in bytes that keep their value */
};

enum choice_kind {
	CHOICE_ALL = 'a',
	CHOICE_NONE = 'n',
	CHOICE_PREFIX = 'p', /* `a` ops, and `b` sectors of the next one */
	CHOICE_GROWN = 'g', /* names and sizes, no data: `a` chooses the fill */
	CHOICE_MASK = 'm',  /* the units whose bits are set in `a` */
	CHOICE_RANDOM = 'r', /* drawn from the seed `a` */
};

struct choice {
	enum choice_kind kind;
	uint32_t a, b;
};

void cut_begin(struct cut *cut, const struct disk *base, const struct log *log);
/* Moves on to the next op; returns false after the last one. */
bool cut_next(struct cut *cut);
void cut_free(struct cut *cut);

/*
 * The number of units, each of which may be lost alone: a sector, a truncation
 * or a directory operation.
 */
uint32_t cut_units(const struct cut *cut);
/* The number of sectors of a pending op; 1 for an op that is not a write. */
uint32_t cut_sectors(const struct cut *cut, size_t pending);

void cut_build(const struct cut *cut, struct choice choice, struct disk *out);

#endif
