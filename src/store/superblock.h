/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The layout of a device that is complete: the image at its start, behind it an
 * area for each other file of the flash, and a superblock at its end
 * (docs/format.md, section "A complete device").  Private to src/store.
 *
 *	superblock, in the last block		header of a slot, one block
 *	 0  8 "PFLASHD1"			 0  8 "PFLASHA1"
 *	 8  4 version, 1			 8  8 id of the device
 *	12  4 number of areas, 4		16  4 role of the area
 *	16  8 size of the image			20  4 1 a file, 2 no file
 *	24  8 size of the device		24  8 generation
 *	32  8 id, random			32  8 length of the file
 *	40 64 areas, 16 bytes each:		40  4 CRC32C of 0..39
 *	    8 offset
 *	    8 size of one of its two slots
 *	104 4 CRC32C of 0..103
 *
 * Both are in their block twice, at 0 and at half of the block.
 *
 * Image, journal and state, which the worker of a running guest writes, lie
 * below superblock_limit(); queue and pins begin SUPERBLOCK_GAP behind it.  So
 * a filter of system calls that knows offset and length, but cannot add, keeps
 * queue, pins and superblock from a worker that its guest controls.
 *
 * A guest can write only the image, which is at most STORE_MAX_SIZE long.  A
 * superblock counts only on a larger device, so no guest can make one.
 */
#ifndef STORE_SUPERBLOCK_H
#define STORE_SUPERBLOCK_H

#include "io.h"

#include "pflash/store.h"

#define SUPERBLOCK_AREAS 4u /* the roles behind FILES_VARS */
#define SUPERBLOCK_GAP FILES_WRITE_MOST

struct area {
	uint64_t offset; /* of slot 0; slot 1 follows */
	uint64_t size;   /* of a slot, with its header: whole blocks */
};

struct superblock {
	uint64_t image;  /* bytes */
	uint64_t device; /* bytes */
	uint64_t id;
	struct area area[SUPERBLOCK_AREAS]; /* of the role: its index + 1 */
};

enum slot_kind {
	SLOT_INVALID,
	SLOT_FILE,
	SLOT_NO_FILE,
};

struct slot_header {
	enum slot_kind kind;
	uint64_t generation;
	uint64_t length;
};

/* `block` is BLOCK_SIZE bytes. */
void superblock_encode(uint8_t *block, const struct superblock *super);

/*
 * 1: decoded; 0: the block is no superblock; -EUCLEAN: it is a damaged one, one
 * of another version, or one of another device size.
 */
int superblock_decode(struct superblock *super, const uint8_t *block,
		      uint64_t device);

/*
 * Lays out a device of `device` bytes for an image; the journal gets the room
 * that is left, up to a limit.  -ENOSPC: superblock_least() says how much it
 * takes.
 */
int superblock_plan(struct superblock *super, uint32_t image, uint64_t device);
uint64_t superblock_least(uint32_t image);

/*
 * The greatest burst_limit of a store whose journal has a place: a burst of the
 * whole image is not split.
 */
uint32_t superblock_burst_most(uint32_t image);

/*
 * Lowers history->bytes so far that the journal never exceeds its place, if it
 * has one, with this burst_limit and journal_limit of the store.
 */
void superblock_fit_history(const struct files *files, uint32_t image,
			    uint32_t burst_limit, uint32_t journal_limit,
			    struct store_history *history);

/*
 * Reads the superblock of the open device.  As superblock_decode(); 0 also for
 * anything else than a device or file of more than STORE_MAX_SIZE bytes; or the
 * -errno of a system call.
 */
int superblock_read(struct superblock *super, const struct sys *sys, int fd);

/*
 * The error of an open block device without a superblock and without a given
 * journal; the sentence says whether it has one that is not at its end.
 */
int superblock_missing(const struct file *device, struct error *err);

/* The size of an open block device or regular file; 0: neither; or -errno. */
int64_t superblock_device_size(const struct sys *sys, int fd);

void slot_encode(uint8_t *block, const struct superblock *super,
		 enum files_role role, const struct slot_header *header);

/* kind is SLOT_INVALID if the block is no header of this area. */
void slot_decode(struct slot_header *header, const struct superblock *super,
		 enum files_role role, const uint8_t *block);

static inline const struct area *
superblock_area(const struct superblock *super, enum files_role role)
{
	return &super->area[role - 1];
}

/* The end of the area of the state. */
uint64_t superblock_limit(const struct superblock *super);

/* The offset of the slot's header on the device. */
static inline uint64_t
slot_offset(const struct area *area, unsigned int slot)
{
	return area->offset + slot * area->size;
}

#endif
