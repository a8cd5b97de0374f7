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
 * Somebody who notes what is done, so that another process can go on with it.
 * A request begins; this many of its accesses are done; its answer can be
 * seen.  progress() says how many of a request's accesses a dead process has
 * done.
 */
struct ioreq_notes {
	void (*begin)(void *opaque, unsigned int vcpu);
	void (*done)(void *opaque, uint32_t accesses);
	void (*end)(void *opaque);
	uint32_t (*progress)(void *opaque, unsigned int vcpu);
	void *opaque;
};

/* `notes` is borrowed; before the start. */
void ioreq_server_set_notes(struct ioreq_server *server,
			    const struct ioreq_notes *notes);

/*
 * Who says whether the guest may go on, asked before each of its accesses.
 * While it may not, its vCPUs wait for their answers; as one chip has one bus,
 * one that may not keeps the others from going on, too.
 */
struct ioreq_gate {
	bool (*open)(void *opaque);
	void *opaque;
};

/* After the start.  `gate` is borrowed; NULL: it is always open. */
void ioreq_server_set_gate(struct ioreq_server *server,
			   const struct ioreq_gate *gate);

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
 * For how many nanoseconds ioreq_server_poll() watches the slots for a next
 * request, if the last ones came so soon that it is not in vain; 0, as it is
 * without this call: not at all.
 */
void ioreq_server_set_patience(struct ioreq_server *server,
			       uint64_t nanoseconds);

/*
 * Takes a pending event and answers every slot that is READY; never blocks.
 * Call it when the transport's event_fd is readable.  The result is the number
 * of requests answered.  With patience it goes on until the guest, or the gate,
 * has paused for so long.
 */
unsigned int ioreq_server_poll(struct ioreq_server *server);

/*
 * Did a vCPU find the gate closed in the last ioreq_server_poll()?  That is to
 * be called again when the gate is open; no event will tell.  The functions
 * below do not ask the gate: what they say is answered, is.
 */
bool ioreq_server_waits(const struct ioreq_server *server);

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
