/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Room in the variable store, made before the guest runs: what its firmware
 * would reclaim by hundreds of thousands of trapped writes is one burst here,
 * and a point of the history like any other.
 */
#ifndef PFLASHD_COMPACT_H
#define PFLASHD_COMPACT_H

#include "pflash/store.h"

/*
 * Opens and closes the store of `config`.  What keeps it from being compacted
 * is no error; the -errno of store_open(), or of a change that was not kept.
 */
int compact_store(const struct store_config *config, struct error *err);

#endif
