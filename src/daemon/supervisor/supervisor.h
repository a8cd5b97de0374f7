/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process that keeps its privileges.  It reads nothing that a guest has
 * written: the worker, its child, is the flash (worker/worker.h).  The
 * supervisor owns the names of all files, watches the domain, does for the
 * worker what a confined process may not (broker.h), replaces a worker that
 * dies, and ends it with the domain.  It takes the worker for hostile, and
 * waits for it nowhere.
 *
 *	STARTING  a worker attaches, or takes over
 *	RUNNING   it serves the guest
 *	WAITING   it died; the next one starts after a pause
 *	FAILED    it died too often; the guest waits for an administrator
 *	STOPPING  it was ordered to detach, and is killed after a while
 *	GONE      it has ended, and so does the supervisor
 */
#ifndef PFLASHD_SUPERVISOR_H
#define PFLASHD_SUPERVISOR_H

#include "options.h"
#include "supervisor/domain.h"

/* So long has a worker to detach, in seconds; tests shorten it. */
extern double supervisor_stop_seconds;

struct supervisor_start {
	const struct options *options;
	struct domain *domain; /* NULL: there is none, and why; borrowed */
	struct error no_domain;
	int no_domain_code; /* -errno of that */
	int parent;         /* who waits for readiness (ready_fork()), or -1 */
	int lock;           /* of the program before an upgrade, or -1 */
};

/* Serves the guest until it is gone or a signal comes; the exit code. */
int supervisor_run(const struct supervisor_start *start);

#endif
