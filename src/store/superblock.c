/* SPDX-License-Identifier: BSD-2-Clause */
#include "superblock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "compose.h"
#include "crc32c.h"
#include "journal.h"

#include "pflash/le.h"
#include "pflash/queue.h"

#define SUPER_MAGIC "PFLASHD1"
#define SUPER_VERSION 1u
#define SUPER_CRC 104u
#define SLOT_MAGIC "PFLASHA1"
#define SLOT_CRC 40u
#define COPY (BLOCK_SIZE / 2)

#define HISTORY_MOST (8u << 20) /* of the journal of a large device */
#define RECORD_ROOM (RECORD_HEADER_SIZE + RECORD_CHAIN_SIZE)
/* Checkpoint and done records of a few openings. */
#define SMALL_RECORDS (64u * (RECORD_ROOM + 4))
/* A superblock that is not at the end is looked for up to here. */
#define SEARCH_MOST (UINT64_C(256) << 20)
#define STATE_ROOM (3u * BLOCK_SIZE)

/* Appends the checksum of `len` bytes, and makes the copy. */
static void
seal(uint8_t *block, size_t len)
{
	put_le32(block + len, crc32c(0, block, len));
	memcpy(block + COPY, block, len + 4);
}

/* The first copy that is whole, or NULL. */
static const uint8_t *
open_seal(const uint8_t *block, const char *magic, size_t len)
{
	for (const uint8_t *p = block; p <= block + COPY; p += COPY)
		if (!memcmp(p, magic, 8) &&
		    get_le32(p + len) == crc32c(0, p, len))
			return p;
	return NULL;
}

void
superblock_encode(uint8_t *block, const struct superblock *super)
{
	memset(block, 0, BLOCK_SIZE);
	memcpy(block, SUPER_MAGIC, 8);
	put_le32(block + 8, SUPER_VERSION);
	put_le32(block + 12, SUPERBLOCK_AREAS);
	put_le64(block + 16, super->image);
	put_le64(block + 24, super->device);
	put_le64(block + 32, super->id);
	for (unsigned int i = 0; i < SUPERBLOCK_AREAS; i++) {
		put_le64(block + 40 + 16 * i, super->area[i].offset);
		put_le64(block + 48 + 16 * i, super->area[i].size);
	}
	seal(block, SUPER_CRC);
}

/* The areas are in order, apart, and between the image and the superblock. */
static bool
is_sound(const struct superblock *super)
{
	uint64_t end = super->image, most = super->device - BLOCK_SIZE;

	if (!super->image || super->image > STORE_MAX_SIZE ||
	    super->image % BLOCK_SIZE || super->device % BLOCK_SIZE ||
	    super->device <= super->image)
		return false;
	for (unsigned int i = 0; i < SUPERBLOCK_AREAS; i++) {
		const struct area *area = &super->area[i];

		if (area->offset % BLOCK_SIZE || area->size % BLOCK_SIZE ||
		    area->size <= BLOCK_SIZE || area->offset < end ||
		    area->offset > most ||
		    area->size > (most - area->offset) / 2)
			return false;
		end = area->offset + 2 * area->size;
		if (i == FILES_STATE - 1)
			end += SUPERBLOCK_GAP;
	}
	return true;
}

int
superblock_decode(struct superblock *super, const uint8_t *block,
		  uint64_t device)
{
	const uint8_t *p = open_seal(block, SUPER_MAGIC, SUPER_CRC);

	if (!p)
		return memcmp(block, SUPER_MAGIC, 8) &&
				       memcmp(block + COPY, SUPER_MAGIC, 8) ?
			       0 :
			       -EUCLEAN;
	super->image = get_le64(p + 16);
	super->device = get_le64(p + 24);
	super->id = get_le64(p + 32);
	for (unsigned int i = 0; i < SUPERBLOCK_AREAS; i++) {
		super->area[i].offset = get_le64(p + 40 + 16 * i);
		super->area[i].size = get_le64(p + 48 + 16 * i);
	}
	if (get_le32(p + 8) != SUPER_VERSION ||
	    get_le32(p + 12) != SUPERBLOCK_AREAS || super->device != device ||
	    !is_sound(super))
		return -EUCLEAN;
	return 1;
}

