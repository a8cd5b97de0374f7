/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Unix stream socket of root's on which whoever connects sends one line and
 * gets one answer, and the end of the stream.
 *
 * Nobody is waited for: the line ends with '\n' or the end of what is sent.
 * One that is too long, or does not end within LISTENER_SECONDS, is what has
 * come by then; of somebody who sends nothing it is empty.
 */
#ifndef PFLASHD_LISTENER_H
#define PFLASHD_LISTENER_H

#include <ev.h>

#define LISTENER_SECONDS 0.5
#define LISTENER_LINE 128 /* longest, without its end */
#define LISTENER_MOST 16  /* at once; more of them wait */

/*
 * The answer to one line, which has no '\n'; malloc()ed, and small enough for
 * the socket's buffer.  NULL: none.
 */
typedef char *listener_answer(void *opaque, const char *line);

struct listener;

/*
 * A socket there, or -errno.  One that lies there is of a process that was
 * killed.
 */
int listener_bind(const char *path);

/* `fd` is the listener's from now on, also on failure: NULL with errno set. */
struct listener *listener_open(struct ev_loop *ev, int fd,
			       listener_answer *answer, void *opaque);
void listener_close(struct listener *listener);

#endif
