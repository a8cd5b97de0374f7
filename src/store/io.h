/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole reads and writes over the table of system calls.  A short transfer is
 * continued and EINTR is repeated; a sync is made once, and its first failure
 * is final (fsync(2): the pages may be gone).  Everything returns 0 or -errno
 * with a sentence that begins with `path`.
 */
#ifndef STORE_IO_H
#define STORE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/files.h"
#include "pflash/sys.h"

/* An open file and its name for messages, which is not its own. */
struct file {
	const struct sys *sys;
	const char *path;
	int fd;
	/* Counts what is written, as a disk does: whole blocks.  Or NULL. */
	uint64_t *written;
};

/* Of the count of written bytes, the map of dirty blocks, and the undo list. */
#define BLOCK_SHIFT 12
#define BLOCK_SIZE (1u << BLOCK_SHIFT)

/* The file of this role, to read it or also to write it. */
int file_open(struct file *file, struct files *files, enum files_role role,
	      bool write, struct error *err);

/* Closes the descriptor, if there is one. */
void file_close(struct file *file);

/* -EUCLEAN if the file ends before `len` bytes. */
int file_read(const struct file *file, void *buf, size_t len, uint64_t off,
	      struct error *err);

int file_write(const struct file *file, const void *buf, size_t len,
	       uint64_t off, struct error *err);

/*
 * Makes the unfinished file of this role, with these bytes; synced, and open
 * for more.  After a failure there is none.
 */
int file_write_new(struct file *file, struct files *files, enum files_role role,
		   const void *bytes, size_t len, struct error *err);

int file_sync(const struct file *file, struct error *err);
int file_truncate(const struct file *file, uint64_t len, struct error *err);

/* -EINVAL if it is no regular file. */
int file_stat(const struct file *file, struct stat *st, struct error *err);

#endif
