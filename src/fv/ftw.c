/* SPDX-License-Identifier: BSD-2-Clause */
#include "ftw.h"

#include <string.h>

#include "guid.h"

#include "pflash/le.h"

#define FTW_VALID 0xfffffffeu /* only WorkingBlockValid is set */

/* EFI_FAULT_TOLERANT_WRITE_HEADER (SystemNvDataGuid.h:70-78). */
enum {
	WRITE_COUNT = 24,
	WRITE_PRIVATE = 32,
	WRITE_SIZE = 40,
};
#define WRITE_COMPLETE 0x04u

/* EFI_FAULT_TOLERANT_WRITE_RECORD (SystemNvDataGuid.h:83-98). */
enum {
	RECORD_LBA = 8,
	RECORD_OFFSET = 16,
	RECORD_LENGTH = 24,
	RECORD_RELATIVE = 32,
	RECORD_SIZE = 40,
};
#define RECORD_SPARE_DONE 0x02u
#define RECORD_DONE 0x04u

/* CRC-32 of IEEE 802.3, as in edk2; without a table, for 32 bytes only. */
static uint32_t
crc32(const uint8_t *p, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (; len; p++, len--) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* The CRC covers the header with the fields CRC and State still erased. */
void
ftw_header(uint64_t block_size, uint8_t *header)
{
	uint32_t crc;

	memset(header, 0xff, FTW_HEADER_SIZE);
	memcpy(header, guid_working_block, GUID_SIZE);
	put_le64(header + FTW_QUEUE_SIZE, block_size - FTW_HEADER_SIZE);
	crc = crc32(header, FTW_HEADER_SIZE);
	put_le32(header + FTW_CRC, crc);
	put_le32(header + FTW_STATE, FTW_VALID);
}

bool
fv_is_erased(const uint8_t *p, size_t len)
{
	return !len || (p[0] == 0xff && !memcmp(p, p + 1, len - 1));
}

/*
 * FTW_WRITE_TOTAL_SIZE: the bytes of the write at `p`, header and records.  0
 * if it has no record or is longer than `left`.
 */
static size_t
write_size(const uint8_t *p, size_t left)
{
	uint64_t count = get_le64(p + WRITE_COUNT);
	uint64_t private = get_le64(p + WRITE_PRIVATE);

	if (!count || count > left || private > left)
		return 0;
	if (count * (RECORD_SIZE + private) > left - WRITE_SIZE)
		return 0;
	return (size_t)(WRITE_SIZE + count * (RECORD_SIZE + private));
}

/* FtwGetLastWriteRecord() (FtwMisc.c:848) and FtwMisc.c:1358. */
static void
read_records(const uint8_t *block, struct ftw_queue *queue)
{
	const uint8_t *write = block + queue->offset;
	uint64_t count = get_le64(write + WRITE_COUNT);
	uint64_t size = RECORD_SIZE + get_le64(write + WRITE_PRIVATE);
	const uint8_t *record = write + WRITE_SIZE;

	queue->progress = FTW_FINISHED;
	for (; count; count--, record += size) {
		if (!(record[0] & RECORD_DONE))
			continue;
		queue->progress = FTW_BEGUN;
		if (record[0] & RECORD_SPARE_DONE)
			return;
		queue->progress = FTW_PENDING;
		queue->record = (size_t)(record - block);
		queue->lba = get_le64(record + RECORD_LBA);
		queue->end = get_le64(record + RECORD_OFFSET);
		if (__builtin_add_overflow(queue->end,
					   get_le64(record + RECORD_LENGTH),
					   &queue->end))
			queue->end = UINT64_MAX;
		queue->relative = get_le64(record + RECORD_RELATIVE);
		return;
	}
}

/* The sizes in a write's header are erased while it is incomplete. */
static bool
is_torn(const uint8_t *write)
{
	return fv_is_erased(write + WRITE_COUNT, WRITE_SIZE - WRITE_COUNT);
}

/*
 * The header behind a complete write, as FtwGetLastWriteHeader() adds it up,
 * modulo 2^64: a write that was abandoned before its sizes were written has one
 * byte.  `size` or more: the block is full.
 */
static uint64_t
next_header(const uint8_t *block, size_t off)
{
	uint64_t count = get_le64(block + off + WRITE_COUNT);
	uint64_t private = get_le64(block + off + WRITE_PRIVATE);

	return off + WRITE_SIZE + count * (RECORD_SIZE + private);
}

static void
read_last(const uint8_t *block, size_t size, struct ftw_queue *queue)
{
	const uint8_t *write = block + queue->offset;
	size_t left = size - queue->offset;
	size_t used = 0;

	queue->next = size;

	/* The driver tests for any flag, not for HeaderAllocated. */
	if (write[0] == 0xff) {
		queue->dirty = !fv_is_erased(write, left);
		return;
	}
	used = write_size(write, left);
	if (used) {
		read_records(block, queue);
		queue->next = queue->offset + used;
		queue->dirty = !fv_is_erased(write + used, left - used);
	} else if (is_torn(write)) {
		queue->progress = FTW_BEGUN;
		queue->next = (size_t)next_header(block, queue->offset);
	} else {
		queue->progress = FTW_BROKEN;
	}
}

bool
ftw_is_unwritten(const uint8_t *block, const struct ftw_queue *queue)
{
	const uint8_t *write = block + queue->offset;
	const uint8_t flags = RECORD_SPARE_DONE | RECORD_DONE;

	return (write[0] & WRITE_COMPLETE) && get_le64(write + WRITE_COUNT) &&
	       (write[WRITE_SIZE] & flags) == flags;
}

/* FtwGetLastWriteHeader() (FtwMisc.c:800) and UpdateWorkingBlock.c:305. */
void
ftw_read_from(const uint8_t *block, size_t size, size_t off,
	      struct ftw_queue *queue)
{
	uint64_t next;

	memset(queue, 0, sizeof(*queue));
	queue->offset = off;
	while (size - queue->offset >= WRITE_SIZE + RECORD_SIZE) {
		if (block[queue->offset] & WRITE_COMPLETE) {
			read_last(block, size, queue);
			return;
		}
		next = next_header(block, queue->offset);
		if (next <= queue->offset) {
			queue->progress = FTW_BROKEN;
			queue->next = size;
			return;
		}
		queue->offset = next < size ? (size_t)next : size;
	}
	queue->full = true;
	queue->next = size;
}

void
ftw_read(const uint8_t *block, size_t size, struct ftw_queue *queue)
{
	ftw_read_from(block, size, FTW_HEADER_SIZE, queue);
}

bool
ftw_valid_at(const struct fv_layout *layout, const uint8_t *image, size_t off)
{
	uint8_t header[FTW_HEADER_SIZE];

	ftw_header(layout->ftw_spare - layout->ftw_work, header);
	return !memcmp(image + off, header, FTW_HEADER_SIZE);
}

bool
ftw_read_image(const struct fv_layout *layout, const uint8_t *image,
	       struct ftw_queue *queue)
{
	if (!ftw_valid_at(layout, image, layout->ftw_work))
		return false;
	ftw_read(image + layout->ftw_work, layout->ftw_spare - layout->ftw_work,
		 queue);
	return true;
}

bool
ftw_replaces_store(const struct fv_layout *layout, const uint8_t *image)
{
	struct ftw_queue queue;

	return ftw_read_image(layout, image, &queue) &&
	       queue.progress == FTW_PENDING && queue.lba == 0 &&
	       queue.end >= layout->variable_size &&
	       queue.end <= layout->size - layout->ftw_spare &&
	       queue.relative == -(uint64_t)layout->ftw_spare;
}

/* The last write with a header, in the block; 0: there is none. */
static size_t
last_write(const uint8_t *block, size_t size)
{
	size_t off = FTW_HEADER_SIZE, last = 0, used;

	while (size - off >= WRITE_SIZE + RECORD_SIZE && block[off] != 0xff) {
		used = write_size(block + off, size - off);
		if (!used)
			break;
		last = off;
		off += used;
	}
	return last;
}

bool
ftw_was_refused(const struct fv_layout *layout, const uint8_t *image,
		size_t *at)
{
	size_t write;

	if (!ftw_valid_at(layout, image, layout->ftw_work))
		return false;
	write = last_write(image + layout->ftw_work,
			   layout->ftw_spare - layout->ftw_work);
	*at = layout->ftw_work + write + WRITE_SIZE;
	return write && !(image[*at] & RECORD_DONE) &&
	       (image[*at] & RECORD_SPARE_DONE);
}

void
ftw_forget_refused(const struct fv_layout *layout, uint8_t *image)
{
	size_t at;

	if (ftw_was_refused(layout, image, &at))
		image[at] &= (uint8_t)~RECORD_SPARE_DONE;
}

void
ftw_complete_store(const struct fv_layout *layout, uint8_t *image)
{
	uint8_t *block = image + layout->ftw_work;
	uint8_t *spare = image + layout->ftw_spare;
	size_t size = layout->ftw_spare - layout->ftw_work;
	struct ftw_queue queue;

	ftw_read(block, size, &queue);
	memset(block + queue.next, 0xff, size - queue.next);
	memcpy(image, spare,
	       (queue.end + FV_BLOCK_SIZE - 1) / FV_BLOCK_SIZE * FV_BLOCK_SIZE);
	memset(spare, 0xff, layout->size - layout->ftw_spare);
	block[queue.record] &= (uint8_t)~RECORD_DONE;
	block[queue.offset] &= (uint8_t)~WRITE_COMPLETE;
}
