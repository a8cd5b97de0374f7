/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records of the VARS files that a guest has used on this host.  pflashd
 * makes a VARS file from a template or a layout only where there is no record:
 * a guest that had variables must not start without them because a file system
 * is not mounted, or because the guest or its file has another name now.
 *
 * A record is a small text file in KNOWN_DIRECTORY, or in the directory that
 * the environment variable PFLASH_KNOWN_DIR names: a line `vars PATH`, and
 * after a move a line `moved PATH`.  The record of a path has a name that is
 * made of the path.  It is written after the VARS file was created, and before
 * the guest runs.
 *
 * `vars` is the path of a VARS file as struct files has it: absolute, without
 * symbolic links.  `sys` is borrowed; NULL: sys_kernel.  Errors: -errno and a
 * sentence.
 */
#ifndef PFLASH_KNOWN_H
#define PFLASH_KNOWN_H

#include <stdbool.h>

#include "pflash/error.h"
#include "pflash/sys.h"

#define KNOWN_DIRECTORY "/var/lib/pflashd/known"

/* Records the path, durably; makes the directory if it is missing. */
int known_add(const struct sys *sys, const char *vars, struct error *err);

/*
 * 0: there is no record of this path.  -EEXIST: there is one; the sentence says
 * what to do.  Other errors: there may be one.
 */
int known_check(const struct sys *sys, const char *vars, struct error *err);

/*
 * After a move: records `to`, and in the record of `from` that the file is now
 * `to`.  So a guest whose options still have the old path is refused.
 */
int known_move(const struct sys *sys, const char *from, const char *to,
	       struct error *err);

/* Removes the record, durably.  *found is false if there was none. */
int known_forget(const struct sys *sys, const char *vars, bool *found,
		 struct error *err);

#endif
