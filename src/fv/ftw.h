/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The working block of edk2's fault-tolerant writes: a header, and a queue of
 * writes, each a header with its records (SystemNvDataGuid.h:31-98).  Flags are
 * active low, for a flash can only be programmed to 0.
 */
#ifndef FV_FTW_H
#define FV_FTW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/fv.h"

enum {
	FTW_CRC = 16, /* offsets in the header */
	FTW_STATE = 20,
	FTW_QUEUE_SIZE = 24,
	FTW_HEADER_SIZE = 32,
};

/* Of the last write, the one that is not complete. */
enum ftw_progress {
	FTW_IDLE,     /* there is none */
	FTW_BEGUN,    /* the spare area is not complete */
	FTW_PENDING,  /* it is, the destination may be anything */
	FTW_FINISHED, /* destination too, but not marked complete */
	FTW_BROKEN,   /* it does not fit into the block */
};

struct ftw_queue {
	enum ftw_progress progress;
	size_t offset; /* in the block, of the last write's header */
	bool full;     /* complete writes reach its end, or beyond */
	bool dirty;    /* something lies behind the last one */
	/* Of a pending write's record. */
	uint64_t lba;
	uint64_t end;      /* offset and length, bytes from lba on; or ~0 */
	uint64_t relative; /* of the destination to the spare area */
};

/*
 * Writes FTW_HEADER_SIZE bytes: the only header that the driver accepts for a
 * block of that size (UpdateWorkingBlock.c:38-67).
 */
void ftw_header(uint64_t block_size, uint8_t *header);

/* Reads the queue of a block with a valid header. */
void ftw_read(const uint8_t *block, size_t size, struct ftw_queue *queue);

/* The layout's working block, or its copy in the spare area, is valid. */
bool ftw_valid_at(const struct fv_layout *layout, const uint8_t *image,
		  size_t off);

/*
 * A pending write will copy a whole variable store out of the spare area of an
 * image of that layout to the image's start.
 */
bool ftw_replaces_store(const struct fv_layout *layout, const uint8_t *image);

/* All bytes are 0xff. */
bool fv_is_erased(const uint8_t *p, size_t len);

#endif
