/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's way to the domain: xenstore, by one connection, and the
 * hypervisor.  The worker has a copy of the struct guest, and nothing else.
 */
#ifndef PFLASHD_DOMAIN_H
#define PFLASHD_DOMAIN_H

#include <stdbool.h>

#include "guest.h"
#include "pflash/error.h"
#include "pflash/transport.h"

struct domain;

/*
 * `name` is an id, if it is a number, or a name.  -ESRCH: there is no such
 * domain; -EINVAL: guest_check_name() refuses its name; -ENOTSUP: a PV domain;
 * or why xenstored or the hypervisor do not answer.
 */
int domain_open(struct domain **out, const char *name, struct error *err);

/* Takes back domain_set_ready(), and frees. */
void domain_close(struct domain *domain);

/* In a child of fork(2): gives up the parent's handles. */
void domain_leave(struct domain *domain);

const struct guest *domain_guest(const struct domain *domain);

/* The log's lines begin with its name and number, and the file. */
void domain_set_log(const struct domain *domain, const char *vars);

/*
 * Opens the hypervisor for this domain, and makes the descriptor readable when
 * some domain has ended (xenstore's @releaseDomain) or this one has got another
 * name.  libxenstore starts a thread for that, and handles of Xen do not
 * outlive fork(2): the process that calls this is the one that goes on.
 */
int domain_watch(struct domain *domain, struct error *err);
int domain_event_fd(const struct domain *domain);
struct transport *domain_transport(struct domain *domain);

/* Reads the events; true: it has another name. */
bool domain_event(struct domain *domain);

/*
 * Says in xenstore that the flash is there:
 * /local/domain/<us>/device-model/<domid>/pflash/state = "running".
 */
int domain_set_ready(struct domain *domain, struct error *err);
void domain_clear_ready(struct domain *domain);

#endif
