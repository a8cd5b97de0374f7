/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Complete reads and writes, through the table of system calls (pflash/sys.h).
 * Private to src/store.  The functions continue a short transfer and repeat a
 * call that fails with EINTR.  They never repeat a sync: after a failure the
 * kernel may have dropped the dirty pages (fsync(2)).
 *
 * Errors: 0, or -errno with a sentence that begins with `path`.
 * Units: offsets and lengths are in bytes, offsets from the start of the file.
 */
#ifndef STORE_IO_H
#define STORE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/files.h"
#include "pflash/sys.h"

struct store_stats;

struct file {
	const struct sys *sys; /* borrowed */
	const char *path;      /* for messages; borrowed */
	int fd;                /* owned; -1: not open */
	struct files_place place;
	/* Of file_open() and file_write_new(); used only with a place. */
	struct files *files;
	enum files_role role;
	/* Where writes and syncs are counted; borrowed, or NULL. */
	struct store_stats *stats;
};

/*
 * The block of the counter of bytes written, of the map of dirty blocks, and of
 * the undo list.
 */
#define BLOCK_SHIFT 12
#define BLOCK_SIZE (1u << BLOCK_SHIFT)

/*
 * Writes the sentence about an open() that failed with `code`, an errno value,
 * where files_ops has none of its own, and returns -errno.
 */
int file_explain(const char *path, int code, struct error *err);

/* Opens the file of this role for reading, and with `write` for writing. */
int file_open(struct file *file, struct files *files, enum files_role role,
	      bool write, struct error *err);

/* Closes the file, if it is open. */
void file_close(struct file *file);

/* Reads the whole file.  The caller frees *bytes; NULL after an error. */
int file_read_all(const struct file *file, uint8_t **bytes, size_t *len,
		  struct error *err);

/* -EUCLEAN if the file ends before `len` bytes. */
int file_read(const struct file *file, void *buf, size_t len, uint64_t off,
	      struct error *err);

int file_write(const struct file *file, const void *buf, size_t len,
	       uint64_t off, struct error *err);

/*
 * Creates the unfinished file of this role (pflash/files.h), writes `bytes` and
 * syncs.  The file stays open.  After an error the file is closed and removed.
 */
int file_write_new(struct file *file, struct files *files, enum files_role role,
		   const void *bytes, size_t len, struct error *err);

/* fdatasync(2). */
int file_sync(const struct file *file, struct error *err);

/*
 * Cuts the file, whose length is `old`.  ftruncate(2); where the file has a
 * place, zeros take the place of the bytes.
 */
int file_truncate(const struct file *file, uint64_t len, uint64_t old,
		  struct error *err);

/* fstat(2), and the length by its place.  -EINVAL: not a regular file. */
int file_stat(const struct file *file, struct stat *st, struct error *err);

#endif
