/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker's side of the channel (channel.h).  Without a supervisor there is
 * no worker: when it does not answer the process ends at once.
 */
#ifndef PFLASHD_CLIENT_H
#define PFLASHD_CLIENT_H

#include "channel.h"
#include "pflash/files.h"
#include "pflash/transport.h"

/* The socket of all that follows. */
void client_init(int requests);

/*
 * The flash's files by role, through the supervisor; messages call them as its
 * own `named` does.  There is one such struct.
 */
struct files *client_files(const struct files *named);

/* Gives the transport's privileged operations to the supervisor. */
void client_wrap_transport(struct transport *t);

/* The new handover record gets the name; -errno. */
int client_install_record(void);

/* Until an administrator unpauses the domain; -errno. */
int client_pause_for_admin(void);

/* -errno */
int client_ready(void);

/* The ordered change of mode: 0, or the errno for which it failed. */
void client_mode_done(int error);

#endif
