/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of one flash, by role.  The store says which file it means and
 * what is to be done with its name; a name itself never passes this interface,
 * so that a store without any privilege works through a process that has them.
 *
 * An unfinished file belongs to each role: files_ops.create() makes it, and
 * files_ops.install() gives it the role's name.  The implementation decides
 * where it lies; a file that a crash has left means nothing.
 *
 * Descriptors are the caller's, opened with O_CLOEXEC.  Errors are -errno.
 */
#ifndef PFLASH_FILES_H
#define PFLASH_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "pflash/error.h"
#include "pflash/sys.h"

enum files_role {
	FILES_VARS,    /* the image */
	FILES_JOURNAL, /* its journal */
	FILES_STATE,   /* what the chip keeps beside its array */
	FILES_ROLES,
};

struct files;

struct files_ops {
	/*
	 * Opens the file, to read it or also to write it; in that case its
	 * name is durable.  -ENOENT: there is none.  A journal or state that
	 * is a symbolic link is refused (-ELOOP).
	 */
	int (*open)(struct files *files, enum files_role role, bool write);
	/*
	 * Makes the unfinished file, empty, in place of one that was left, and
	 * opens it to read and write.  It has owner and mode of the VARS file;
	 * a new VARS file itself belongs to the process, with mode 0600.
	 */
	int (*create)(struct files *files, enum files_role role);
	/*
	 * Gives the unfinished file the role's name, durably.  Without
	 * `replace` the name must be free (-EEXIST), and a failure leaves it
	 * free.  With `replace`, *named says after a failure which file has the
	 * name: the new one, not known to be durable, or the old one.  VARS is
	 * never replaced (-EPERM).
	 */
	int (*install)(struct files *files, enum files_role role, bool replace,
		       bool *named);
	/*
	 * Removes the file, durably, or its unfinished one; 0 also if there is
	 * none.  Only FILES_STATE has a name that may be removed (-EPERM).
	 */
	int (*remove)(struct files *files, enum files_role role,
		      bool unfinished);
	/*
	 * The process that has a lock on the file behind `fd`, 0 if that cannot
	 * be told, and its command line.  NULL: it can never be told.
	 */
	int (*holder)(int fd, char *command, size_t room);
	/* Frees it. */
	void (*close)(struct files *files);
};

/* The common head of every implementation. */
struct files {
	const struct files_ops *ops;
	/* Their names in messages; never NULL. */
	const char *name[FILES_ROLES];
	/* The user has named the journal: it need not lie beside VARS. */
	bool journal_given;
};

/*
 * The files of this VARS file and journal (NULL: beside it), by their names in
 * the file system.  Symbolic links to VARS are followed, so that the journal
 * lies beside the file itself.  VARS need not exist.  `sys` is borrowed; NULL:
 * sys_kernel.  Both paths are copied, and made absolute.
 */
int files_local(struct files **out, const char *vars, const char *journal,
		const struct sys *sys, struct error *err);

#endif
