/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VARS file may hold: the images in the order in which bursts were
 * begun, and which of them were answered.  State 0 is that there is no file.
 * Images are known by a hash of 128 bits that is not the store's own checksum.
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include "disk.h"

struct state {
	uint64_t hash[2];
	uint32_t before;   /* the state it was made from */
	uint32_t bursts;   /* since its history began, counting that */
	uint64_t sequence; /* its number in the history; 0: not seen yet */
};

#define MAX_KEPT 512

/* Begins with the states 0 to `shared` of its parent. */
struct model {
	const struct model *parent;
	uint32_t shared;
	struct state *own;
	uint32_t count, room; /* of states, the parent's included; of its own */
	uint32_t done;        /* the last one that was committed */
	struct range may;
	uint64_t kept[MAX_KEPT]; /* seeds; 0: nothing is kept */
	uint8_t *image;          /* with all that was begun */
	uint32_t size;
};

void model_begin(struct model *model, uint32_t size);
void model_fork(struct model *model, const struct model *parent,
		const struct range *may);
void model_free(struct model *model);
const struct state *model_state(const struct model *model, uint32_t number);
bool model_is(const struct model *model, uint32_t number, const uint8_t *image);
/* The image is now state number `number`, which follows the last done one. */
void model_set(struct model *model, uint32_t number);
/* The file was opened and had this state: it counts as answered. */
void model_found(struct model *model, uint32_t number);
/* A state that looks the same, but has no history: it may be there instead. */
void model_begin_history(struct model *model);
/* The image was made by something else: it may follow each of those that may
 * be there, or, with no journal, none. */
void model_adopt(struct model *model, bool journal);
/* false: it had another number. */
bool model_number(struct model *model, uint32_t number, uint64_t sequence);
void model_found_kept(struct model *model, uint32_t number);

#endif
