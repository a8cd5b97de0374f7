/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flash moves between two places, and a clone of it is made.  Both places
 * are given by the setting; range.move says where the flash is or may be.
 */
#ifndef CRASH_PLACES_H
#define CRASH_PLACES_H

#include "script.h"

/* The path of a place, 0 or 1. */
const char *places_path(const struct run *run, unsigned int place);
/* The result of a reader there, and the state of its image in *number. */
int places_look(const struct run *run, unsigned int place, uint32_t *number,
		struct error *err);

/* Makes the real files agree with the disk: files_local() looks at them. */
void places_mirror(const struct run *run);

/*
 * Moves the flash to the other place, or repeats the move that was begun.  The
 * place that it has left must be empty then.
 */
bool places_move(struct run *run);

/*
 * If a move was begun: checks that the flash is usable at no more than one
 * place, and that each place that refuses names the other.  Then does what an
 * operator may do: the same move again, or uses the flash where it is usable.
 * *ready is false if there is nothing to open, after a fault.
 */
bool places_settle(struct run *run, bool *ready);

/* Clones the flash, which may be open; if there is a clone, that must fail. */
bool places_clone(struct run *run);
/* The guest of the clone writes: the flash must not change. */
bool places_use_clone(struct run *run, uint64_t seed);

/* After a power cut: the clone is as it was, or whole, or missing. */
bool places_check(struct run *run);

#endif
