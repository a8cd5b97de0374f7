/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes room in the variable store before the guest runs.  The firmware would
 * need hundreds of thousands of trapped writes for it; here it is one burst,
 * which is a point of the history.
 */
#ifndef PFLASHD_COMPACT_H
#define PFLASHD_COMPACT_H

#include "pflash/store.h"

/*
 * Compacts the variable store of `config`, and logs the result.  0 also if it
 * cannot be compacted; the -errno of store_rewrite().
 */
int compact_store(const struct store_config *config, struct error *err);

#endif
