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
	struct ioreq_stats stats;
};

/*
 * Does what one request says but for the `done` accesses that were made
 * already; `request` is the server's own copy.  Its data member is the answer.
 */
void request_handle(struct ioreq_server *server, struct ioreq *request,
		    uint32_t done);

#endif
