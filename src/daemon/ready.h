/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling whoever started the daemon that the flash is attached. */
#ifndef PFLASHD_READY_H
#define PFLASHD_READY_H

#include "pflash/error.h"

/* READY=1 to $NOTIFY_SOCKET (sd_notify(3)); 0 if there is no such socket. */
int ready_notify_socket(struct error *err);

/* A newline to the descriptor, which is then closed. */
int ready_write_fd(int fd, struct error *err);

/*
 * Becomes a daemon: the parent stays until the child calls ready_write_fd() on
 * *fd, and exits with 0, or until it ends, and exits with its code.
 */
int ready_fork(int *fd, struct error *err);

#endif
