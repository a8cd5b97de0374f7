/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files in PFLASH_RUN_DIR.  They belong to the supervisor.  The worker gets
 * mapped memory instead of descriptors, so it cannot change a file's size.
 *
 *	ID.lock      locked with flock(2) while a supervisor serves domain ID.
 *	             Its one byte is 1 during a pause that the flash must undo
 *	ID.handover  the handover record of the last worker
 *	             (pflash/handover.h); ID.handover.new: not installed yet
 *	ID.sock      the control socket (control.h)
 *	DEV-INO.limit  the level of the write limit of the VARS file with these
 *	             device and inode numbers; missing: the bucket is full
 */
#ifndef PFLASHD_RUNDIR_H
#define PFLASHD_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limit.h"
#include "pflash/error.h"

/* Bytes that are enough for the path of any of these files. */
#define RUNDIR_PATH 64

struct rundir {
	uint32_t id;     /* of the domain */
	int lock;        /* descriptor; negative: not locked */
	bool had_record; /* ID.handover existed at rundir_open() */
	/* HANDOVER_SIZE bytes for the worker to fill, or NULL: no room. */
	void *record;
	/* The record of the worker before, mapped read-only, or NULL. */
	void *old_record;
	size_t old_record_size;
};

/* Writes PFLASH_RUN_DIR/ID.suffix to `path`, RUNDIR_PATH bytes. */
void rundir_path(uint32_t id, const char *suffix, char *path);

/*
 * Locks the domain; waits for at most `wait` seconds.  `inherited` is the
 * descriptor of the lock if the program before an upgrade has left one, else
 * -1.  0; or -errno and sets *err; -EBUSY: another pflashd serves the domain.
 */
int rundir_open(struct rundir *rundir, uint32_t id, int inherited,
		uint64_t wait, struct error *err);

/*
 * Unmaps the records and releases the lock.  If `flash_gone`, the guest has no
 * flash any more: also removes the handover record.  Otherwise a lock file that
 * records a pause stays for the next pflashd.
 */
void rundir_close(struct rundir *rundir, bool flash_gone);

/*
 * Maps the records for the next worker: an empty one, and the installed one of
 * the worker before.  0, also if /run has no room for a new record: then
 * rundir->record is NULL, *why has the reason, and the flash does not survive
 * this worker.  -errno and sets *why: the old record cannot be read.
 */
int rundir_prepare(struct rundir *rundir, struct error *why);

/*
 * The worker has filled its record: renames ID.handover.new to ID.handover.
 * 0 or -errno.
 */
int rundir_install(struct rundir *rundir);

/* Removes the installed record. */
void rundir_remove_record(const struct rundir *rundir);

/*
 * Does the lock file record a pause that the flash must undo?  The record
 * outlives the supervisor.
 */
bool rundir_paused(const struct rundir *rundir);

/* Records a pause or its end.  0, or -EIO: nothing was written. */
int rundir_set_paused(struct rundir *rundir, bool paused);

/*
 * Reads the saved level of the write limit of this VARS file.  Returns false
 * if there is none; level->when is unchanged then.  limit_resume() checks the
 * numbers.
 */
bool rundir_load_level(const char *vars, struct limit_level *level);

/* Saves it for the next pflashd, or removes the file if the bucket is full. */
void rundir_save_level(const char *vars, const struct limit_level *level,
		       bool full);

#endif
