/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes room in the variable store before the guest runs.  The firmware's
 * reclaim needs hundreds of thousands of trapped writes; this module makes one
 * burst, which is one point of the history.
 */
#ifndef PFLASHD_COMPACT_H
#define PFLASHD_COMPACT_H

#include "pflash/store.h"

/*
 * Compacts the variable store in the image of `config`, and logs the result.
 * 0, also if the variable store cannot be compacted; or the -errno of
 * store_rewrite(), which sets *err.
 */
int compact_store(const struct store_config *config, struct error *err);

#endif
