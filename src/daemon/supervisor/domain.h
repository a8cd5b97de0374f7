/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's access to the domain: one connection to xenstore, and the
 * hypervisor.  The worker gets a copy of struct guest only.
 */
#ifndef PFLASHD_DOMAIN_H
#define PFLASHD_DOMAIN_H

#include <stdbool.h>

#include "guest.h"
#include "pflash/error.h"
#include "pflash/transport.h"

struct domain;

/*
 * Finds the domain; `name` is its id if it is a number, else its name.  0, and
 * domain_close() frees *out; or -errno and sets *err.  -ESRCH: there is no such
 * domain; -EINVAL: guest_check_name() refuses its name; -ENOTSUP: a PV domain;
 * another one: xenstored or the hypervisor does not answer.
 */
int domain_open(struct domain **out, const char *name, struct error *err);

/* As domain_clear_ready(), and closes all handles. */
void domain_close(struct domain *domain);

/* In a child of fork(2): closes the handles of the parent. */
void domain_close_in_child(struct domain *domain);

/* The facts; valid until domain_close(). */
const struct guest *domain_guest(const struct domain *domain);

/* Sets the prefix of log lines: name and id of the domain, path of VARS. */
void domain_set_log_prefix(const struct domain *domain, const char *vars);

/*
 * Opens the hypervisor for this domain and watches xenstore: the descriptor of
 * domain_event_fd() becomes readable when any domain has ended
 * (@releaseDomain), or when this one was renamed.  libxenstore starts a thread,
 * and handles of Xen do not work after fork(2): call this in the process that
 * serves.  0, or -errno and sets *err.
 */
int domain_watch(struct domain *domain, struct error *err);
int domain_event_fd(const struct domain *domain);

/* The hypervisor, after domain_watch(); valid until domain_close(). */
struct transport *domain_transport(struct domain *domain);

/* Reads all pending events.  Returns true if the domain was renamed. */
bool domain_read_events(struct domain *domain);

/*
 * Writes "running" to xenstore's
 * /local/domain/OWN-ID/device-model/ID/pflash/state: the flash is attached.
 * 0, or -errno and sets *err.
 */
int domain_set_ready(struct domain *domain, struct error *err);

/* Removes it, if it was written. */
void domain_clear_ready(struct domain *domain);

/*
 * Writes why pflashd ended to the key error beside the one of
 * domain_set_ready(), if the toolstack has made this key, which otherwise
 * nobody would remove.  `name` is the name or id of the domain.  Writes nothing
 * if `sentence` is empty.  domain_set_ready() removes the key.
 */
void domain_report_failure(const char *name, const char *sentence);

#endif
