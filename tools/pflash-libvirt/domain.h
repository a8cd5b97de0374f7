/* SPDX-License-Identifier: BSD-2-Clause */
/* Domains: xenstore and the hypervisor. */
#ifndef PFLASH_LIBVIRT_DOMAIN_H
#define PFLASH_LIBVIRT_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/error.h"

/* --- a domain that will be created --- */

struct watch;

/* Watches for new domains.  0, or -errno with a sentence. */
int watch_open(struct watch **watch, struct error *err);
void watch_close(struct watch *watch);

/*
 * Waits at most `ms` for a domain with this UUID that appeared since
 * watch_open().  1: *id is its id; 0: there is none yet; or -errno with a
 * sentence.
 */
int watch_find(struct watch *watch, const char *uuid, int ms, uint32_t *id,
	       struct error *err);

/* --- a domain that exists --- */

/* Xen counts pauses.  0, or -errno with a sentence. */
int domain_pause(uint32_t id, struct error *err);
int domain_unpause(uint32_t id, struct error *err);

/*
 * The processor time that the domain has had, in nanoseconds, 0 before its
 * first instruction; or -errno with a sentence.
 */
int64_t domain_time(uint32_t id, struct error *err);

/* 1: a pflashd serves the domain; 0: none; or -errno with a sentence. */
int domain_is_served(uint32_t id, struct error *err);

#endif
