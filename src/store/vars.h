/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VARS file: a raw image, in a regular file or on a block device.  Private
 * to src/store.  A block device has no journal beside it, so its configuration
 * must give the path of the journal.
 *
 * Errors: 0, or -errno with a sentence that begins with the path of VARS.
 */
#ifndef STORE_VARS_H
#define STORE_VARS_H

#include "io.h"

#include "pflash/store.h"

struct vars {
	struct file file;
	struct files *files; /* of the configuration, or own */
	bool own_files;      /* vars_close() frees `files` */
	struct stat stat;    /* when it was opened */
	uint32_t size;       /* of the image, in bytes */
};

enum vars_use {
	VARS_LOOK,  /* without a lock: the file may change */
	VARS_READ,  /* with a lock that other readers share */
	VARS_WRITE, /* with an exclusive lock */
};

/*
 * Sets `files` and `file.sys` from the configuration; creates `files` if it has
 * none.  Opens nothing.  The caller calls vars_close() also after an error.
 */
int vars_init(struct vars *vars, const struct store_config *config,
	      struct error *err);

/*
 * Calls vars_init(), opens the file, locks it and checks its type and size.
 * Errors as for store_open(); nothing is open then.
 */
int vars_open(struct vars *vars, const struct store_config *config,
	      enum vars_use use, struct error *err);
void vars_close(struct vars *vars);

/*
 * Sets `stat` of an open file.  -EINVAL: neither a regular file nor a block
 * device with a given journal; -EMLINK: hard links.
 */
int vars_check_kind(struct vars *vars, struct error *err);

/* The size in bytes of the open file or device, or -errno. */
off_t vars_length(const struct vars *vars);

/*
 * Allocates memory for an image, aligned to a page.  The caller frees it with
 * free().  NULL: out of memory.
 */
uint8_t *vars_alloc(uint32_t size);

/* Reads the image, vars->size bytes.  -EUCLEAN: the file has become shorter. */
int vars_read(const struct vars *vars, uint8_t *image, struct error *err);

/*
 * Proves that this process still has the lock on VARS, and that no other host
 * has had it in between: writes the first byte again, and syncs.  The server of
 * a network file system that has given the lock to another host refuses the
 * write, because it belongs to the lock; names of files do not.  A device has
 * no lock between hosts: nothing happens.
 */
int vars_hold(const struct vars *vars, struct error *err);

/*
 * Writes the image, which VARS already has, again, and syncs.  A sync without
 * the write is not enough: if an earlier sync failed, the bytes may be in the
 * page cache only, and the kernel may have forgotten that they are dirty.
 */
int vars_settle(const struct vars *vars, const uint8_t *image,
		struct error *err);

/*
 * Marks the blocks that the range [off, off + len) touches; `dirty` has one
 * byte for each block.
 */
void vars_mark(uint8_t *dirty, uint32_t off, uint32_t len);

/* Writes the marked blocks of the image in place, and syncs. */
int vars_write(const struct vars *vars, const uint8_t *image,
	       const uint8_t *dirty, struct error *err);

#endif
