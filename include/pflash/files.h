/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of one flash: VARS, journal, saved state, queue, pins.  The store
 * names a file by its role, never by its path.  So a store without privileges
 * works through another process that has the paths: the worker uses an
 * implementation that sends requests to the supervisor, other programs use
 * files_local().
 *
 * Each role also has an unfinished file: files_ops.create() makes it, and
 * files_ops.install() renames it to the role's name.  The implementation
 * chooses its path.  An unfinished file that a crash has left has no meaning.
 *
 * Returned descriptors belong to the caller and have O_CLOEXEC.  A name is
 * durable when the directory has been synced.  Functions return 0, or a
 * descriptor, or -errno.
 */
#ifndef PFLASH_FILES_H
#define PFLASH_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/sys.h"

enum files_role {
	FILES_VARS,    /* the flash image */
	FILES_JOURNAL, /* VARS.journal */
	FILES_STATE,   /* VARS.state: the saved state of the chip */
	FILES_NEXT,    /* VARS.next: changes for the next start */
	FILES_PINS,    /* VARS.pins: the values of pinned variables */
	FILES_ROLES,
};

struct files;

/* The use of a file that is opened. */
enum files_access {
	FILES_READ,
	FILES_WRITE, /* and for reading; claims VARS, if it is a block device */
	/*
	 * VARS, for writing, beside the descriptor that has claimed it: other
	 * files of the flash lie on the device.
	 */
	FILES_BESIDE,
};

/*
 * Where a file lies in its descriptor: a device that is complete has all files
 * of a flash (docs/format.md).
 */
struct files_place {
	uint64_t base; /* offset of its first byte */
	uint64_t room; /* its greatest length; 0: it is the whole descriptor */
};

struct files_ops {
	/*
	 * Opens the file.  For writing it also makes its name durable.
	 * -ENOENT: there is none.  -EBUSY: VARS is a block device that
	 * something else uses: another process, a file system, a device on top
	 * of it.  -EBADE: another host has reserved the device.  -ELOOP: a file
	 * other than VARS is a symbolic link.  -ENOLINK: VARS is a symbolic
	 * link to a file that does not exist.
	 */
	int (*open)(struct files *files, enum files_role role,
		    enum files_access access);
	/*
	 * Makes an empty unfinished file, in place of one that was left, and
	 * opens it for reading and writing.  It gets owner and mode of the VARS
	 * file, or, if that is missing, of the journal; without either a new
	 * VARS file gets the process's owner and mode 0600.
	 */
	int (*create)(struct files *files, enum files_role role);
	/*
	 * Renames the unfinished file to the role's name, durably.
	 * Without `replace`: -EEXIST if the name exists; after a failure the
	 * name does not exist.
	 * With `replace`: after a failure, *named is true if the new file has
	 * the name, perhaps not durably, and false if the old one has it.
	 * -EPERM: VARS is never replaced.
	 */
	int (*install)(struct files *files, enum files_role role, bool replace,
		       bool *named);
	/*
	 * Removes the file, durably, or with `unfinished` the role's unfinished
	 * file.  0 also if there is none.  -EPERM: of the finished files only
	 * FILES_STATE and FILES_NEXT may be removed; on a device all but VARS.
	 */
	int (*remove)(struct files *files, enum files_role role,
		      bool unfinished);
	/*
	 * Renames the file to a name that no file has, NAME.kept or
	 * NAME.kept.N, durably; *name is malloc()ed and belongs to the caller.
	 * With `copy` it renames the unfinished journal instead, which the
	 * caller has made a copy of the file.  The copy of a block device is
	 * named after the journal.  NULL: this implementation keeps nothing.
	 */
	int (*keep)(struct files *files, enum files_role role, bool copy,
		    char **name);
	/*
	 * Sets st_size and st_nlink of the file at this place, whose role
	 * open() or create() has used; st_nlink is 0 if another file has its
	 * name.  -EUCLEAN: its header is damaged.  NULL: no file has a place.
	 */
	int (*measure)(struct files *files, enum files_role role, int fd,
		       const struct files_place *place, struct stat *st);
	/*
	 * As sys_find_holder().  NULL: this implementation cannot find the
	 * process.
	 */
	int (*holder)(int fd, char *command, size_t room);
	/*
	 * Writes the sentence of an open() or create() that failed with `code`,
	 * an errno value, and returns -code.  NULL: this implementation has no
	 * path to look at.
	 */
	int (*explain)(const struct files *files, enum files_role role,
		       int code, struct error *err);
	/* Frees the struct. */
	void (*close)(struct files *files);
};

