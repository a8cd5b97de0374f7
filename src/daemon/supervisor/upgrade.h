/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replaces the program of this process by execve(2) of the file that it was
 * started from: a newer version may have been installed there.  The new program
 * takes over the guest as after the death of a worker.
 *
 * Before that, the new program is run with --check-handover in a child process:
 * its exit code says whether it accepts the handover record.  The old program
 * serves the guest meanwhile.  A process has one program, so this module keeps
 * its state in static variables, and one check runs at a time.
 */
#ifndef PFLASHD_UPGRADE_H
#define PFLASHD_UPGRADE_H

#include <ev.h>

#include "pflash/error.h"

/* The result of a check: why the new program refuses; NULL: it accepts. */
typedef void upgrade_checked(void *opaque, const char *refusal);

/* Call it first in main(): stores the program's path, and borrows `argv`. */
void upgrade_remember(char **argv);

/*
 * Was this program executed by upgrade_execute() of an older one?  Returns the
 * inherited descriptor of the lock; UPGRADE_NO_LOCK: the older one was version
 * 0.1, which has no lock; -1: no.  Call it once: the environment variable that
 * says so is removed.  *lease is
 * the descriptor of the lease's connection, or -1.
 */
#define UPGRADE_NO_LOCK 0
int upgrade_inherited(int *lease);

/* The path of this program; "": not known. */
const char *upgrade_program(void);

/*
 * Starts a check.  `checked` is called once from the event loop, after at most
 * 10 seconds.  Returns 0, or -errno and sets *err; -EAGAIN: a check is running.
 */
int upgrade_check(struct ev_loop *ev, upgrade_checked *checked, void *opaque,
		  struct error *err);

/* Ends a running check without a call of `checked`. */
void upgrade_cancel(struct ev_loop *ev);

/*
 * Executes the new program, with the descriptors `lock` and `lease` kept open;
 * `lease` may be -1.  Returns only if that fails: -errno and sets *err.
 */
int upgrade_execute(int lock, int lease, struct error *err);

#endif
