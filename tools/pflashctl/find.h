/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds a guest by id or name, and the answer of its pflashd. */
#ifndef PFLASHCTL_FIND_H
#define PFLASHCTL_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "ask.h"

#define STATUS_MS 5000 /* time limit for the status of one or all guests */

/*
 * True if the word of a command line means a guest: a number, or a name without
 * '/' that no file has.
 */
bool find_is_guest(const char *word);

/*
 * Finds the guest of this id or name, and its status.  Asks only the socket of
 * that id, or, for a name, all sockets.  CTL_OK, or another exit code after a
 * message.  guests_close() is due after either; *found points into `guests`.
 */
int find_guest(const char *wanted, int64_t deadline, struct guests *guests,
	       struct guest **found);

/* Prints a message for each guest without an answer; returns their number. */
unsigned int find_report(const struct guests *guests);

/*
 * Sends another line (with its '\n') to this guest's pflashd.  CTL_OK, with the
 * answer in the only guest of `reply`; or CTL_FAILED after a message.
 * guests_close() is due after either.
 */
int find_tell(const struct guest *guest, const char *line, int64_t deadline,
	      struct guests *reply);

/* Prints a message for one guest without an answer; returns CTL_FAILED. */
int find_unanswered(const struct guest *guest);

/* Prints STATUS_ERROR, the reason of a refusal; returns CTL_FAILED. */
int find_refused(const char *wanted, const struct answer *answer);

/* If the flash has failed, prints what to do on stderr. */
void find_hint(const struct answer *answer);

#endif
