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
 * Each function takes the files of a flash (files_local()).  There is a record
 * for the path of VARS without symbolic links, and another one for the path as
 * the user has named it: a link that is gone, or leads elsewhere now, is no
 * reason for a new file.  `sys` is borrowed; NULL: sys_kernel.  Errors: -errno
 * and a sentence.
 */
#ifndef PFLASH_KNOWN_H
#define PFLASH_KNOWN_H

#include <stdbool.h>

#include "pflash/error.h"
#include "pflash/files.h"
#include "pflash/sys.h"

#define KNOWN_DIRECTORY "/var/lib/pflashd/known"

/* Records the paths, durably; makes the directory if it is missing. */
int known_add(const struct sys *sys, const struct files *files,
	      struct error *err);

/*
 * 0: there is no record of these paths.  -EEXIST: there is one; the sentence
 * says what to do, and after several moves where the file is now.  Other
 * errors: there may be one.
 */
int known_check(const struct sys *sys, const struct files *files,
		struct error *err);

/*
 * The path of VARS where moves have led the flash that was here, in malloc()ed
 * memory; NULL: no record says so.
 */
char *known_place(const struct sys *sys, const struct files *files);

/*
 * After a move: records `to`, and in the records of `from` that the file is now
 * `to`.  So a guest whose options still have the old path is refused.
 */
int known_move(const struct sys *sys, const struct files *from,
	       const struct files *to, struct error *err);

/* Removes the records, durably.  *found is false if there was none. */
int known_forget(const struct sys *sys, const struct files *files, bool *found,
		 struct error *err);

#endif
