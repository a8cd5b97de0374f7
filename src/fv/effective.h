/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of an effective view.  It has one entry for each variable of the
 * chain, in the order of the store, whatever its state.  Variables that can be
 * effective, because they are ADDED or IN_TRANSITION, are also in the list of
 * their name.  All other variables are not hashed.
 */
#ifndef FV_EFFECTIVE_H
#define FV_EFFECTIVE_H

#include "names.h"

#include "pflash/effective.h"
#include "pflash/fv.h"

/* A variable of the chain. */
struct entry {
	uint32_t offset : 24; /* of its header */
	uint32_t state : 8;
	uint32_t name;       /* NONE: it cannot be effective */
	uint32_t prev, next; /* variables of this name, in no order */
	uint64_t value;      /* the keyed hash of name and value */
};

/* `offset` has room for the offsets in an image of this size. */
#define VIEW_MAX_SIZE (UINT32_C(1) << 24)

/* A name that the update concerns, with its effective variable before. */
struct change {
	uint32_t name;
	uint32_t offset; /* of the effective variable; NONE: there was none */
	uint64_t value;  /* its hash; 0: there was none */
};

/* The written bytes [start, end). */
struct range {
	uint32_t start, end;
};

/* More ranges than firmware writes in a burst; a guest may write more. */
#define VIEW_RANGES 32

/* The store that the view reads; `store.image` is NULL between the calls. */
struct source {
	struct varstore store;
	bool opened; /* false: there is none */
	bool full;   /* it has more variables than the view has room for */
	/* Offset of the end of the chain, or of the break. */
	size_t tail;
	bool broken; /* the chain ends in a break */
};

struct effective {
	uint32_t size; /* of the image */
	uint32_t room; /* the number of entries that fit */
	uint64_t key[2];
	const struct fv_layout *layout; /* NULL: unknown */
	struct source source;
	struct source before; /* of the parse or update before the last one */
	struct entry *entries;
	uint32_t count;
	struct names names;
	struct change *changes; /* after an update: the names that changed */
	uint32_t change_count;
	struct range ranges[VIEW_RANGES]; /* written since the last update */
	uint32_t range_count;
	bool has_work_block;    /* the working block is valid */
	bool has_foreign_write; /* a write of something else is pending */
	uint64_t header;        /* the hash of both headers */
	uint64_t sum; /* of the values of all effective variables, mod 2^64 */
	uint64_t generation;
	struct effective_work work;
};

/* The offset of the volume of the open store. */
size_t view_base(const struct effective *view);

/*
 * Decodes the variable at `offset` of a store.  False: there is no whole
 * variable.
 */
bool view_decode(const struct source *source, const uint8_t *image,
		 size_t offset, struct variable *variable);

/* The offset behind an entry's variable. */
size_t view_entry_end(const struct effective *view, uint32_t index);

/* The keyed hashes. */
uint64_t view_hash_header(struct effective *view, const uint8_t *image);
uint64_t view_hash_name(struct effective *view, const struct variable *v);
uint64_t view_hash_value(struct effective *view, uint64_t name,
			 const struct variable *v);

/* The effective one of the variables of a name; NONE: it has no variables. */
uint32_t view_choose(struct effective *view, const struct name *name);

/* Adds a variable at the end of the chain. */
void view_append(struct effective *view, const struct variable *v);

/* Removes the variables from `index` on. */
void view_truncate(struct effective *view, uint32_t index);

/*
 * Takes over the new state of a variable, whose size is unchanged.  If it was
 * `rewritten`, name and value may differ, too.
 */
void view_replace(struct effective *view, uint32_t index,
		  const struct variable *v, bool rewritten);

/* Ends an update: chooses the effective variable of each name concerned. */
void view_settle(struct effective *view);

#endif
