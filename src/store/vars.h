/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VARS file: a raw image.  It may be a block device; then its journal lies
 * where the configuration says.
 */
#ifndef STORE_VARS_H
#define STORE_VARS_H

#include "io.h"

#include "pflash/store.h"

struct vars {
	struct file file;
	struct files *files;
	bool own_files; /* not the configuration's */
	struct stat stat;
	uint32_t size;
};

enum vars_use {
	VARS_LOOK,  /* without a lock: it may change */
	VARS_READ,  /* with others who only read */
	VARS_WRITE, /* alone */
};

/*
 * Sets `files` and `sys`, those of the configuration or its own; opens nothing.
 * Also after a failure, vars_close().
 */
int vars_init(struct vars *vars, const struct store_config *config,
	      struct error *err);

/* Does vars_init(), too.  Errors as for store_open(). */
int vars_open(struct vars *vars, const struct store_config *config,
	      enum vars_use use, struct error *err);
void vars_close(struct vars *vars);

/* Room for the image, page-aligned; free() it.  NULL without memory. */
uint8_t *vars_alloc(uint32_t size);

int vars_read(const struct vars *vars, uint8_t *image, struct error *err);

/*
 * Makes all of VARS durable, which has this image, but maybe in the page cache
 * only: after a sync that failed, another one may find nothing left to do.
 */
int vars_settle(const struct vars *vars, const uint8_t *image,
		struct error *err);

/* Marks the blocks that [off, off + len) touches; one byte for a block. */
void vars_mark(uint8_t *dirty, uint32_t off, uint32_t len);

/* Writes the marked blocks in place and syncs. */
int vars_write(const struct vars *vars, const uint8_t *image,
	       const uint8_t *dirty, struct error *err);

#endif
