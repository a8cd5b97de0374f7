/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks the worker's requests against the policy and executes them: opening
 * and installing files of this flash by role, populating frames in the hole for
 * firmware, pausing this domain.  The policy is the table in architecture.md,
 * "Two processes".
 */
#ifndef PFLASHD_BROKER_H
#define PFLASHD_BROKER_H

#include <stdbool.h>

#include "limit.h"
#include "pflash/files.h"
#include "pflash/transport.h"
#include "supervisor/rundir.h"

struct broker {
	/* The caller sets these before broker_begin(); they are borrowed. */
	struct files *files;
	struct transport *transport; /* NULL: there is no domain */
	struct rundir *rundir;       /* NULL: there is no domain */
	/* Called at CHANNEL_READY; the result, 0 or -errno, is the reply. */
	int (*ready)(void *opaque);
	/* Called at CHANNEL_MODE with 0, or the errno of the failure. */
	void (*mode_done)(void *opaque, int error);
	/*
	 * Called to open CHANNEL_TRACE: a descriptor, which the caller closes,
	 * or -errno; adds to *flags of the reply.
	 */
	int (*trace)(void *opaque, uint32_t *flags);
	/*
	 * Called before a file is changed or opened for writing: takes the
	 * lease.  0, or -errno, which is the reply.  NULL: none is needed.
	 */
	int (*lease)(void *opaque);
	void *opaque;

	/*
	 * The policy depends on earlier events.  The
	 * supervisor reads these flags, and sets `mode_ordered` and
	 * `traces_ordered`.
	 */
	bool was_ready;        /* an earlier worker: the VARS file exists */
	bool is_ready;         /* this worker has sent CHANNEL_READY */
	bool record_installed; /* it has installed its handover record */
	bool mode_ordered;     /* it has an order to change the mode */
	bool paused_for_admin; /* this or an earlier one, with flag 1 */
	/* It may open CHANNEL_TRACE so often. */
	unsigned int traces_ordered;

	/* The rate limit. */
	struct limit limit;
	uint64_t requests;
};

/* Resets the state for a worker that starts now. */
void broker_begin(struct broker *broker);

/*
 * Receives one request from `channel`, a non-blocking socket, executes it and
 * replies.  Returns 1: served, or there was no request; 0: the worker has
 * closed the channel; -errno and sets *why: the worker broke the protocol or
 * the policy and must be killed.
 */
int broker_serve(struct broker *broker, int channel, struct error *why);

#endif
