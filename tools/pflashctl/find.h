/* SPDX-License-Identifier: BSD-2-Clause */
/* From a guest's id or name to the answer of its pflashd. */
#ifndef PFLASHCTL_FIND_H
#define PFLASHCTL_FIND_H

#include <stdint.h>

#include "ask.h"

#define STATUS_MS 5000 /* how long the status may take, of one or of all */

/*
 * Finds the guest of this id or name, and its status.  For a number only the
 * socket of that id is asked, for a name all sockets are.  CTL_OK, or another
 * exit code after a message.  guests_close() after either; `found` points into
 * `guests`.
 */
int find_guest(const char *wanted, int64_t deadline, struct guests *guests,
	       struct guest **found);

/* A line on stderr for each guest without an answer; returns their number. */
unsigned int find_report(const struct guests *guests);

/*
 * Sends another line (with its '\n') to this guest's pflashd.  CTL_OK and the
 * answer in the only guest of `reply`, or CTL_FAILED after a message.
 * guests_close() after either.
 */
int find_tell(const struct guest *guest, const char *line, int64_t deadline,
	      struct guests *reply);

/* The same for one guest; CTL_FAILED. */
int find_unanswered(const struct guest *guest);

/* Prints STATUS_ERROR, the reason of a refusal; CTL_FAILED. */
int find_refused(const char *wanted, const struct answer *answer);

/* If the flash has failed, tells the user on stderr what to do. */
void find_hint(const struct answer *answer);

#endif
