/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sandbox: the process gives up its privileges before it reads a guest's
 * data.  pflashd(8), PROCESSES, describes the levels for administrators.
 *
 * basic: a uid and gid of its own, no capability, an empty directory as root,
 * no_new_privs, limits on processes, descriptors, memory and file sizes.
 * full: basic, all handles of Xen restricted to one domain, and seccomp(2) with
 * a list of allowed system calls; any other system call kills the process.
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
 * The worker of domain N has uid and gid SANDBOX_FIRST_UID + N, so that workers
 * cannot signal or trace each other.  No account has such a number: it is
 * outside the ranges of Debian's policy, of shadow's subordinate ids and of
 * systemd.
 */
#define SANDBOX_FIRST_UID 2000000000u

struct sandbox {
	enum sandbox_level level;
	/* Name or number of the user; NULL: SANDBOX_FIRST_UID + domain. */
	const char *user;
	uint32_t domain;
	struct transport *transport; /* its handles are restricted; or NULL */
	const char *root;            /* path of the empty directory to make */
	uint64_t file_size;          /* limit for each file it writes, bytes */
	uint64_t memory; /* limit, in addition to the present size, bytes */
};

/*
 * Enters the sandbox.  0, also for SANDBOX_NONE; or -errno, and *err says what
 * to do: a part of the level is not possible on this host.  The privileges that
 * were given up before the failure are lost.
 */
int sandbox_enter(const struct sandbox *sandbox, struct error *err);

/*
 * Restricts a process in the sandbox further, at the level `full` only: it is
 * killed when it begins a write at or behind offset `limit` of any file, or
 * one of more than `most` bytes.  A descriptor whose own offset is at the end
 * of its file stays there.  Nothing of a file behind `limit` can be mapped for
 * writing.
 * 0; or -errno, and *err.
 */
int sandbox_limit_writes(enum sandbox_level level, uint64_t limit,
			 uint64_t most, struct error *err);

/*
 * From now on the kernel kills this process when `parent` dies.  0 or -errno;
 * -ESRCH: it is dead already.  A change of the uid resets this: sandbox_enter()
 * sets it again.
 */
int sandbox_die_with_parent(pid_t parent);

/* The level's name on the command line. */
const char *sandbox_name(enum sandbox_level level);

#endif
