/* SPDX-License-Identifier: BSD-2-Clause */
/* Reports to the process that started pflashd that the flash is attached. */
#ifndef PFLASHD_READY_H
#define PFLASHD_READY_H

#include "options.h"

/*
 * Sends READY=1 or STOPPING=1 to $NOTIFY_SOCKET (sd_notify(3)).  0 also if the
 * variable is not set.
 */
int ready_notify_socket(const char *message, struct error *err);

/* Writes a newline to the descriptor and closes it. */
int ready_write_fd(int fd, struct error *err);

/*
 * Becomes a daemon.  The child returns 0, with a descriptor for
 * ready_write_fd() in *fd.  The parent returns 1 when the child has called
 * ready_write_fd(), or has ended: *code is then the child's exit code.
 */
int ready_fork(int *fd, int *code, struct error *err);

/* Leaves the terminal and lets the parent of ready_fork() end. */
int ready_leave_parent(int fd, const struct options *options,
		       struct error *err);

#endif
