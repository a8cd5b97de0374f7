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
	/*
	 * `winner`: the offset of the live variable; `first`: that of another
	 * one that can be live, or NONE.
	 */
	struct names names;
	bool has_table;
};

/*
 * Reads a store, which is borrowed until live_free() and must not change, see
 * live_update().  Without memory for the table the other functions give the
 * same results by walks of the chain.
 */
void live_init(struct live *live, const struct varstore *store);

/* The same, with room for `more` names to come. */
void live_init_room(struct live *live, const struct varstore *store,
		    uint32_t more);
void live_free(struct live *live);

/*
 * The offset of the live variable with vendor GUID and name of `v`, which may
 * belong to another store.  0: no such variable is live.
 */
size_t live_find(struct live *live, const struct variable *v);

/*
 * True if the name can have more variables that are ADDED or IN_TRANSITION than
 * the live one.
 */
bool live_has_others(struct live *live, const struct variable *v);

/*
 * The store has changed: of that name only the variable at `offset` can be
 * live, or none if it is 0.
 */
void live_update(struct live *live, const struct variable *v, size_t offset);

/* varstore_next(), of the store. */
int live_next(struct live *live, struct variable *v);

#endif
