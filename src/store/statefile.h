/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FILE.state, the saved state (docs/format.md, section "The state file").
 * Private to src/store.  Only the process that has the lock on VARS may write
 * or remove the file.
 *
 * Errors: 0, or -errno with a sentence that begins with the path of the file.
 */
#ifndef STORE_STATEFILE_H
#define STORE_STATEFILE_H

#include "vars.h"

#include "pflash/store.h"

/* Replaces the whole file, atomically; it is durable on return. */
int statefile_write(const struct vars *vars, const struct store_state *state,
		    struct error *err);

/* Removes the file, durably.  0 also if there is none. */
int statefile_remove(const struct vars *vars, struct error *err);

/* Sets state->len to 0 if there is no file.  -EUCLEAN: the file is damaged. */
int statefile_read(const struct vars *vars, struct store_state *state,
		   struct error *err);

/*
 * Computes the CRC32C of the file's contents, to find out later whether the
 * file has changed.  Errors as for statefile_read().
 */
int statefile_checksum(const struct vars *vars, uint32_t *sum,
		       struct error *err);

#endif
