/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy for the worker's requests, and their execution: files of this
 * flash by role, frames in the hole for firmware, pauses of this domain.
 */
#ifndef PFLASHD_BROKER_H
#define PFLASHD_BROKER_H

#include <stdbool.h>

#include "limit.h"
#include "pflash/files.h"
#include "pflash/transport.h"
#include "supervisor/rundir.h"

struct broker {
	struct files *files;
	struct transport *transport; /* NULL: there is no domain */
	struct rundir *rundir;
	/* The worker says what happened; -errno is its reply. */
	int (*ready)(void *opaque);
	void (*mode_done)(void *opaque, int error);
	void *opaque;
	/* The state of this worker, which decides what is allowed. */
	bool attached;  /* a worker of this supervisor was: VARS is there */
	bool is_ready;  /* this one has said so */
	bool installed; /* and has installed its record */
	bool mode;      /* it was ordered to change the mode */
	bool stopped;   /* and has paused the domain for an administrator */
	struct limit limit;
	uint64_t requests;
};

/* For a worker that starts now. */
void broker_begin(struct broker *broker);

/*
 * Answers one request.  1; 0: the worker has closed the channel; -errno: it
 * broke the protocol or the policy, as `why` says, and must be killed.
 */
int broker_serve(struct broker *broker, int channel, struct error *why);

#endif
