/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VARS is damaged or lost and an operator restores it from its journal, or
 * replaces it; and VARS is replaced by a file of another size.
 */
#ifndef CRASH_REPAIRS_H
#define CRASH_REPAIRS_H

#include "script.h"

enum damage {
	DAMAGE_GONE,
	DAMAGE_CUT,
	DAMAGE_EMPTY,
	DAMAGE_ZEROED,
	DAMAGE_GARBAGE,
	DAMAGES,
};

/* Something damages VARS and syncs it.  A file without a journal is spared. */
bool repairs_damage(struct run *run, enum damage damage, uint64_t seed);

/*
 * Restores the newest point of the history, as pflashctl rollback does, or with
 * `reset` replaces it by an image made from `seed`, as create --reset does.
 */
bool repairs_rescue(struct run *run, uint64_t seed, bool reset);

/* Replaces VARS by a new file, as pflashctl convert does. */
bool repairs_resize(struct run *run, uint64_t seed);

/*
 * VARS is about to be opened: if its damage is only where the journal has
 * everything, the store repairs it, and no file has to be kept.
 */
void repairs_before_open(struct run *run);

/*
 * After a power cut: VARS alone is what the model says, and nothing that had to
 * be kept is lost.
 */
bool repairs_check(struct run *run);

#endif
