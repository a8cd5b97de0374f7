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
	/* These are for an open store. */
	STEP_PROGRAM,
	STEP_ERASE,
	STEP_COMMIT,
	STEP_CHECKPOINT,
	STEP_KEEP,
	STEP_PASS, /* let go of, as for a suspended guest, and taken again */
	STEP_CLOSE,
	STEP_REPLACE, /* by another whole image */
	STEP_KILL,    /* as STEP_CLOSE, but the process is killed meanwhile */
	/* These are for a file that is closed. */
	STEP_REMOVE_JOURNAL, /* its VARS is complete */
	STEP_REMOVE_VARS,    /* the journal stays */
	STEP_BACK_UP, /* VARS, to another file; `seed`: not it, but that */
	STEP_COPY,    /* that file to VARS, in place; `len`: and sync */
	STEP_ACCEPT,
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
	bool complete;         /* VARS, as the store was closed well */
	bool alike;            /* several states look like what is there */
	char why[600];         /* the first thing that is wrong */
};

/* Does the steps; false if something is wrong, which `why` says. */
bool run_script(struct run *run, const struct script *script);
/* The process ends: nothing is closed in an orderly way. */
void run_drop(struct run *run);
/* The disk is healthy again; the store is closed first if it is open. */
bool run_heal(struct run *run);

/* Nothing may fail until a fault was hit. */
bool run_tolerant(void);
/* Notes it, if it is the first; false. */
bool run_wrong(struct run *run, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void run_fill(uint8_t *to, uint32_t len, uint64_t seed);

#endif
