/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FILE.state: what a flash keeps beside its array (docs/format.md).  Replaced
 * as a whole, atomically and durably, by whoever holds the lock on VARS.
 */
#ifndef STORE_STATEFILE_H
#define STORE_STATEFILE_H

#include "vars.h"

#include "pflash/store.h"

int statefile_write(const struct vars *vars, const struct store_state *state,
		    struct error *err);
int statefile_remove(const struct vars *vars, struct error *err);
int statefile_read(const struct vars *vars, struct store_state *state,
		   struct error *err);

/* Tells whether it is another one than it was. */
int statefile_checksum(const struct vars *vars, uint32_t *sum,
		       struct error *err);

#endif
