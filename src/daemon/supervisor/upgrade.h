/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same process with a new program: it executes the file that it was
 * started from, which may be another one by now, and that takes over the guest
 * as after the death of a worker.  The new program is asked first whether it
 * can, by its own --check-handover, while the old one serves.
 */
#ifndef PFLASHD_UPGRADE_H
#define PFLASHD_UPGRADE_H

#include <ev.h>
#include <stdbool.h>
#include <sys/types.h>

#include "pflash/error.h"

#define UPGRADE_SECONDS 10. /* for the new program to answer */

/* NULL: the new program can go on; else the sentence with which it refuses. */
typedef void upgrade_checked(void *opaque, const char *refusal);

struct upgrade {
	pid_t pid; /* 0: no check is under way */
	int output;
	ev_io ended;
	ev_timer deadline;
	upgrade_checked *checked;
	void *opaque;
};

/* At the start of main(); `argv` stays the caller's. */
void upgrade_remember(char **argv);

/*
 * Did an older program execute this one?  The descriptor of the lock that it
 * has left, UPGRADE_NO_LOCK after version 0.1, which has none, or -1: no.  The
 * answer is given once.
 */
#define UPGRADE_NO_LOCK 0
int upgrade_inherited(void);

/* Asks the new program; `checked` is called when it has answered. */
int upgrade_check(struct upgrade *upgrade, struct ev_loop *ev,
		  upgrade_checked *checked, void *opaque, struct error *err);

/* Nobody is told any more. */
void upgrade_cancel(struct upgrade *upgrade, struct ev_loop *ev);

/* `lock` stays open.  Returns only if it failed: -errno with its sentence. */
int upgrade_execute(int lock, struct error *err);

#endif
