/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket, PFLASH_RUN_DIR/ID.sock.  A client sends one line of
 * pflash/control.h, or nothing; pflashd sends one JSON object and closes the
 * connection.  After CONTROL_TRACE the connection carries a trace instead.
 * Only root can connect: directory and socket are root's.
 *
 * The supervisor never blocks on a client.  The line ends with a newline, with
 * the end of the stream, after CONTROL_LINE bytes, or after
 * CONTROL_LINE_SECONDS; the bytes that have arrived by then are the line.
 */
#ifndef PFLASHD_CONTROL_H
#define PFLASHD_CONTROL_H

#include <ev.h>

#include "pflash/error.h"

/* Seconds from a client's connect to the end of its line. */
#define CONTROL_LINE_SECONDS 0.5

/* Clients that are served at the same time; others wait in the backlog. */
#define CONTROL_CLIENTS 16

/*
 * Seconds until a deferred command is answered with an error: longer than the
 * check of an upgrade takes (upgrade.h).
 */
#define CONTROL_DEFER_SECONDS 12.

/* A result of control_ops.command: control_ops.stream gets the connection. */
#define CONTROL_STREAM (1 << 16)

struct control;

struct control_ops {
	/*
	 * Executes a line, without its newline.  0: done; -errno and sets *err:
	 * refused; a positive number: the answer is deferred, until
	 * control_done() is called with this number.
	 */
	int (*command)(void *opaque, const char *line, struct error *err);
	/*
	 * Returns the answer, malloc()ed, or NULL without memory.  `error` is
	 * the sentence to put into it, or NULL.
	 */
	char *(*status)(void *opaque, const char *error);
	/* Takes over the connection, a blocking stream socket; closes it. */
	void (*stream)(void *opaque, int fd);
	void *opaque;
};

/*
 * Creates the socket at `path` and serves it in the loop `ev`.  A socket that a
 * killed process has left there is replaced.  `ops` is borrowed.  0, and
 * control_close() frees *out; or -errno and sets *err.
 */
int control_open(struct control **out, struct ev_loop *ev, const char *path,
		 const struct control_ops *ops, struct error *err);

/*
 * Answers all clients whose command was deferred with this number.  `error`:
 * why it failed, or NULL.  `control` may be NULL.
 */
void control_done(struct control *control, int command, const char *error);

/* Closes all connections and removes the socket; `control` may be NULL. */
void control_close(struct control *control);

#endif
