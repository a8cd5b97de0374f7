/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON object of pflash/control.h. */
#ifndef PFLASHD_STATUS_H
#define PFLASHD_STATUS_H

#include <sys/types.h>

#include "channel.h"
#include "guest.h"
#include "options.h"

struct status {
	const struct options *options;
	const struct guest *guest;
	const struct report *report; /* the worker's, hostile */
	const char *state;
	pid_t worker;
	unsigned int restarts;
	const char *error; /* or NULL */
};

/* malloc()ed, at most CONTROL_ANSWER bytes; NULL without memory. */
char *status_text(const struct status *status);

#endif
