/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A region of an ioreq server that only answers: a read gives 0, a write is
 * dropped.  It measures the cost of a request without a flash.
 */
#ifndef TOOLS_NULL_REGION_H
#define TOOLS_NULL_REGION_H

#include "pflash/ioreq.h"

/* Adds the region to the server, which removes it; see ioreq_server_add(). */
int null_region_add(struct ioreq_server *server, uint64_t first, uint64_t size,
		    struct error *err);

#endif
