/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same process with a new program: it executes the file that it was
 * started from, which may be another one by now, and that goes on with the
 * guest as it goes on after a crash.
 */
#ifndef PFLASHD_UPGRADE_H
#define PFLASHD_UPGRADE_H

#include <stdbool.h>

#include "pflash/error.h"

/* At the start of main(); `argv` stays the caller's. */
void upgrade_remember(char **argv);

/* Did an older program execute this one?  The answer is given once. */
bool upgrade_was_one(void);

/* Returns only if it failed: -errno with its sentence. */
int upgrade_execute(struct error *err);

#endif
