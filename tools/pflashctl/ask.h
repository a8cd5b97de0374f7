/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks the pflashds of this host on their sockets, all at once, until a common
 * deadline (pflash/control.h).
 *
 * The name of a socket, ID.sock, is the guest's id; other files of the
 * directory are ignored.  The process behind the socket must belong to root or
 * to this user.
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
	ASK_ANSWERED, /* `answer` is valid */
	ASK_CLOSED,   /* the peer closed the connection without an answer */
	ASK_FAILED,
	ASK_ABSENT, /* the socket does not exist */
};

struct guest {
	uint32_t domain;
	pid_t pid; /* by SO_PEERCRED; 0: not visible */
	enum ask_state state;
	struct error why; /* why there is no answer */
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

/* Looks for the sockets below this directory, not below the root. */
void ask_set_root(const char *root);

/* The clock of all deadlines, in milliseconds. */
int64_t ask_clock(void);

/*
 * Lists all guests that have a socket, or makes a list of one guest.  Sends
 * nothing.  0 or -errno with a sentence; guests_close() is due after either.
 */
int guests_find(struct guests *guests, struct error *err);
int guests_one(struct guests *guests, uint32_t domain, struct error *err);
void guests_close(struct guests *guests);

/*
 * Connects to one guest and sends the line (with its '\n'), for an answer that
 * the caller reads from guest->fd, which does not block.  0; or -errno, and
 * guest->why.
 */
int ask_connect(struct guest *guest, const char *line, int64_t deadline);

/*
 * Sends the line (with its '\n') to each guest of the list.  Returns when all
 * have answered or failed, at the latest at the deadline.
 */
void ask(struct guests *guests, const char *line, int64_t deadline);

#endif
