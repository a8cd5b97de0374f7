/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's operations for one domain, as a table with two
 * implementations: Xen (xen.h), and a simulated hypervisor in this process
 * (sim.h).
 *
 * `gfn` is a guest frame number; a frame has 4 KiB.  Unless a comment says
 * otherwise, an operation returns 0 or -errno.
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
	/* --- the ioreq server --- */

	/* Creates a server, disabled, and maps its page to t->page. */
	int (*create)(struct transport *t);
	/*
	 * Maps the page of a server that another process has created.  The
	 * server still has its ranges and its page type, and is enabled as
	 * before.
	 */
	int (*adopt)(struct transport *t, uint32_t id);
	/* The id of the server that was created or adopted. */
	uint32_t (*id)(struct transport *t);
	/* Destroys the server; answer its pending requests before. */
	void (*destroy)(struct transport *t);
	/*
	 * Enables or disables the server.  The event channel ports in the page
	 * are valid once it is enabled.
	 */
	int (*enable)(struct transport *t, bool on);
	/*
	 * Claims or releases the addresses from `first` to `last`, both
	 * inclusive: the guest's accesses become requests to this server.
	 */
	int (*claim)(struct transport *t, enum ioreq_space space,
		     uint64_t first, uint64_t last);
	int (*release)(struct transport *t, enum ioreq_space space,
		       uint64_t first, uint64_t last);

	/* --- event channels --- */

	/* Binds the vp_eport of a slot; returns the local port. */
	int (*bind)(struct transport *t, uint32_t remote_port);
	/* A descriptor that is readable while an event is pending. */
	int (*event_fd)(struct transport *t);
	/* Returns the local port of the next event, or -EAGAIN. */
	int (*pending)(struct transport *t);
	/* Allows the next event of a port. */
	int (*unmask)(struct transport *t, int port);
	/* Sends an event to the guest's end of a port. */
	int (*notify)(struct transport *t, int port);

	/* --- guest memory --- */

	/*
	 * Adds `count` new frames to the guest at `gfn`; after a failure, none.
	 * -ENOMEM: the domain's memory limit is reached.
	 */
	int (*populate)(struct transport *t, uint64_t gfn, unsigned int count);
	/* Removes frames, which leaves a hole.  Unmap them before. */
	int (*depopulate)(struct transport *t, uint64_t gfn,
			  unsigned int count);
	/*
	 * Maps `count` frames contiguously into this process; `prot` as for
	 * mmap(2).  NULL with errno: failed.
	 */
	void *(*map)(struct transport *t, uint64_t gfn, unsigned int count,
		     int prot);
	void (*unmap)(struct transport *t, void *frames, unsigned int count);

	/* Returns a frame's HVMMEM_* type; HVMMEM_mmio_dm for a hole. */
	int (*get_type)(struct transport *t, uint64_t gfn);
	int (*set_type)(struct transport *t, hvmmem_type_t type, uint64_t gfn,
			unsigned int count);
	/*
	 * Claims the writes to frames of type HVMMEM_ioreq_server for this
	 * server, or releases them.
	 */
	int (*own_type)(struct transport *t, bool own);

	/* --- the domain --- */

	/* Shuts the domain down; `reason` is SHUTDOWN_* of xen/sched.h. */
	int (*shutdown)(struct transport *t, unsigned int reason);
	/*
	 * Pauses the domain: returns when no vCPU runs.  Xen counts pauses; the
	 * guest runs again after as many unpauses.
	 */
	int (*pause)(struct transport *t);
	int (*unpause)(struct transport *t);
	/* 1: it is paused, by this process or another one; 0: it is not. */
	int (*is_paused)(struct transport *t);
	/* Do the server and the domain still exist? */
	bool (*alive)(struct transport *t);
	/*
	 * Returns why the domain was shut down, SHUTDOWN_* of xen/sched.h; a
	 * suspended domain may be resumed.  -EINPROGRESS: it runs or is paused.
	 * -ESRCH: it does not exist, or is being destroyed.
	 */
	int (*shutdown_reason)(struct transport *t);
	/*
	 * Has the guest run before?  1: its first vCPU has paging enabled, so
	 * it was restored or has run for long; 0: it is new.
	 */
	int (*has_run)(struct transport *t);
	/*
	 * Restricts all handles of Xen in this process to this domain.  From
	 * now on these operations fail: populate, depopulate, get_type, pause,
	 * unpause, is_paused, shutdown_reason, has_run.
	 */
	int (*confine)(struct transport *t);
	/* Closes all handles and frees the transport. */
	void (*close)(struct transport *t);
};

/* The common head of every transport. */
struct transport {
	const struct transport_ops *ops;
	/* The server's page, from create() or adopt() to destroy(). */
	struct shared_iopage *page;
	unsigned int vcpus; /* the domain's; slots in use in the page */
};

#endif
