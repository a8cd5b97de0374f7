/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole reads and writes over the table of system calls.  A short transfer is
 * continued and EINTR is repeated; a sync is made once, and its first failure
 * is final (fsync(2): the pages may be gone).  Everything returns 0 or -errno
 * with a sentence that begins with `path`.
 */
#ifndef STORE_IO_H
#define STORE_IO_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/sys.h"

/* An open file and its name for messages, which is not its own. */
struct file {
	const struct sys *sys;
	const char *path;
	int fd;
	/* Counts what is written, as a disk does: whole blocks.  Or NULL. */
	uint64_t *written;
};

#define FILE_BLOCK 4096u

/* As open(2), always with O_CLOEXEC. */
int file_open(struct file *file, int flags, mode_t mode, struct error *err);

/* Closes the descriptor, if there is one. */
void file_close(struct file *file);

/* -EUCLEAN if the file ends before `len` bytes. */
int file_read(const struct file *file, void *buf, size_t len, uint64_t off,
	      struct error *err);

int file_write(const struct file *file, const void *buf, size_t len,
	       uint64_t off, struct error *err);

/*
 * Makes file->path anew with these bytes, and the owner and mode of `like`;
 * synced, and open for more.  A file of that name is an unfinished one and
 * goes: the lock on VARS makes the name free.
 */
int file_write_new(struct file *file, const void *bytes, size_t len,
		   const struct stat *like, struct error *err);

int file_sync(const struct file *file, struct error *err);
int file_truncate(const struct file *file, uint64_t len, struct error *err);

/* -EINVAL if it is no regular file. */
int file_stat(const struct file *file, struct stat *st, struct error *err);

/* Owner and mode of another file; only root may give a file away. */
int file_own_like(const struct file *file, const struct stat *st,
		  struct error *err);

/* Makes the entry of `path` in its directory durable. */
int file_sync_directory(const struct sys *sys, const char *path,
			struct error *err);

#endif
