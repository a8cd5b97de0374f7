/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The privileges that a process gives up before it reads a guest's data.
 *
 * basic: it has a user of its own and no capability, sees an empty directory as
 * the root, can't get a privilege by executing anything, and has limits on
 * processes, descriptors, memory and the size of a file.
 * full: its handles of Xen are for one domain only, and it may make no system
 * call but those of a list.
 */
#ifndef PFLASHD_SANDBOX_H
#define PFLASHD_SANDBOX_H

#include <stdint.h>
#include <sys/types.h>

#include "pflash/error.h"
#include "pflash/transport.h"

enum sandbox_level {
	SANDBOX_NONE,
	SANDBOX_BASIC,
	SANDBOX_FULL,
};

/*
 * The worker of domain N has the uid and gid SANDBOX_FIRST_UID + N, which no
 * account and no other worker has: so workers cannot signal or trace each
 * other.  Neither Debian's policy, nor shadow's subordinate ids, nor systemd
 * give these numbers away.
 */
#define SANDBOX_FIRST_UID 2000000000u

struct sandbox {
	enum sandbox_level level;
	const char *user; /* a name or a number; NULL: the worker's own */
	uint32_t domain;  /* for that */
	struct transport *transport; /* its handles; NULL: none */
	const char *root;            /* an empty directory; it is made */
	uint64_t file_size;          /* that it may write, bytes */
	uint64_t memory;             /* beyond what it has, bytes */
};

/*
 * All of the level, or -errno with a sentence that says what to do.  A part
 * that was given up by then is not taken back.
 */
int sandbox_enter(const struct sandbox *sandbox, struct error *err);

/* Dies with its parent from now on, also when it has another user; -errno. */
int sandbox_die_with_parent(pid_t parent);

/* As on the command line. */
const char *sandbox_name(enum sandbox_level level);

#endif
