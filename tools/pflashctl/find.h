/* SPDX-License-Identifier: BSD-2-Clause */
/* Which guest is meant, and what its pflashd says. */
#ifndef PFLASHCTL_FIND_H
#define PFLASHCTL_FIND_H

#include <stdint.h>

#include "ask.h"

#define STATUS_MS 5000 /* how long the status may take, of one or of all */

/*
 * The guest of this id or name and its status; of a number that socket alone
 * is asked, for a name all are.  CTL_OK, or another exit code and it was said
 * why.  guests_close() after either; `found` is one of them.
 */
int find_guest(const char *wanted, int64_t deadline, struct guests *guests,
	       struct guest **found);

/* Says on stderr which did not answer, and why; returns how many. */
unsigned int find_report(const struct guests *guests);

/*
 * Says the line (with its '\n') to this guest's pflashd again.  CTL_OK and an
 * answer in the first of `reply`, or CTL_FAILED and it was said why.
 * guests_close() after either.
 */
int find_tell(const struct guest *guest, const char *line, int64_t deadline,
	      struct guests *reply);

/* Says why this one did not answer; CTL_FAILED. */
int find_unanswered(const struct guest *guest);

/* Says the sentence of a pflashd that refuses, STATUS_ERROR; CTL_FAILED. */
int find_refused(const char *wanted, const struct answer *answer);

/* Says on stderr what to do, if the guest has no worker any more. */
void find_hint(const struct answer *answer);

#endif