/* Operation headers take no more room than the equal bytes between ranges. */
static uint64_t
whole_image(uint32_t image)
{
	return RECORD_ROOM + 2 * OPERATION_HEADER_SIZE + (uint64_t)image;
}

uint32_t
superblock_burst_most(uint32_t image)
{
	uint32_t whole = image + 2 * OPERATION_HEADER_SIZE;

	return whole > STORE_BURST_LIMIT ? whole : STORE_BURST_LIMIT;
}

/*
 * The room that a journal needs besides its history: header, snapshot, and
 * twice what may be dropped but is not yet worth it, because store_settle()
 * looks at a journal of a greatest age as seldom.  Then what the guest writes
 * up to the limit, with the burst that exceeds it, and one more.  The operation
 * that exceeds burst_limit may be as long as the image.
 */
static uint64_t
journal_room(uint32_t image, uint32_t burst_limit, uint32_t journal_limit)
{
	uint64_t burst = RECORD_ROOM + (uint64_t)burst_limit +
			 OPERATION_HEADER_SIZE + image;

	return JOURNAL_HEADER_SIZE + whole_image(image) +
	       2 * (uint64_t)COMPOSE_SLACK + journal_limit + 2 * burst +
	       SMALL_RECORDS;
}

void
superblock_fit_history(const struct files *files, uint32_t image,
		       uint32_t burst_limit, uint32_t journal_limit,
		       struct store_history *history)
{
	uint64_t room = files->place[FILES_JOURNAL].room;
	uint64_t needed = journal_room(image, burst_limit, journal_limit);

	if (!room)
		return;
	room = room > needed ? room - needed : 0;
	if (history->bytes > room)
		history->bytes = room;
}

