/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way to the hypervisor: everything an ioreq server asks of it for one
 * domain, as a table of operations with two implementations, Xen (xen.h) and
 * a simulated hypervisor in this process (sim.h).
 *
 * Frames are guest frame numbers (gfn) of 4 KiB.  Every operation returns 0,
 * a number that is not negative, or -errno, unless it says otherwise.
 *
 * Sources: xen/include/public/hvm/dm_op.h (servers, ranges, page types),
 * public/hvm/ioreq.h (the shared page), public/memory.h (populating).
 */
#ifndef PFLASH_TRANSPORT_H
#define PFLASH_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/ioreq.h>

#define FRAME_SHIFT 12
#define FRAME_SIZE (1u << FRAME_SHIFT)

enum ioreq_space {
	IOREQ_SPACE_MEMORY,
	IOREQ_SPACE_PORT,
};

struct transport;

struct transport_ops {
	/* Creates the (disabled) server and maps its page to t->page. */
	int (*create)(struct transport *t);
	/*
	 * The same with a server that a process left behind, by its id: what
	 * it claims and owns, and that it is enabled, has outlived it.
	 */
	int (*adopt)(struct transport *t, uint32_t id);
	/* Of the one that was created or adopted. */
	uint32_t (*id)(struct transport *t);
	/* Undoes it.  Pending requests must have been answered. */
	void (*destroy)(struct transport *t);
	/* The ports in the page are meaningless before it is enabled. */
	int (*enable)(struct transport *t, bool on);

	/* Addresses, both inclusive. */
	int (*claim)(struct transport *t, enum ioreq_space space,
		     uint64_t first, uint64_t last);
	int (*release)(struct transport *t, enum ioreq_space space,
		       uint64_t first, uint64_t last);

	/* Binds the vp_eport of a slot; the result is the local port. */
	int (*bind)(struct transport *t, uint32_t remote_port);
	/* Readable when an event is pending. */
	int (*event_fd)(struct transport *t);
	/* The local port of the next event, or -EAGAIN. */
	int (*pending)(struct transport *t);
	int (*unmask)(struct transport *t, int port);
	int (*notify)(struct transport *t, int port);

	/* Gives the guest `count` new frames at gfn, or none of them. */
	int (*populate)(struct transport *t, uint64_t gfn, unsigned int count);
	/* Takes frames away, which leaves a hole.  Unmap them first. */
	int (*depopulate)(struct transport *t, uint64_t gfn,
			  unsigned int count);
	/* `count` frames, contiguous here; NULL with errno set. */
	void *(*map)(struct transport *t, uint64_t gfn, unsigned int count,
		     int prot);
	void (*unmap)(struct transport *t, void *frames, unsigned int count);

	/* HVMMEM_*; a hole reads as HVMMEM_mmio_dm. */
	int (*get_type)(struct transport *t, uint64_t gfn);
	int (*set_type)(struct transport *t, hvmmem_type_t type, uint64_t gfn,
			unsigned int count);
	/* Owns writes to frames of type HVMMEM_ioreq_server, or lets go. */
	int (*own_type)(struct transport *t, bool own);

	/* SHUTDOWN_* of xen/sched.h. */
	int (*shutdown)(struct transport *t, unsigned int reason);
	/*
	 * Stops all vCPUs, and has waited until none runs.  Pauses are
	 * counted; the last unpause lets the guest go on.
	 */
	int (*pause)(struct transport *t);
	int (*unpause)(struct transport *t);
	/* Does the server (and with it the domain) still exist? */
	bool (*alive)(struct transport *t);
	/*
	 * -EINPROGRESS while the domain runs or is paused, else why it was shut
	 * down, SHUTDOWN_* of xen/sched.h; a suspended one may be resumed.
	 * -ESRCH: it is gone, or about to go.
	 */
	int (*shutdown_reason)(struct transport *t);
	/*
	 * 1: the guest was restored from a file or has run for long, as its
	 * first vCPU translates addresses; 0: it is new.
	 */
	int (*has_run)(struct transport *t);
	/*
	 * From now on its handles are for this domain only, and the operations
	 * that need more fail: populate, depopulate, get_type, pause, unpause,
	 * shutdown_reason, has_run.
	 */
	int (*confine)(struct transport *t);
	/* Frees the transport itself. */
	void (*close)(struct transport *t);
};

/* The common head of every transport. */
struct transport {
	const struct transport_ops *ops;
	struct shared_iopage *page; /* from create() to destroy() */
	unsigned int vcpus;         /* slots in use in the page */
};

#endif
