/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket, PFLASH_RUN_DIR/ID.sock: a client sends one line of
 * pflash/control.h, or none, and gets one JSON object and the end of the
 * stream.  Directory and socket are root's alone.
 *
 * The supervisor waits for no client: the line ends with '\n' or the end of
 * the stream; of a line that is too long, or does not end within
 * CONTROL_SECONDS, the part that has come counts.
 */
#ifndef PFLASHD_CONTROL_H
#define PFLASHD_CONTROL_H

#include <ev.h>

#include "pflash/error.h"

#define CONTROL_SECONDS 0.5
#define CONTROL_MOST 16 /* clients at once; the others wait */

/* For an answer that is not given at once. */
#define CONTROL_HELD_SECONDS 12.

struct control;

struct control_ops {
	/*
	 * Does what the line says.  0: it is done; -errno: no, as `err` says; a
	 * positive number: control_done() with this number will say when.
	 */
	int (*command)(void *opaque, const char *line, struct error *err);
	/* The answer, malloc()ed; `error` is a sentence, or NULL. */
	char *(*status)(void *opaque, const char *error);
	void *opaque;
};

/*
 * Listens there.  A socket that lies there is of a process that was killed.
 * `ops` is borrowed.
 */
int control_open(struct control **out, struct ev_loop *ev, const char *path,
		 const struct control_ops *ops, struct error *err);

/* Answers who waits for the command with this number; `error` as above. */
void control_done(struct control *control, int which, const char *error);

/* Removes the socket; NULL is nothing to do. */
void control_close(struct control *control);

#endif
