/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cuts the power everywhere in what was logged, recovers, and again in what
 * was logged during the recovery.
 */
#ifndef CRASH_EXPLORE_H
#define CRASH_EXPLORE_H

#include "cut.h"
#include "script.h"

#define MAX_DEPTH 3

/* How many choices there are at each call. */
struct plan {
	uint32_t mask_units; /* all subsets of that many units */
	uint32_t prefixes;   /* of the pending ops and the last one's sectors */
	uint32_t randoms;
	uint32_t nested;  /* recoveries that are cut, one in so many; 0: none */
	uint32_t nested2; /* and recoveries from these */
	size_t stride;    /* looks at every so many calls; 0: all */
};

/* One cut: during which op of the log, and what was on the medium then. */
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
	struct plan plan;
	struct level level[MAX_DEPTH + 1];
	struct place place[MAX_DEPTH + 1];
	unsigned int depth;         /* of the cut that is looked at */
	const struct place *forced; /* only this way, `depth` long */
	unsigned int forced_depth;
	unsigned long cuts, opened;
	char why[600];
	void (*progress)(struct explorer *);
	bool expired; /* set it to end without a failure */
};

/* level[0] has base, log and model; cuts from op `first` on. */
bool explore(struct explorer *explorer, uint64_t key, size_t first);
void explorer_free(struct explorer *explorer);

/* "AT:CHOICE[+]/..." of the cut that is looked at. */
void place_print(const struct explorer *explorer, char *to, size_t size);
/* The number of places, or 0 if it is no such text. */
unsigned int place_parse(const char *text, struct place *place);

/* Opens it, may write on, close and open again. */
bool explore_recovery(struct explorer *explorer, struct model *model,
		      uint64_t key, bool whole);

#endif
