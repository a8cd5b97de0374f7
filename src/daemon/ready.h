/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling the process that started the daemon that the flash is attached. */
#ifndef PFLASHD_READY_H
#define PFLASHD_READY_H

#include "options.h"

/*
 * READY=1 or STOPPING=1 to $NOTIFY_SOCKET (sd_notify(3)); 0 if there is no such
 * socket.
 */
int ready_notify_socket(const char *message, struct error *err);

/* A newline to the descriptor, which is then closed. */
int ready_write_fd(int fd, struct error *err);

/*
 * Becomes a daemon.  The child returns with 0 and a descriptor in *fd for
 * ready_write_fd().  The parent returns with 1 when the child has called it,
 * or has ended; its exit code is then in *code.
 */
int ready_fork(int *fd, int *code, struct error *err);

/*
 * Goes on without a terminal: nobody reads what a daemon prints, but standard
 * error may be its log.
 */
void ready_let_go(bool keeps_stderr);

/* Lets the parent of ready_fork() end, and goes on without its terminal. */
int ready_leave_parent(int fd, const struct options *options,
		       struct error *err);

#endif
