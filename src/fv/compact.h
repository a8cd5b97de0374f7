/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware's reclaim of a variable store, for the compaction and edits. */
#ifndef FV_COMPACT_H
#define FV_COMPACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/fv.h"
#include "pflash/varstore.h"

/*
 * Writes the variables of a store to the same place of `image`, another image
 * of the same size, as Reclaim() leaves them; the bytes behind them are erased,
 * the rest of the image does not change.  The variables with the vendor GUID
 * and name of `except` are left out; it may be NULL.  Returns the offset behind
 * the last variable.  0: the chain of variables cannot be read.
 */
size_t compact_variables(const struct varstore *from,
			 const struct variable *except, uint8_t *image);

/*
 * False if compaction would remove bytes that can be variables, or if OVMF's
 * choice between two variables could change.  The firmware handles such a store
 * itself.
 */
bool compact_is_safe(const struct fv_report *report);

#endif
