/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ioreq server: the protocol of the shared page, and the decoding of one
 * request into accesses to the regions that were added.
 *
 * Each vCPU has one slot and waits in it: Xen makes it READY and sends an
 * event; the server makes it INPROCESS, does what it says, makes it
 * IORESP_READY and notifies.  Xen crashes the domain of a server that takes
 * the states in another order (xen/common/ioreq.c, wait_for_io()), so this
 * one never does, whatever the page says.
 */
#ifndef PFLASH_IOREQ_H
#define PFLASH_IOREQ_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/transport.h"

/*
 * Accesses of 1 to 8 bytes, little-endian.  `off` is relative to the region
 * and the access lies wholly inside it.
 */
struct ioreq_region_ops {
	uint64_t (*read)(void *opaque, uint64_t off, unsigned int size);
	void (*write)(void *opaque, uint64_t off, unsigned int size,
		      uint64_t value);
};

struct ioreq_region {
	enum ioreq_space space;
	uint64_t first; /* address */
	uint64_t size;  /* bytes */
	const struct ioreq_region_ops *ops;
	void *opaque;
};

#define IOREQ_MAX_REGIONS 8

struct ioreq_stats {
	uint64_t requests; /* answered, of every type */
	uint64_t reads;    /* requests that read a region */
	uint64_t writes;
	uint64_t pointers; /* of these, with data_is_ptr */
	uint64_t invalidates;
	uint64_t unclaimed; /* bytes outside every region, and unknown types */
};

struct ioreq_server;

/* Creates the server at the hypervisor; `t` is borrowed until the close. */
int ioreq_server_open(struct ioreq_server **out, struct transport *t,
		      struct error *err);

/*
 * The same with a server that a process has left behind, by its id:
 * ioreq_server_id().  The same regions must be added then, and the start
 * finishes the requests that were under way.
 */
int ioreq_server_adopt(struct ioreq_server **out, struct transport *t,
		       uint32_t id, struct error *err);
uint32_t ioreq_server_id(const struct ioreq_server *server);

/*
 * Where the server marks the begin, the accesses and the end of each request,
 * so that another process can continue it; borrowed, NULL: nowhere.  Before
 * the start.
 */
struct handover_writer;
void ioreq_server_set_handover(struct ioreq_server *server,
			       const struct handover_writer *writer);

/*
 * A throttle: the server asks may_go_on() before each access of the guest.
 * While the answer is no, the vCPUs wait for their answers, all of them: one
 * chip has one bus.
 */
struct ioreq_throttle {
	bool (*may_go_on)(void *opaque);
	void *opaque;
};

/* After the start.  `throttle` is borrowed; NULL: every access goes on. */
void ioreq_server_set_throttle(struct ioreq_server *server,
			       const struct ioreq_throttle *throttle);

/* Claims the region's addresses; before or after the start. */
int ioreq_server_add(struct ioreq_server *server,
		     const struct ioreq_region *region, struct error *err);

/*
 * Takes back the region that begins at `first`: answers what is pending, and
 * from then on its addresses belong to nobody.  A region's own operations may
 * call it.
 */
void ioreq_server_remove(struct ioreq_server *server, enum ioreq_space space,
			 uint64_t first);

/* Enables the server and binds every vCPU's event channel. */
int ioreq_server_start(struct ioreq_server *server, struct error *err);

/*
 * The poll budget: for this many nanoseconds ioreq_server_poll() polls the
 * slots for the next request before it returns, as long as the next request
 * usually arrives within the budget.  0, the default: it does not poll.
 */
void ioreq_server_set_poll_budget(struct ioreq_server *server,
				  uint64_t nanoseconds);

/*
 * Consumes a pending event and answers every slot that is READY; never blocks.
 * Call it when the transport's event_fd is readable.  Returns the number of
 * answered requests.  With a poll budget it returns when no request arrived for
 * that long, or when the throttle stopped the guest.
 */
unsigned int ioreq_server_poll(struct ioreq_server *server);

/*
 * Did the throttle stop a vCPU in the last ioreq_server_poll()?  Then call that
 * again when the throttle lets the guest go on; no event announces this.  The
 * functions below ignore the throttle.
 */
bool ioreq_server_throttled(const struct ioreq_server *server);

/*
 * Pauses the guest at a moment when none of its requests is under way: before
 * the kind of memory at a claimed address may change.  A vCPU takes its answer
 * by executing the instruction once more, and Xen crashes the domain whose
 * instruction no longer makes the request that was answered: rep movs makes
 * one an element where frames are of type HVMMEM_ioreq_server, and one for all
 * of them in a hole (arch/x86/hvm/emulate.c, hvmemul_do_io()).
 *
 * False: there was no such moment within a second, or the guest is gone; it is
 * not paused then.
 */
bool ioreq_server_pause(struct ioreq_server *server);
void ioreq_server_unpause(struct ioreq_server *server);

const struct ioreq_stats *ioreq_server_stats(const struct ioreq_server *server);

/*
 * Disables the server, answers what is pending and destroys it: a vCPU whose
 * request nobody answers would never run again.
 */
void ioreq_server_close(struct ioreq_server *server);

#endif