/* The common head of every implementation. */
struct files {
	const struct files_ops *ops;
	/* The files' names for messages; never NULL. */
	const char *name[FILES_ROLES];
	/*
	 * VARS as the user has named it, absolute, but with its symbolic links;
	 * NULL: this implementation does not know.
	 */
	const char *given;
	/* The user has given the journal's path (--journal). */
	bool journal_given;
	/*
	 * Of the descriptor that open() or create() has returned last; `room`
	 * is always valid.
	 */
	struct files_place place[FILES_ROLES];
	/* The caller sets it before install(): length of the new file. */
	uint64_t length[FILES_ROLES];
};

/*
 * The implementation by paths.  `vars` is the path of VARS, which need not
 * exist; `journal` is the path of the journal, NULL: VARS.journal.  The
 * directories of both must exist.  A symbolic link to VARS is resolved first,
 * so the journal is beside the file itself; -ENOENT for a dangling link, which
 * is neither a VARS file nor a place for one.  Both paths are copied and made
 * absolute.  `sys` is borrowed; NULL: sys_kernel.  0, and files_ops.close()
 * frees *out; or -errno and sets *err.
 */
int files_local(struct files **out, const char *vars, const char *journal,
		const struct sys *sys, struct error *err);

/*
 * If VARS is a device that is complete, replaces *files by an implementation
 * that finds all other files on the device; it owns the former *files.
 * Otherwise, and after a failure, *files stays as it is.  -EINVAL: it is
 * complete and has a given journal; -EUCLEAN: its superblock is damaged.  `sys`
 * NULL: sys_kernel.
 */
int files_complete(struct files **files, const struct sys *sys,
		   struct error *err);

/* The longest write to a device that is complete, bytes. */
#define FILES_WRITE_MOST (1u << 20)

/*
 * From now on nothing of *files writes queue or pins: all writes begin below
 * the returned offset, and have at most FILES_WRITE_MOST bytes.  0: not a
 * device that is complete, nothing is changed.
 */
uint64_t files_confine(struct files *files);

/* files_local() and files_complete(). */
int files_find(struct files **out, const char *vars, const char *journal,
	       const struct sys *sys, struct error *err);

/*
 * The size of the image on the open device `fd`; 0: it is not complete.
 * -EUCLEAN: its superblock is damaged.
 */
int files_image_size(int fd, const struct sys *sys, uint32_t *size);

/*
 * For files of files_local() only; with others files_local_own() does nothing,
 * and the functions return -EOPNOTSUPP, or 0 if there is nothing to do.
 * files_local_own(): files_ops.create() gives every file, VARS too, the owner
 * and the mode of `like`.
 * files_local_unlink(): removes the file of any role, durably; 0 also if there
 * is none.  Only the move or the removal of a flash may remove VARS and its
 * journal, and a change of its size its own copies.
 * files_local_sync(): makes what was done to the role's name durable.
 * files_local_unshare(): gives the unfinished file of the role a name that no
 * other process uses, for a caller without the lock on VARS.
 */
void files_local_own(struct files *files, const struct stat *like);
int files_local_unlink(struct files *files, enum files_role role);
int files_local_sync(struct files *files, enum files_role role);
int files_local_unshare(struct files *files, enum files_role role);

/* --- only for an implementation of files_local() --- */

/*
 * Gives the file `fd`, a VARS file not yet installed, owner and mode of the
 * VARS file of `model`.
 */
int files_local_own_like(struct files *model, int fd);

/*
 * Replaces VARS by its unfinished file, of another size, with which the journal
 * would not agree: removes the journal or, with `journal`, replaces it by its
 * unfinished file, durably; and then renames the unfinished file to VARS,
 * durably.  Without its journal VARS must be complete.  After a failure
 * *removed is true if the journal has lost its name, and *named is true if the
 * new VARS has its name; both perhaps not durably.
 */
int files_local_switch(struct files *files, bool journal, bool *removed,
		       bool *named);

#endif
