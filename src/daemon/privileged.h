/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper's side of the channel: each call is checked as one of a stranger,
 * for the worker may be in the hands of the guest.
 */
#ifndef PFLASHD_PRIVILEGED_H
#define PFLASHD_PRIVILEGED_H

#include "domain.h"
#include "limit.h"
#include "names.h"
#include "options.h"
#include "pflash/transport.h"

struct privileged {
	const struct options *options;
	struct domain *domain;       /* NULL: none; borrowed */
	struct transport *transport; /* from the first call that needs it */
	struct names names;
	struct limit lines; /* of the worker's, for the log */
	uint64_t said;      /* of these */
	uint64_t left_out;  /* since the last one that was said */
	int parent;    /* who waits for readiness, or -1 */
	bool told;     /* that the flash is there */
	bool attached; /* and it has not begun to end */
};

void privileged_init(struct privileged *privileged,
		     const struct options *options, int parent);
void privileged_end(struct privileged *privileged);

/* In a child: its handles are the parent's, and are let go of. */
void privileged_leave(struct privileged *privileged);

/* Answers one call.  1; 0: there will be no more; -errno: nor by mistake. */
int privileged_serve(struct privileged *privileged, int channel);

#endif
