/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The domain as xenstore knows it.  What says `const struct domain` asks for
 * what was read when it was opened, also in a child of fork(2); the rest is for
 * the process that opened it.
 */
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

/* In a child of the process that opened it: gives up xenstore. */
void domain_leave(struct domain *domain);

/* There, when the other process has heard of a new name. */
void domain_set_name(struct domain *domain, const char *name);

/*
 * The name of a domain given by name or id; malloc()ed.  Of one that migrates
 * to this host it is the one that it will have.
 */
int domain_find_name(const char *domain, char **name, struct error *err);

uint32_t domain_id(const struct domain *domain);
const char *domain_name(const struct domain *domain);

/* The log's lines begin with its name and number, and the file. */
void domain_set_log(const struct domain *domain, const char *vars);

/*
 * A text, at most 95 bytes, that no other domain has, on this host or another
 * one, before or after: one life of a guest.
 */
const char *domain_life(const struct domain *domain);

/* At most 47 bytes: what the guest is called also when it was restored. */
const char *domain_guest(const struct domain *domain);

/* A PVH guest: nobody else answers its firmware's reset ports. */
bool domain_is_pvh(const struct domain *domain);

/* PFLASH_RUN_DIR/ID.suffix */
#define DOMAIN_PATH_ROOM 64
void domain_run_path(const struct domain *domain, const char *suffix,
		     char *path, size_t room);

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
