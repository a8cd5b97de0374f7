/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of an effective view: a table from the keyed hash of a name to the
 * variables of that name.  It is a linear hash table (Litwin 1980): each name
 * added adds one bucket, and moves the names of one other bucket at most.  So
 * the time of an addition does not grow with the table, no step takes long,
 * and the memory in use is proportional to the number of names.
 */
#ifndef FV_NAMES_H
#define FV_NAMES_H

#include <stdbool.h>
#include <stdint.h>

/* No index. */
#define NONE UINT32_MAX

struct name {
	uint64_t hash;
	uint32_t chain;  /* the next name in the bucket, or in the free list */
	uint32_t first;  /* its first variable: an index of struct entry */
	uint32_t winner; /* the effective one of its variables */
	uint32_t change; /* of this update: an index plus 1; 0: none */
};

struct names {
	struct name *names;
	uint32_t *buckets;     /* the first name of each */
	uint32_t bucket_count; /* buckets in use, at least 1 */
	uint32_t half;         /* a power of 2: half <= bucket_count < 2 half */
	uint32_t count;        /* names in the table */
	uint32_t used;         /* names that were ever in use: the first ones */
	uint32_t free;         /* the first free one of these */
	uint64_t probes;       /* names compared by names_get(), for tests */
};

/* Allocates room for `room` names.  False: out of memory. */
bool names_init(struct names *table, uint32_t room);
void names_free(struct names *table);

/* Empties the table. */
void names_clear(struct names *table);

/*
 * The index of the name; if it is not in the table, it is added, without
 * variables.  The caller has checked that there is room.
 */
uint32_t names_get(struct names *table, uint64_t hash);

/* Removes the name.  Its members keep their values until the next addition. */
void names_remove(struct names *table, uint32_t index);

#endif
