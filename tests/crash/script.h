/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done with a VARS file, step by step, and the checks that need no
 * power cut: each call's result, the image, what is kept, and the history.
 */
#ifndef CRASH_SCRIPT_H
#define CRASH_SCRIPT_H

#include "model.h"

#include "pflash/store.h"

enum step_kind {
	STEP_CREATE,
	STEP_OPEN,
	STEP_PROGRAM,
	STEP_ERASE,
	STEP_COMMIT,
	STEP_CHECKPOINT,
	STEP_KEEP,
	STEP_CLOSE,
	STEP_REMOVE_JOURNAL, /* of a closed file: its VARS is complete */
};

struct step {
	enum step_kind kind;
	uint32_t off, len;
	uint64_t seed; /* of the bytes, if data is NULL */
	const uint8_t *data;
};

struct script {
	struct step *step;
	size_t steps, room;
};

struct step *script_add(struct script *script, enum step_kind kind);
/* Programs and erases, and a commit. */
void script_add_burst(struct script *script, uint64_t *random, uint32_t size,
		      uint32_t longest);

struct setting {
	const char *path; /* of a real, empty file */
	uint32_t size;
	enum store_sync sync;
	uint32_t journal_limit, burst_limit;
	struct store_history history;
	bool whole_history; /* nothing of it may be dropped */
	bool blank;         /* the first image */
};

struct run {
	const struct setting *setting;
	struct model *model;
	struct store *store;
	uint64_t key;          /* decides what is checked at length */
	unsigned long *opened; /* counts successful opens */
	int failed;            /* what the open store failed with */
	char why[600];         /* the first thing that is wrong */
};

/* Does the steps; false if something is wrong, which `why` says. */
bool run_script(struct run *run, const struct script *script);
/* The process ends: nothing is closed in an orderly way. */
void run_drop(struct run *run);
/* The disk is healthy again; the store is closed first if it is open. */
bool run_heal(struct run *run);

#endif
