/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lease of --lease: a resource of sanlock(8), by which hosts that share a
 * storage agree which of them may write the flash.  The supervisor registers
 * itself with the daemon of this host, which gives the lease up when the
 * supervisor ends.  If the daemon can no longer renew the leases of this host,
 * it runs this program with --lease-lost (lost.h) before another host may take
 * them.  The supervisor is never killed by the daemon: its worker could still
 * write then.
 *
 * The worker does not get the connection.
 */
#ifndef PFLASHD_LEASE_H
#define PFLASHD_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/error.h"

struct lease;
struct sanlk_host;
struct sanlk_options;
struct sanlk_resource;

/* The functions of libsanlock_client, so that a test can replace them. */
struct lease_calls {
	int (*connect)(void); /* sanlock_register() */
	int (*restrict_signals)(int sock, uint32_t flags);
	int (*killpath)(int sock, uint32_t flags, const char *path, char *args);
	int (*acquire)(int sock, int pid, uint32_t flags, int count,
		       struct sanlk_resource *resources[],
		       struct sanlk_options *options);
	int (*release)(int sock, int pid, uint32_t flags, int count,
		       struct sanlk_resource *resources[]);
	int (*inquire)(int sock, int pid, uint32_t flags, int *count,
		       char **state);
	int (*parse)(char *text, struct sanlk_resource **resource);
	int (*owners)(struct sanlk_resource *resource, uint32_t flags,
		      struct sanlk_host **hosts, int *count);
	const char *(*text)(int result);
};

struct lease_config {
	const char *text;    /* the value of --lease */
	uint32_t domain;     /* id */
	const char *program; /* the path of this program */
	int inherited;       /* the connection after an upgrade, or -1 */
	const struct lease_calls *calls; /* NULL: load the library */
};

/*
 * Connects to the daemon.  After an upgrade the lease may be held already.  0,
 * or -errno and sets *err.
 */
int lease_open(struct lease **out, const struct lease_config *config,
	       struct error *err);

/*
 * Takes the lease, unless it is held.  -EBUSY: another host, or another process
 * of this host, has it; later it may be free.  Or another -errno; sets *err.
 */
int lease_take(struct lease *lease, struct error *err);

/* The same, for up to `seconds` while it returns -EBUSY. */
int lease_wait(struct lease *lease, uint64_t seconds, struct error *err);

/* Gives the lease up, if it is held: another host may take it at once. */
int lease_release(struct lease *lease, struct error *err);

bool lease_held(const struct lease *lease);
const char *lease_name(const struct lease *lease); /* LOCKSPACE:RESOURCE */
int lease_connection(const struct lease *lease);

/* Gives the lease up and frees the struct; NULL is allowed. */
void lease_close(struct lease *lease);

#endif
