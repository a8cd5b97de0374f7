/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A script of operations on a VARS file, and the checks that need no power cut:
 * the result of each call, the image, the saved state and the history.
 */
#ifndef CRASH_SCRIPT_H
#define CRASH_SCRIPT_H

#include "model.h"

#include "pflash/store.h"

enum step_kind {
	STEP_CREATE,
	STEP_OPEN,
	/* The following steps need an open store. */
	STEP_PROGRAM,
	STEP_ERASE,
	STEP_COMMIT,
	STEP_SYNC, /* as after a quiet time */
	STEP_CHECKPOINT,
	STEP_SAVE_STATE,
	STEP_RETAKE, /* release and retake, as for a suspended guest */
	STEP_CLOSE,
	STEP_REPLACE, /* by another complete image */
	STEP_KILL,    /* as STEP_CLOSE, but the process is killed during it */
	STEP_SETTLE,  /* as after a longer quiet time */
	STEP_ATTACK,  /* of a pinned one (pinned.h); `len`: a full burst */
	STEP_SET,     /* of another one */
	/* The following steps need an open store or a closed file. */
	STEP_CLONE,
	STEP_QUEUE, /* changes for the next start */
	/* The following steps need a closed file. */
	STEP_REMOVE_JOURNAL, /* only if VARS is complete */
	STEP_REMOVE_VARS,    /* the journal stays */
	STEP_BACK_UP, /* VARS to the backup file, or image `seed` if not 0 */
	STEP_COPY,    /* the backup file to VARS, in place; `len`: and sync */
	STEP_ACCEPT,
	STEP_MOVE,      /* to the other place */
	STEP_TRAVEL,    /* to the other place, with the guest (travel.h) */
	STEP_USE_CLONE, /* the guest of the clone writes */
	STEP_DAMAGE,    /* VARS; `len`: how (repairs.h) */
	STEP_ROLLBACK,  /* to the newest point, in whatever state VARS is */
	STEP_RESET,     /* to another image, likewise */
	STEP_RESIZE,
	STEP_START, /* applies the queue */
	STEP_EDIT_PINNED,
	STEP_CHANGE_PINNED,
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

/* The last command of an operator in the script; 0: none. */
enum step_kind script_command(const struct script *script);
struct step *script_add(struct script *script, enum step_kind kind);
/* Adds programs and erases, and a commit. */
void script_add_burst(struct script *script, uint64_t *random, uint32_t size,
		      uint32_t longest);

enum first_image {
	FIRST_RANDOM,
	FIRST_BLANK, /* erased */
	FIRST_STORE, /* an empty variable store; `size` is that of a layout */
	FIRST_KEYS,  /* the same with keys, which are pinned */
};

struct setting {
	const char *path; /* of a real, empty file */
	uint32_t size;
	enum store_sync sync;
	uint32_t journal_limit, burst_limit;
	struct store_history history;
	bool whole_history; /* no history may be dropped */
	enum first_image first;
	bool device; /* VARS is a complete device (device.h) */
};

/* Paths besides that of the setting (places.h). */
struct places {
	const char *second, *clone;
	bool beside; /* `second` is in the first directory */
};

/* Makes the first image; `seed` of a random one. */
void setting_image(const struct setting *setting, uint8_t *image,
		   uint64_t seed);

struct run {
	const struct setting *setting;
	const struct places *places;
	struct model *model;
	struct store *store;
	struct pins *pins; /* of the store, with `files`; NULL: none */
	struct files *files;
	bool attacked;         /* the open burst must be refused */
	uint64_t key;          /* decides which checks are done at length */
	unsigned long *opened; /* counts successful opens */
	int failed;            /* errno with which the open store failed */
	bool complete; /* VARS is up to date: the store was closed well */
	bool alike;    /* several states have the image that was found */
	char why[600]; /* the first error found */
};

/* The path of the flash, which depends on its place. */
const char *run_path(const struct run *run);
void run_place(struct run *run, unsigned int place);
/* VARS alone is now durable in state `number`, until it is changed. */
void run_settled(struct run *run, uint32_t number);
/* Returns a state that is possible now and has this image, or 0. */
uint32_t run_find_state(const struct run *run, const uint8_t *image);
/* Checks that the history of this file leads to the state. */
bool run_history(struct run *run, const char *path, uint32_t number);
/* After a power cut: checks the files before anything opens them. */
bool run_check_medium(struct run *run);

/* Checks the result of a call that changes the image and does not commit. */
bool run_changed(struct run *run, int rc, const char *what);

/* Runs the steps; returns false on an error, described in `why`. */
bool run_script(struct run *run, const struct script *script);
/* Ends the process without an orderly close. */
void run_drop(struct run *run);
/* Repairs the disk; closes the store first if it is open. */
bool run_heal(struct run *run);

/* Returns true once a fault was hit: from then on calls may fail. */
bool run_tolerant(void);
/* Records the first error in `why`; returns false. */
bool run_wrong(struct run *run, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void run_fill(uint8_t *to, uint32_t len, uint64_t seed);

#endif
