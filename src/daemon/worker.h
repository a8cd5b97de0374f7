/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process that is the flash: it attaches, gives up its privileges, and
 * serves the guest.  What it can't do any more the keeper does (channel.h).
 */
#ifndef PFLASHD_WORKER_H
#define PFLASHD_WORKER_H

#include <sys/types.h>

#include "domain.h"
#include "options.h"

/* An exit code beside those of options.h: an upgrade was asked for. */
#define WORKER_UPGRADE 100

struct worker_start {
	const struct options *options;
	struct domain *domain; /* NULL: there is none, and why */
	const struct error *no_domain;
	int no_domain_code; /* -errno of that */
	pid_t keeper;
	int calls, orders; /* the channel's ends */
};

/* In a process of its own; the exit code. */
int worker_run(const struct worker_start *start);

#endif
