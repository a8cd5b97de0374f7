/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker's side of the channel to the keeper.  Without a keeper there is no
 * worker: when it does not answer the process ends at once, as if killed.
 */
#ifndef PFLASHD_ASK_H
#define PFLASHD_ASK_H

#include "channel.h"
#include "pflash/error.h"
#include "pflash/sys.h"
#include "pflash/transport.h"

/* The descriptor of all that follows. */
void ask_init(int channel);

/* Files by name are the keeper's, and the rest the kernel's. */
extern const struct sys sys_keeper;

/* Gives the transport's privileged operations to the keeper. */
void ask_for_transport(struct transport *t);

/* A line for the log; see log_to(). */
void ask_log(int level, const char *line);

/* What comes with the answer to CHANNEL_LISTEN or CHANNEL_LIMIT, or -errno. */
int ask_descriptor(enum channel_op op);

/* PATH_MAX bytes: the domain's; -errno */
int ask_name(char *name);

/* CHANNEL_READY, _STOPPING, _FORGET or _LIMIT_FULL. */
int ask_simply(enum channel_op op, struct error *err);

#endif
