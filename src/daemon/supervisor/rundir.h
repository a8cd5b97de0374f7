/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files in PFLASH_RUN_DIR, which are the supervisor's: it makes them, with
 * a size that nobody else can change, and the worker gets memory, not
 * descriptors.
 *
 *	ID.lock      locked while a supervisor serves domain ID; its byte is 1
 *	             while the flash has paused the domain for a moment
 *	ID.handover  the record that outlives a worker (pflash/handover.h)
 *	ID.sock      control.h
 *	DEV-INO.limit  what is left of the write limit of the VARS file with
 *	             these numbers; not there if that is all of it
 */
#ifndef PFLASHD_RUNDIR_H
#define PFLASHD_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limit.h"
#include "pflash/error.h"

#define RUNDIR_PATH 64 /* room for a path */

struct rundir {
	uint32_t id;
	int lock;     /* -1: not locked */
	bool existed; /* a record was there when it was locked */
	void *record; /* HANDOVER_SIZE bytes for the worker to fill, or NULL */
	void *before; /* what an earlier worker has left, read-only, or NULL */
	size_t before_size;
};

/* PFLASH_RUN_DIR/ID.suffix */
void rundir_path(uint32_t id, const char *suffix, char *path);

/*
 * Locks the domain, within `wait` seconds; `inherited` is the descriptor of an
 * earlier program of this process, or -1.  -EBUSY: another pflashd has it.
 */
int rundir_open(struct rundir *rundir, uint32_t id, int inherited,
		uint64_t wait, struct error *err);

/*
 * Frees, and removes the lock.  `over`: the guest has no flash any more, and
 * the record is removed, too; else a lock that notes a pause stays for the next
 * pflashd.
 */
void rundir_close(struct rundir *rundir, bool over);

/*
 * Memory for the next worker's record, and that of the one before.  Without
 * room for it rundir->record is NULL, with the reason in `why`: the flash will
 * not outlive the worker then.  -errno: the record cannot be read.
 */
int rundir_prepare(struct rundir *rundir, struct error *why);

/* The worker has filled its record: it gets the name. */
int rundir_install(struct rundir *rundir);

/* No record is installed any more. */
void rundir_forget(const struct rundir *rundir);

/* Has this flash paused the domain for a moment?  The lock file notes it. */
bool rundir_paused(const struct rundir *rundir);
int rundir_set_paused(struct rundir *rundir, bool paused);

/* The write limit of this VARS file: what is left of it, if that is known. */
bool rundir_load_level(const char *vars, struct limit_level *level);
void rundir_save_level(const char *vars, const struct limit_level *level,
		       bool full);

#endif
