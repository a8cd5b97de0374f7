/* SPDX-License-Identifier: BSD-2-Clause */
/* The status of pflashd as a JSON object: pflash/control.h. */
#ifndef PFLASHD_STATUS_H
#define PFLASHD_STATUS_H

#include <sys/types.h>

#include "channel.h"
#include "guest.h"
#include "options.h"

struct status {
	const struct options *options;
	const struct guest *guest;
	const struct report *report; /* the worker may change it any time */
	const char *state;           /* supervisor_state_name() */
	pid_t worker;                /* 0: none */
	unsigned int restarts;
	size_t queued;     /* lists of changes for the next start */
	const char *trace; /* tracing_state() */
	const char *error; /* why the client's command failed, or NULL */
};

/*
 * Returns the object as text, malloc()ed, at most CONTROL_ANSWER bytes; NULL
 * without memory.
 */
char *status_text(const struct status *status);

#endif
