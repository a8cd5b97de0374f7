/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The live variables of a store, found by two walks of the chain, where
 * varstore_next() takes one walk for each variable.  The table of names has a
 * random key, as that of the effective view: the time does not depend on the
 * names, which the guest chooses.
 */
#ifndef FV_LIVE_H
#define FV_LIVE_H

#include "names.h"

#include "pflash/varstore.h"

struct live {
	const struct varstore *store;
	uint64_t key[2];
	struct names names; /* `winner`: the offset of the live variable */
	bool has_table;
};

/*
 * Reads a store, which is borrowed until live_free() and must not change.
 * Without memory for the table the other functions give the same results by
 * walks of the chain.
 */
void live_init(struct live *live, const struct varstore *store);
void live_free(struct live *live);

/*
 * The offset of the live variable with vendor GUID and name of `v`, which may
 * belong to another store.  0: no such variable is live.
 */
size_t live_find(struct live *live, const struct variable *v);

/* varstore_next(), of the store. */
int live_next(struct live *live, struct variable *v);

#endif
