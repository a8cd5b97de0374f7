/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker's side of the requests in channel.h.  Each function sends one
 * request and blocks until the reply has come.  If the supervisor is gone, the
 * function does not return: the process exits with EXIT_RUNTIME.
 */
#ifndef PFLASHD_CLIENT_H
#define PFLASHD_CLIENT_H

#include "channel.h"
#include "pflash/files.h"
#include "pflash/transport.h"

/* Sets the socket for all functions below; it stays the caller's. */
void client_init(int requests);

/*
 * Returns an implementation of struct files by requests to the supervisor, with
 * the names of `named` for messages.  The struct is static: there is one.
 */
struct files *client_files(const struct files *named);

/*
 * Replaces the operations of `t` that Xen forbids to a restricted handle by
 * requests to the supervisor: populate, depopulate, get_type, pause, unpause.
 */
void client_wrap_transport(struct transport *t);

/* Installs the worker's handover record.  0 or -errno. */
int client_install_record(void);

/*
 * Opens the trace (CHANNEL_TRACE): a descriptor, which belongs to the caller,
 * or -errno.  *flags are those of the reply.
 */
int client_open_trace(uint32_t *flags);

/* Pauses the domain until an administrator unpauses it.  0 or -errno. */
int client_pause_for_admin(void);

/* Reports that the flash is attached.  0 or -errno. */
int client_ready(void);

/* Reports the end of an ordered mode change: 0, or the errno of its failure. */
void client_mode_done(int error);

#endif
