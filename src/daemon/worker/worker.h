/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker: the process that serves the guest.  It attaches the flash, gives
 * up its privileges (sandbox.h) and answers the guest's accesses.  For the
 * operations that need privileges it sends requests to the supervisor
 * (client.h).
 */
#ifndef PFLASHD_WORKER_H
#define PFLASHD_WORKER_H

#include <stddef.h>
#include <sys/types.h>

#include "channel.h"
#include "guest.h"
#include "options.h"
#include "pflash/files.h"

/*
 * The exit code after CHANNEL_UPGRADE: the flash is still attached.  The other
 * exit codes are those of options.h.
 */
#define WORKER_UPGRADE 100

/* All pointers are borrowed until worker_run() returns. */
struct worker_start {
	const struct options *options;
	const struct guest *guest;    /* NULL: no domain was found, */
	const struct error *no_guest; /* for this reason, */
	int no_guest_code;            /* which is this -errno */
	pid_t supervisor;
	int requests, orders;      /* the channel, see channel.h */
	const struct files *files; /* only their names are used */
	/*
	 * The worker's handover record, HANDOVER_SIZE bytes that outlive the
	 * worker; NULL: there is no room for it, for the reason no_record.
	 */
	void *record;
	const struct error *no_record;
	/* The handover record of the worker before, or NULL. */
	const void *before;
	size_t before_size;
	struct report *report; /* shared with the supervisor */
};

/*
 * Runs the worker in a process of its own.  Returns the exit code; a failure
 * has been logged, except EXIT_BUSY: the supervisor finds the holder's pid.
 */
int worker_run(const struct worker_start *start);

/*
 * Implements --check-handover: could this program take over the attached flash?
 * Reads the domain's handover record in the sandbox.  `guest` is NULL if there
 * is no such domain.  Returns EXIT_OK, or EXIT_DOMAIN after it has printed the
 * reason, one line, on standard error.
 */
int worker_check_handover(const struct options *options,
			  const struct guest *guest);

#endif
