/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done to the files while no store has them open: by an operator, by
 * another tool, and by the functions that need no open store.
 */
#ifndef CRASH_OTHERS_H
#define CRASH_OTHERS_H

#include "script.h"

/* With the journal of an earlier file there, it must be removed before. */
bool others_create(struct run *run, uint64_t seed);
bool others_remove_vars(struct run *run);
bool others_remove_journal(struct run *run);
/* VARS, or what the seed makes, goes to another file that survives. */
bool others_back_up(struct run *run, uint64_t seed);
/* That file is written into VARS. */
bool others_copy(struct run *run, bool sync);
bool others_accept(struct run *run);

/* store_open() said `rc`.  May it, because of what others have done? */
bool others_excuse(const struct run *run, int rc);
/* What the operator then does, so that it can be opened; perhaps `again`. */
bool others_mend(struct run *run, int rc, uint64_t seed, bool again);

/* VARS is about to be opened as it lies there. */
void others_look(struct run *run);

#endif
