/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The states that a VARS file may have: the images in the order in which their
 * bursts were begun, and which of those bursts were answered. In state 0 the
 * file does not exist. An image is identified by a 128-bit hash that is
 * independent of the store's own checksum.
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include "disk.h"

struct state {
	uint64_t hash[2];
	uint64_t view;     /* what the next boot sees; 0: no variable store */
	uint32_t before;   /* the state that this one was made from */
	uint32_t bursts;   /* since its history began, this one included */
	uint64_t sequence; /* its number in the history; 0: not seen yet */
};

#define MAX_SAVED 512
#define MAX_DAMAGES 64

/* A model shares the states 0 to `shared` of its parent. */
struct model {
	const struct model *parent;
	uint32_t shared;
	struct state *own;
	uint32_t count,
		room;  /* count: states with the parent's; room: of `own` */
	uint32_t done; /* the last committed state */
	struct range may;
	uint64_t saved[MAX_SAVED]; /* seeds of saved states; 0: none is saved */
	uint64_t damage[MAX_DAMAGES]; /* hashes of files that may be kept */
	bool views;                   /* state.view is needed */
	uint8_t *image;               /* the image with all changes begun */
	uint32_t size;
};

void model_begin(struct model *model, uint32_t size);
void model_fork(struct model *model, const struct model *parent,
		const struct range *may);
void model_free(struct model *model);
const struct state *model_state(const struct model *model, uint32_t number);
bool model_is(const struct model *model, uint32_t number, const uint8_t *image);
/* Does the next boot see the same in both?  Not if it sees no store. */
bool model_same_view(const struct model *model, uint32_t a, uint32_t b);
/* The image is now state `number`, made from state `done`. */
void model_set(struct model *model, uint32_t number);
/*
 * The file was opened in state `number`, which counts as answered from now on.
 */
void model_found(struct model *model, uint32_t number);
/*
 * Adds a state with the same image but without history, as a possible result.
 */
void model_begin_history(struct model *model);
/*
 * Something else made the image. With a journal it may follow any of the
 * possible states; without one it follows none.
 */
void model_adopt(struct model *model, bool journal);
/* Returns false if the state already has another sequence number. */
bool model_number(struct model *model, uint32_t number, uint64_t sequence);
void model_found_saved(struct model *model, uint32_t number);

#endif
