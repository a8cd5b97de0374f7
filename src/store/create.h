/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to src/store. */
#ifndef STORE_CREATE_H
#define STORE_CREATE_H

#include "vars.h"

/*
 * 0: none of the three names exists.  -EEXIST: VARS exists.  -EUCLEAN: the
 * journal or the state of an earlier VARS file exists.  -EREMCHG: the note of a
 * move is in the place of the journal.
 */
int create_check_free(const struct vars *vars, struct error *err);

#endif
