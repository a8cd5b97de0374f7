/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process gives up before it reads what a guest has written.
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
	SANDBOX_MOST, /* as much as there is */
};

#define SANDBOX_USER "pflashd"

struct sandbox {
	enum sandbox_level level;
	const char *user;            /* a name, or a number */
	struct transport *transport; /* its handles; NULL: none */
	const char *root;            /* an empty directory; it is made */
	uint64_t file_size;          /* that it may write, bytes */
	uint64_t memory;             /* beyond what it has, bytes */
};

/*
 * The level that was reached, with why it is not the full one in `note`; or
 * -errno, if less than sandbox->level can be had.  What was given up is not
 * taken back then.
 */
int sandbox_enter(const struct sandbox *sandbox, struct error *note);

/* Dies with its parent from now on, also when it has another user; -errno. */
int sandbox_follow(pid_t parent);

/* As on the command line. */
const char *sandbox_name(enum sandbox_level level);

#endif
