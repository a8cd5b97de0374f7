/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The working block of edk2's fault-tolerant writes (FTW): a header, and a
 * queue of writes.  Each write has a header and records
 * (SystemNvDataGuid.h:31-98).  A flag is set when its bit is 0, because flash
 * can only be programmed to 0.
 */
#ifndef FV_FTW_H
#define FV_FTW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/fv.h"

enum {
	/* Offsets in the working block's header, and its size. */
	FTW_CRC = 16,
	FTW_STATE = 20,
	FTW_QUEUE_SIZE = 24,
	FTW_HEADER_SIZE = 32,
};

/* The progress of the last write, the only one that can be incomplete. */
enum ftw_progress {
	FTW_IDLE,     /* no write is incomplete */
	FTW_BEGUN,    /* the spare area is not complete yet */
	FTW_PENDING,  /* the spare area is complete, the destination not */
	FTW_FINISHED, /* both are complete, the write is not marked so */
	FTW_BROKEN,   /* the write does not fit into the block, or the writes
		       * lead back to its start */
};

struct ftw_queue {
	enum ftw_progress progress;
	size_t offset; /* of the last write's header, in the block; the place
			* for the next write if there is no incomplete one */
	size_t next;   /* end of the last write, if it is incomplete */
	bool full;     /* complete writes fill the block */
	bool dirty;    /* the bytes behind the last write are not erased */
	/* From the record of a pending write; otherwise 0. */
	size_t record;     /* its offset in the block */
	uint64_t lba;      /* the first block of the destination */
	uint64_t end;      /* end of the data, in bytes from lba on; or ~0 */
	uint64_t relative; /* destination minus spare area, modulo 2^64 */
};

/*
 * Writes the FTW_HEADER_SIZE bytes of the only header that the driver accepts
 * for a working block of this size (UpdateWorkingBlock.c:38-67).
 */
void ftw_header(uint64_t block_size, uint8_t *header);

/* Reads the queue of a block of `size` bytes with a valid header. */
void ftw_read(const uint8_t *block, size_t size, struct ftw_queue *queue);

/* The same for the writes from `off` on, which is at most `size`. */
void ftw_read_from(const uint8_t *block, size_t size, size_t off,
		   struct ftw_queue *queue);

/*
 * True if the driver's next start writes nothing for the FTW_BROKEN queue of
 * this block.  It looks at the first record of a write before it uses the sizes
 * in the header (FtwMisc.c:862, 1358), which are not those of any write while
 * they are being written.
 */
bool ftw_is_unwritten(const uint8_t *block, const struct ftw_queue *queue);

/* The effect of the driver's next start on the rest of the volume. */
enum ftw_outcome {
	FTW_LEAVES,  /* none, and the driver is ready for a write */
	FTW_WRITES,  /* it copies the spare area to the destination */
	FTW_UNKNOWN, /* the block has contents that no driver writes */
};

/*
 * Predicts InitFtwProtocol() (FtwMisc.c:1230-1434) for an image of this layout.
 */
enum ftw_outcome ftw_at_boot(const struct fv_layout *layout,
			     const uint8_t *image);

/*
 * True if a valid header for the layout's working block is at `off`: the block
 * itself or its copy in the spare area.
 */
bool ftw_valid_at(const struct fv_layout *layout, const uint8_t *image,
		  size_t off);

/* Reads the queue of the layout's working block; false: it is not valid. */
bool ftw_read_image(const struct fv_layout *layout, const uint8_t *image,
		    struct ftw_queue *queue);

/*
 * True if a pending write will copy a whole variable store from the spare area
 * of an image of this layout to the start of the image.
 */
bool ftw_replaces_store(const struct fv_layout *layout, const uint8_t *image);

/*
 * True if the record of the last write says that the destination is complete,
 * and not that the spare area is, which no driver writes by itself: a burst
 * that would have said so was refused (src/fv/pins_judge.c), and the driver
 * went on.  *at is the record's offset in the image.
 */
bool ftw_was_refused(const struct fv_layout *layout, const uint8_t *image,
		     size_t *at);

/* Makes that write a complete one; the driver does not look at it again. */
void ftw_forget_refused(const struct fv_layout *layout, uint8_t *image);

/*
 * True if the firmware would write something else than that at its next start,
 * before it reads variables.
 */
bool ftw_writes_other(const struct fv_layout *layout, const uint8_t *image);

/*
 * Completes that write as the driver does at its next start (FtwRestart(),
 * FtwAbort(), FaultTolerantWrite.c:657-790): the store comes from the spare
 * area, which is erased, and the write is marked as complete.  Bytes behind the
 * write, which the driver drops first (FtwMisc.c:1390), are erased.
 */
void ftw_complete_store(const struct fv_layout *layout, uint8_t *image);

/* True if all bytes are 0xff, or `len` is 0. */
bool fv_is_erased(const uint8_t *p, size_t len);

#endif
