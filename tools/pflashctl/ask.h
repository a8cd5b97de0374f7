/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks the pflashds of this host on their sockets, all of them at once, until
 * one deadline (pflash/control.h).
 *
 * A guest is the name of its socket, ID.sock; nothing else in the directory is
 * looked at.  The process behind the socket must be root's or this user's.
 */
#ifndef PFLASHCTL_ASK_H
#define PFLASHCTL_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "pflash/error.h"

enum ask_state {
	ASK_UNCONNECTED,
	ASK_CONNECTED,
	ASK_ANSWERED, /* `answer` is there */
	ASK_CLOSED,   /* without an answer */
	ASK_FAILED,
	ASK_ABSENT, /* there is no such socket */
};

struct guest {
	uint32_t domain;
	pid_t pid; /* by SO_PEERCRED; 0: not visible */
	enum ask_state state;
	struct error why; /* a sentence about the socket, unless it answered */
	struct answer answer;
	int fd;
	char *bytes; /* of the answer, so far */
	size_t len;
};

struct guests {
	struct guest *all; /* in the order of their domains */
	size_t count;
};

/* True if the text is a decimal domain id without leading zeros. */
bool ask_domain(const char *text, size_t len, uint32_t *domain);

/* Milliseconds of the clock of the deadlines. */
int64_t ask_clock(void);

/*
 * A list of all guests with a socket, or of one guest; nothing is sent yet.
 * 0 or -errno; guests_close() after either.
 */
int guests_find(struct guests *guests, struct error *err);
int guests_one(struct guests *guests, uint32_t domain, struct error *err);
void guests_close(struct guests *guests);

/*
 * Sends the line (with its '\n') to each, and returns when all have answered or
 * failed, at the deadline at the latest.
 */
void ask(struct guests *guests, const char *line, int64_t deadline);

#endif
