/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations on the files while no store has them open: by an operator, by
 * another tool, and by store functions that need no open store.
 */
#ifndef CRASH_OTHERS_H
#define CRASH_OTHERS_H

#include "script.h"

/*
 * If the journal of an earlier file exists, checks that store_create() refuses,
 * and removes the journal.
 */
bool others_create(struct run *run, uint64_t seed);
bool others_remove_vars(struct run *run);
bool others_remove_journal(struct run *run);
/* Copies VARS, or an image made from `seed`, to a backup file. */
bool others_back_up(struct run *run, uint64_t seed);
/* Writes the backup file over VARS. */
bool others_copy(struct run *run, bool sync);
bool others_accept(struct run *run);

/* store_open() returned `rc`: true if an operation above explains that. */
bool others_explain(const struct run *run, int rc);
/*
 * Does what an operator would do so that the store can be opened. `again`: an
 * earlier attempt did not suffice.
 */
bool others_repair(struct run *run, int rc, uint64_t seed, bool again);

/* VARS is about to be opened as it is: updates the model. */
void others_before_open(struct run *run);

#endif
