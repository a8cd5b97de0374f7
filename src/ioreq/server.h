/* SPDX-License-Identifier: BSD-2-Clause */
/* The members of struct ioreq_server, for server.c and request.c. */
#ifndef PFLASH_IOREQ_SERVER_H
#define PFLASH_IOREQ_SERVER_H

#include "guest.h"
#include "pflash/handover.h"
#include "pflash/ioreq.h"

struct ioreq_server {
	struct transport *transport;
	struct guest_mapping map; /* for the request in progress */
	struct ioreq_region regions[IOREQ_MAX_REGIONS];
	unsigned int region_count;
	int *ports;   /* the local event channel port of each vCPU */
	bool adopted; /* regions are claimed already, until the start */
	const struct handover_writer *handover; /* or NULL */
	const struct ioreq_throttle *throttle;  /* or NULL */
	bool throttled; /* a vCPU waits for the throttle */
	/* The throttle has stopped this request between two accesses: */
	bool stopped;
	unsigned int vcpu;
	struct ioreq request;
	uint32_t done;        /* completed accesses */
	uint64_t poll_budget; /* ns */
	uint64_t poll_ended;  /* end of the last poll, ns, CLOCK_MONOTONIC */
	int poll_score;       /* above 0: poll, see poll_if_worth() */
	struct ioreq_stats stats;
};

static inline bool
may_go_on(const struct ioreq_server *server)
{
	const struct ioreq_throttle *throttle = server->throttle;

	return !throttle || throttle->may_go_on(throttle->opaque);
}

/*
 * Makes the accesses of a request; its data member is the answer then.
 * `request` is the server's own copy: its addresses move along with the
 * accesses, and *done counts them.  False: the throttle stopped the request
 * after an access; call again when the throttle lets it go on.
 */
bool request_handle(struct ioreq_server *server, struct ioreq *request,
		    uint32_t *done);

/*
 * Moves the addresses of a request behind this many accesses: they ascend, or
 * descend with the direction flag; rep ins and outs name one port.
 */
void request_skip(struct ioreq *request, uint32_t accesses);

#endif
