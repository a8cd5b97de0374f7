/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process that is the flash: it attaches, gives up its privileges, and
 * serves the guest.  The supervisor does for it what it can't do any more
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

/* An exit code beside those of options.h: after CHANNEL_UPGRADE. */
#define WORKER_UPGRADE 100

struct worker_start {
	const struct options *options;
	const struct guest *guest; /* NULL: there is none, and why */
	const struct error *no_guest;
	int no_guest_code; /* -errno of that */
	pid_t supervisor;
	int requests, orders;      /* the channel's ends */
	const struct files *files; /* for their names only */
	/* HANDOVER_SIZE bytes that outlive the worker; NULL: none, and why. */
	void *record;
	const struct error *no_record;
	/* The record of the worker before, or NULL. */
	const void *before;
	size_t before_size;
	struct report *report;
};

/* In a process of its own; the exit code. */
int worker_run(const struct worker_start *start);

/*
 * --check-handover: could this program go on with a flash that is attached?
 * Reads the domain's handover record, in the sandbox; guest is NULL where there
 * is no domain.  The exit code; a refusal is one line on standard error.
 */
int worker_check_handover(const struct options *options,
			  const struct guest *guest);

#endif
