/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker's lines on their way to the log: cut, rate-limited, printable. */
#ifndef PFLASHD_RELAY_H
#define PFLASHD_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "limit.h"

#define RELAY_LINE 1000 /* bytes; a longer line becomes several */

struct relay {
	struct limit limit;
	uint64_t lines;   /* that were logged */
	uint64_t dropped; /* since the last one that was */
	size_t length;
	char line[RELAY_LINE + 1];
};

void relay_init(struct relay *relay);

/*
 * Logs what the pipe has by now, `fd` being non-blocking: all of it, or a
 * bounded part if the worker writes faster than it is read.  False: every
 * writer has closed it, and it stays readable for ever.
 */
bool relay_read(struct relay *relay, int fd);

/* The pipe's end: also the line that has no end. */
void relay_finish(struct relay *relay, int fd);

#endif