static uint64_t
blocks(uint64_t bytes)
{
	return (bytes + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
}

/* A slot of the journal, without history. */
static uint64_t
journal_slot(uint32_t image)
{
	return BLOCK_SIZE + journal_room(image, superblock_burst_most(image),
					 STORE_JOURNAL_LIMIT);
}

/* A slot of changes: more than the values of all variables of an image. */
static uint64_t
changes_slot(uint32_t image)
{
	uint64_t room = 2 * (uint64_t)image + (64u << 10);

	return BLOCK_SIZE + (room < QUEUE_SIZE_MOST ? room : QUEUE_SIZE_MOST);
}

/* All but the journal. */
static uint64_t
rest(uint32_t image)
{
	return image + 2 * (BLOCK_SIZE + STATE_ROOM) + SUPERBLOCK_GAP +
	       4 * changes_slot(image) + BLOCK_SIZE;
}

uint64_t
superblock_least(uint32_t image)
{
	uint64_t least = rest(image) +
			 2 * blocks(journal_slot(image) + STORE_HISTORY_BYTES);

	return least > STORE_MAX_SIZE ? least : STORE_MAX_SIZE + BLOCK_SIZE;
}

int
superblock_plan(struct superblock *super, uint32_t image, uint64_t device)
{
	uint64_t most = blocks(journal_slot(image) + HISTORY_MOST), slot, end;
	const uint64_t sizes[] = {
		[FILES_STATE - 1] = BLOCK_SIZE + STATE_ROOM,
		[FILES_NEXT - 1] = changes_slot(image),
		[FILES_PINS - 1] = changes_slot(image),
	};

	device -= device % BLOCK_SIZE;
	if (device < superblock_least(image))
		return -ENOSPC;
	slot = (device - rest(image)) / 2;
	slot -= slot % BLOCK_SIZE;
	super->image = end = image;
	super->device = device;
	for (unsigned int i = 0; i < SUPERBLOCK_AREAS; i++) {
		struct area *area = &super->area[i];

		area->offset = end;
		area->size = i == FILES_JOURNAL - 1 ?
				     (slot < most ? slot : most) :
				     sizes[i];
		end += 2 * area->size;
		if (i == FILES_STATE - 1)
			end += SUPERBLOCK_GAP;
	}
	return 0;
}

uint64_t
superblock_limit(const struct superblock *super)
{
	const struct area *last = superblock_area(super, FILES_STATE);

	return last->offset + 2 * last->size;
}

int64_t
superblock_device_size(const struct sys *sys, int fd)
{
	struct stat st;
	off_t size = 0;

	if (sys->fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		size = st.st_size;
	else if (S_ISBLK(st.st_mode))
		size = sys->lseek(fd, 0, SEEK_END);
	return size < 0 ? -errno : size;
}

int
superblock_read(struct superblock *super, const struct sys *sys, int fd)
{
	int64_t size = superblock_device_size(sys, fd);
	const struct file file = { .sys = sys, .fd = fd, .path = "" };
	uint8_t block[BLOCK_SIZE];
	int rc;

	if (size <= (int64_t)STORE_MAX_SIZE)
		return size < 0 ? (int)size : 0;
	size -= size % BLOCK_SIZE;
	rc = file_read(&file, block, BLOCK_SIZE, (uint64_t)size - BLOCK_SIZE,
		       NULL);
	return rc ? rc : superblock_decode(super, block, (uint64_t)size);
}

/* Looks for the superblock of a device that has grown; 0: there is none. */
static uint64_t
former_size(const struct file *device)
{
	int64_t size = superblock_device_size(device->sys, device->fd);
	uint64_t most = size < (int64_t)SEARCH_MOST ? (uint64_t)size :
						      SEARCH_MOST;
	struct superblock super;
	uint8_t block[BLOCK_SIZE];

	if (size < 0)
		return 0;
	for (uint64_t end = STORE_MAX_SIZE + BLOCK_SIZE; end < most;
	     end += BLOCK_SIZE) {
		if (file_read(device, block, BLOCK_SIZE, end - BLOCK_SIZE,
			      NULL))
			return 0;
		if (superblock_decode(&super, block, end) > 0)
			return end;
	}
	return 0;
}

int
superblock_missing(const struct file *device, struct error *err)
{
	uint64_t former = former_size(device);

	if (former)
		return error_set(err, EINVAL,
				 "%s: was prepared as a complete device of "
				 "%" PRIu64 " bytes, and has grown: give it "
				 "this size again",
				 device->path, former);
	return error_set(err, EINVAL,
			 "%s: a block device without room for a journal: "
			 "--journal must say where it is, or `pflashctl create "
			 "--device` prepares a device of more than 16 MiB, so "
			 "that it has all files of the flash",
			 device->path);
}

void
slot_encode(uint8_t *block, const struct superblock *super,
	    enum files_role role, const struct slot_header *header)
{
	memset(block, 0, BLOCK_SIZE);
	memcpy(block, SLOT_MAGIC, 8);
	put_le64(block + 8, super->id);
	put_le32(block + 16, role);
	put_le32(block + 20, header->kind);
	put_le64(block + 24, header->generation);
	put_le64(block + 32, header->length);
	seal(block, SLOT_CRC);
}

void
slot_decode(struct slot_header *header, const struct superblock *super,
	    enum files_role role, const uint8_t *block)
{
	const uint8_t *p = open_seal(block, SLOT_MAGIC, SLOT_CRC);
	uint32_t kind = p ? get_le32(p + 20) : 0;

	header->kind = SLOT_INVALID;
	if (!p || get_le64(p + 8) != super->id || get_le32(p + 16) != role ||
	    (kind != SLOT_FILE && kind != SLOT_NO_FILE))
		return;
	header->generation = get_le64(p + 24);
	header->length = get_le64(p + 32);
	/* No generation follows the last one, which is never written. */
	if (header->generation == UINT64_MAX ||
	    header->length > superblock_area(super, role)->size - BLOCK_SIZE)
		return;
	header->kind = (enum slot_kind)kind;
}
