/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of struct ioreq_server, for server.c and request.c. */
#ifndef PFLASH_IOREQ_SERVER_H
#define PFLASH_IOREQ_SERVER_H

#include "pflash/ioreq.h"

struct ioreq_server {
	struct transport *transport;
	struct ioreq_region regions[IOREQ_MAX_REGIONS];
	unsigned int region_count;
	int *ports; /* the local port of each vCPU */
	bool adopted;
	const struct ioreq_notes *notes; /* or NULL */
	const struct ioreq_gate *gate;   /* or NULL: open */
	bool waits;                      /* somebody, at the gate */
	bool stopped;                    /* in the middle of this: */
	unsigned int vcpu;
	struct ioreq request;
	uint32_t done;
	uint64_t patience; /* ns that the next request is watched for */
	uint64_t answered; /* when it was no longer */
	int credit;        /* above 0: it comes while it is watched for */
	struct ioreq_stats stats;
};

static inline bool
gate_open(const struct ioreq_server *server)
{
	return !server->gate || server->gate->open(server->gate->opaque);
}

/*
 * Does what one request says but for the *done accesses that were made
 * already; `request` is the server's own copy.  Its data member is the answer.
 * False: the gate was closed behind an access; to be called again with the
 * *done that it has left, once the gate is open.
 */
bool request_handle(struct ioreq_server *server, struct ioreq *request,
		    uint32_t *done);

#endif
