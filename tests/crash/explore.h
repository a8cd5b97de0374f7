/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cuts the power at every logged op, recovers, and then cuts the power again at
 * every op of the recovery.
 */
#ifndef CRASH_EXPLORE_H
#define CRASH_EXPLORE_H

#include "cut.h"
#include "script.h"

#define MAX_DEPTH 3

/* How many choices are tried at each op. */
struct plan {
	uint32_t mask_units; /* up to so many units: try all subsets */
	uint32_t prefixes;   /* of the pending ops and the last one's sectors */
	uint32_t randoms;
	uint32_t nested;  /* cut one in so many recoveries; 0: none */
	uint32_t nested2; /* the same for recoveries of those */
	size_t stride;    /* cut at one in so many ops; 0: at all */
};

/*
 * One cut: the op during which it happens, and the choice of unsynced changes.
 */
struct place {
	size_t at;
	struct choice choice;
	bool deeper; /* the recovery is cut as well */
};

/* The state before a cut at one depth. */
struct level {
	struct disk base, live;
	struct log log;
	struct model model;
	struct cut cut;
};

struct explorer {
	const struct setting *setting;
	const struct places *places;
	enum step_kind again; /* done again after a power cut; 0: nothing */
	struct plan plan;
	struct level level[MAX_DEPTH + 1];
	struct place place[MAX_DEPTH + 1];
	unsigned int depth; /* of the current cut */
	const struct place
		*forced; /* NULL, or the only cuts to make, one per depth */
	unsigned int forced_depth;
	unsigned long cuts, opened;
	char why[600];
	void (*progress)(struct explorer *);
	bool expired; /* set by progress() to end early without a failure */
};

/* Cuts from op `first` on. The caller fills base, log and model of level[0]. */
bool explore(struct explorer *explorer, uint64_t key, size_t first);
void explorer_free(struct explorer *explorer);

/* Prints the current cut as "AT:CHOICE[+]/...". */
void place_print(const struct explorer *explorer, char *to, size_t size);
/* Parses such a text; returns the number of places, 0 if it is malformed. */
unsigned int place_parse(const char *text, struct place *place);

/* Opens the store and checks it; may also write, close and open it again. */
bool explore_recovery(struct explorer *explorer, struct model *model,
		      uint64_t key, bool whole);

#endif
