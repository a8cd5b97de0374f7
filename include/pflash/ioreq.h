/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ioreq server: the protocol of the shared page, and the decoding of one
 * request into accesses of the added regions.
 *
 * Each vCPU has one slot in the page, and waits while its request is in
 * progress.  Xen makes the slot READY and sends an event.  The server makes it
 * INPROCESS, executes the request, makes the slot IORESP_READY and notifies
 * Xen.  Xen crashes the domain if a server stores the states in another order
 * (xen/common/ioreq.c, wait_for_io()).  This server keeps the order for any
 * contents of the page.
 *
 * Unless a comment says otherwise, a function returns 0, or -errno and sets
 * *err.  The server borrows every pointer that it is given, until
 * ioreq_server_close().
 */
#ifndef PFLASH_IOREQ_H
#define PFLASH_IOREQ_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/transport.h"

/*
 * Accesses of 1 to 8 bytes, little-endian.  `off` is in bytes, relative to the
 * region; the access is completely inside the region.
 */
struct ioreq_region_ops {
	uint64_t (*read)(void *opaque, uint64_t off, unsigned int size);
	void (*write)(void *opaque, uint64_t off, unsigned int size,
		      uint64_t value);
};

/* The server copies this structure; it borrows `ops` and `opaque`. */
struct ioreq_region {
	enum ioreq_space space;
	uint64_t first; /* guest-physical address, or port */
	uint64_t size;  /* bytes or ports */
	const struct ioreq_region_ops *ops;
	void *opaque;
};

#define IOREQ_MAX_REGIONS 8

struct ioreq_stats {
	uint64_t requests;    /* answered, of every type */
	uint64_t reads;       /* requests that read a region */
	uint64_t writes;      /* requests that write a region */
	uint64_t pointers;    /* reads and writes with data_is_ptr */
	uint64_t invalidates; /* requests to drop mappings of guest memory */
	uint64_t unclaimed;   /* bytes outside all regions, unknown requests */
};

struct ioreq_server;

/* Creates a server, disabled and without regions. */
int ioreq_server_open(struct ioreq_server **out, struct transport *t,
		      struct error *err);

/*
 * Takes over the server of an earlier process.  `id` is that process's
 * ioreq_server_id().  Add the same regions; ioreq_server_add() does not claim
 * them again.  ioreq_server_start() finishes the requests in progress.
 */
int ioreq_server_adopt(struct ioreq_server **out, struct transport *t,
		       uint32_t id, struct error *err);
/* Xen's id of the server. */
uint32_t ioreq_server_id(const struct ioreq_server *server);

/*
 * Sets the handover record, in which the server notes the begin, the accesses
 * and the end of each request, so that another process can continue it.  NULL:
 * none.  Call it before ioreq_server_start().
 */
struct handover_writer;
void ioreq_server_set_handover(struct ioreq_server *server,
			       const struct handover_writer *writer);

/*
 * A throttle: the server calls may_go_on() before each access of the guest.
 * While it returns false, all vCPUs with a request wait: one chip has one bus.
 */
struct ioreq_throttle {
	bool (*may_go_on)(void *opaque);
	void *opaque;
};

/* Call it after ioreq_server_start().  NULL: no throttle. */
void ioreq_server_set_throttle(struct ioreq_server *server,
			       const struct ioreq_throttle *throttle);

/*
 * Adds a region and claims its addresses, before or after the start.  -ENOSPC:
 * the server has IOREQ_MAX_REGIONS already.  A region must not overlap another.
 */
int ioreq_server_add(struct ioreq_server *server,
		     const struct ioreq_region *region, struct error *err);

/*
 * Removes the region that begins at `first`: releases its addresses, then
 * answers the pending requests.  No effect if there is no such region.
 * A region's own operations may call this function.
 */
void ioreq_server_remove(struct ioreq_server *server, enum ioreq_space space,
			 uint64_t first);

/*
 * Exchanges the operations of the region that begins at `first`, and what they
 * are called with, for *ops and *opaque: a trace stands before a device in this
 * way.  No effect if there is no such region.  Not to be called by a region's
 * operations.
 */
void ioreq_server_exchange(struct ioreq_server *server, enum ioreq_space space,
			   uint64_t first, const struct ioreq_region_ops **ops,
			   void **opaque);

/*
 * Enables the server and binds the event channel of each vCPU.  In a takeover
 * it also finishes the requests in progress.
 */
int ioreq_server_start(struct ioreq_server *server, struct error *err);

/*
 * The poll budget: ioreq_server_poll() polls the slots for the next request for
 * this many nanoseconds before it returns, while the next request usually
 * arrives within the budget.  0, the default: no polling.
 */
void ioreq_server_set_poll_budget(struct ioreq_server *server,
				  uint64_t nanoseconds);

/*
 * Receives one pending event and answers every READY slot; never blocks.  Call
 * it when the transport's event_fd is readable.  Returns the number of answered
 * requests.  With a poll budget it returns when no request has arrived for that
 * time, or when the throttle has stopped the guest.
 */
unsigned int ioreq_server_poll(struct ioreq_server *server);

/*
 * Did the throttle stop a vCPU in the last ioreq_server_poll()?  Then call
 * ioreq_server_poll() again when the throttle opens; Xen sends no event for the
 * stopped request.  The functions below ignore the throttle.
 */
bool ioreq_server_throttled(const struct ioreq_server *server);

/*
 * Pauses the guest at a moment when none of its requests is in progress.  Call
 * it before the memory at a claimed address changes between frames and a hole.
 * A vCPU receives its answer by executing the instruction again, and Xen
 * crashes the domain if this execution makes another request than the answered
 * one.  rep movs makes one request for each element in frames of type
 * HVMMEM_ioreq_server, and one for all elements in a hole
 * (xen/arch/x86/hvm/emulate.c, hvmemul_do_io()).
 *
 * False: there was no such moment within a second, or the guest is gone.  Then
 * the guest is not paused.
 */
bool ioreq_server_pause(struct ioreq_server *server);
void ioreq_server_unpause(struct ioreq_server *server);

const struct ioreq_stats *ioreq_server_stats(const struct ioreq_server *server);

/*
 * Releases all regions, disables the server, answers the pending requests, and
 * destroys the server.  A vCPU with an unanswered request would never run
 * again.
 */
void ioreq_server_close(struct ioreq_server *server);

#endif
