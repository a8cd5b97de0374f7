/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VARS file: a raw image, opened by its real path, so that its journal
 * lies beside the file and not beside a symbolic link to it.
 */
#ifndef STORE_VARS_H
#define STORE_VARS_H

#include "io.h"

#define VARS_BLOCK_SIZE 4096u

struct vars {
	struct file file;
	char *path;
	struct stat stat;
	uint32_t size;
};

/* With O_RDWR also takes the lock.  Errors as for store_open(). */
int vars_open(struct vars *vars, const struct sys *sys, const char *path,
	      int flags, struct error *err);
void vars_close(struct vars *vars);

/* Room for the image, page-aligned; free() it.  NULL without memory. */
uint8_t *vars_alloc(uint32_t size);

int vars_read(const struct vars *vars, uint8_t *image, struct error *err);

/* Marks the blocks that [off, off + len) touches; one byte for a block. */
void vars_mark(uint8_t *dirty, uint32_t off, uint32_t len);

/* Writes the marked blocks in place and syncs. */
int vars_write(const struct vars *vars, const uint8_t *image,
	       const uint8_t *dirty, struct error *err);

#endif
