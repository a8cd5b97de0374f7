/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor: the process that keeps root's privileges.  Its child, the
 * worker (worker/worker.h), serves the guest.  The supervisor reads no byte
 * that a guest has written.  It owns the names of all files, watches the
 * domain, executes the worker's requests (broker.h), replaces a worker that
 * dies, and stops the worker when the domain ends.  It treats the worker as
 * hostile and never blocks on it.
 *
 *	STARTING  a worker attaches the flash, or takes it over
 *	RUNNING   the worker serves the guest
 *	WAITING   the worker has died; the next one starts after a delay
 *	FAILED    workers died too often; the guest waits for an administrator
 *	STOPPING  the worker was ordered to detach; it is killed if it is late
 *	ENDED     the worker has exited; the supervisor exits
 */
#ifndef PFLASHD_SUPERVISOR_H
#define PFLASHD_SUPERVISOR_H

#include "options.h"
#include "supervisor/domain.h"

/* How long a worker may take to detach, in seconds; tests shorten it. */
extern double supervisor_stop_seconds;

struct supervisor_start {
	const struct options *options;
	struct domain *domain;  /* borrowed; NULL: none was found, */
	struct error no_domain; /* for this reason, */
	int no_domain_code;     /* which is this -errno */
	int parent; /* for ready_leave_parent(); -1: in the foreground */
	int lock;   /* the lock's descriptor after an upgrade, or -1 */
	int lease;  /* the lease's connection after an upgrade, or -1 */
};

/*
 * Serves the guest until its domain ends, a signal stops pflashd, or the first
 * worker fails.  Returns the exit code of pflashd.
 */
int supervisor_run(const struct supervisor_start *start);

#endif
