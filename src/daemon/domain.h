/* SPDX-License-Identifier: BSD-2-Clause */
/* The domain as xenstore knows it. */
#ifndef PFLASHD_DOMAIN_H
#define PFLASHD_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

struct domain;

/*
 * `name` is an id or a name.  -ESRCH: there is no such domain; or why xenstored
 * does not answer.
 */
int domain_open(struct domain **out, const char *name, struct error *err);
void domain_close(struct domain *domain);

/*
 * The name of a domain given by name or id; malloc()ed.  Of one that migrates
 * to this host it is the one that it will have.
 */
int domain_find_name(const char *domain, char **name, struct error *err);

uint32_t domain_id(const struct domain *domain);
const char *domain_name(const struct domain *domain);

/*
 * A text, at most 95 bytes, that no other domain has, on this host or another
 * one, before or after: one life of a guest.
 */
void domain_life(const struct domain *domain, char *text, size_t room);

/* At most 47 bytes: what the guest is called also when it was restored. */
void domain_guest(const struct domain *domain, char *text, size_t room);

/* A PVH guest: nobody else answers its firmware's reset ports. */
bool domain_is_pvh(const struct domain *domain);

/*
 * Readable when some domain has ended (xenstore's @releaseDomain) or this one
 * has got another name.  Read the event with domain_event(), which says whether
 * it has, and then ask whether it was this one that ended.
 */
int domain_event_fd(const struct domain *domain);
bool domain_event(struct domain *domain);

/*
 * Says in xenstore that the flash is there:
 * /local/domain/<us>/device-model/<domid>/pflash/state = "running".
 */
int domain_set_ready(struct domain *domain, struct error *err);

/* Takes that back; domain_close() does it, too. */
void domain_clear_ready(struct domain *domain);

#endif
