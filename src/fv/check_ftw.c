/* SPDX-License-Identifier: BSD-2-Clause */
/* fv_check(): the working block of fault-tolerant writes. */
#include <string.h>

#include "check.h"
#include "ftw.h"
#include "guid.h"

#include "pflash/le.h"

/*
 * OVMF copies whole blocks, as many as the record names, from a buffer that is
 * as large as the spare area.  A record that names more makes it read and write
 * out of bounds.
 */
static void
check_pending(struct check *c, const struct ftw_queue *queue, size_t off)
{
	const struct fv_layout *layout = c->report->layout;
	uint64_t room = c->size, first = 0;

	check_add(c, FV_FTW_PENDING, off, 0, 0);
	if (layout)
		room = layout->size - layout->ftw_spare;
	if (queue->lba <= c->size / FV_BLOCK_SIZE)
		first = queue->lba * FV_BLOCK_SIZE;
	else
		room = 0;
	if (room > c->size - first)
		room = c->size - first;
	if (queue->end > room)
		check_add(c, FV_FTW_TARGET, off, queue->end, room);
}

static void
check_queue(struct check *c, size_t off, size_t size)
{
	struct ftw_queue queue;

	ftw_read(c->image + off, size, &queue);
	if (queue.full)
		check_add(c, FV_FTW_FULL, off, 0, 0);
	if (queue.dirty)
		check_add(c, FV_FTW_DIRTY, off + queue.offset, 0, 0);
	switch (queue.progress) {
	case FTW_IDLE: break;
	case FTW_BEGUN:
		check_add(c, FV_FTW_BEGUN, off + queue.offset, 0, 0);
		break;
	case FTW_PENDING: check_pending(c, &queue, off + queue.offset); break;
	case FTW_FINISHED:
		check_add(c, FV_FTW_FINISHED, off + queue.offset, 0, 0);
		break;
	case FTW_BROKEN:
		check_add(c, FV_FTW_QUEUE, off + queue.offset, off, size);
		break;
	}
}

/*
 * The driver reads the writes of a block before it looks at its header
 * (WorkSpaceRefresh(), FtwMisc.c:1296), and those of a copy when it has copied
 * it (1330).
 */
static void
check_writes(struct check *c, size_t off, size_t size)
{
	struct ftw_queue queue;

	ftw_read(c->image + off, size, &queue);
	if (queue.progress == FTW_BROKEN)
		check_add(c, FV_FTW_QUEUE, off + queue.offset, off, size);
}

/* The comparisons of IsValidWorkSpace() (UpdateWorkingBlock.c:81). */
static void
check_header(struct check *c, size_t off, const uint8_t *wanted)
{
	const uint8_t *p = c->image + off;

	if (fv_is_erased(p, FTW_HEADER_SIZE)) {
		check_add(c, FV_FTW_BLANK, off, 0, 0);
		return;
	}
	if (memcmp(p, wanted, GUID_SIZE)) {
		check_add(c, FV_FTW_SIGNATURE, off, 0, 0);
		return;
	}
	if (get_le32(p + FTW_CRC) != get_le32(wanted + FTW_CRC))
		check_add(c, FV_FTW_CRC, off + FTW_CRC, get_le32(p + FTW_CRC),
			  get_le32(wanted + FTW_CRC));
	if (get_le32(p + FTW_STATE) != get_le32(wanted + FTW_STATE))
		check_add(c, FV_FTW_STATE, off + FTW_STATE,
			  get_le32(p + FTW_STATE),
			  get_le32(wanted + FTW_STATE));
	if (get_le64(p + FTW_QUEUE_SIZE) != get_le64(wanted + FTW_QUEUE_SIZE))
		check_add(c, FV_FTW_QUEUE_SIZE, off + FTW_QUEUE_SIZE,
			  get_le64(p + FTW_QUEUE_SIZE),
			  get_le64(wanted + FTW_QUEUE_SIZE));
}

/*
 * In an unknown layout: the first block that begins with the working block's
 * GUID.  Sets *size to header and queue, or to one block if the queue's size is
 * impossible.  0: not found.
 */
static size_t
find_block(const struct check *c, size_t off, size_t *size)
{
	uint64_t queue;

	off = (off + FV_BLOCK_SIZE - 1) / FV_BLOCK_SIZE * FV_BLOCK_SIZE;
	for (; off + FV_BLOCK_SIZE <= c->size; off += FV_BLOCK_SIZE) {
		if (memcmp(c->image + off, guid_working_block, GUID_SIZE))
			continue;
		queue = get_le64(c->image + off + FTW_QUEUE_SIZE);
		*size = FV_BLOCK_SIZE;
		if (queue >= FV_BLOCK_SIZE - FTW_HEADER_SIZE &&
		    queue <= c->size - off - FTW_HEADER_SIZE)
			*size = (size_t)queue + FTW_HEADER_SIZE;
		return off;
	}
	return 0;
}

void
check_ftw(struct check *c, size_t store_end)
{
	const struct fv_layout *layout = c->report->layout;
	uint8_t wanted[FTW_HEADER_SIZE];
	size_t off, size;

	if (layout) {
		off = layout->ftw_work;
		size = layout->ftw_spare - layout->ftw_work;
	} else {
		off = find_block(c, store_end, &size);
	}
	if (!off) {
		check_add(c, FV_FTW_MISSING, store_end, 0, 0);
		return;
	}
	ftw_header(size, wanted);
	if (!memcmp(c->image + off, wanted, FTW_HEADER_SIZE)) {
		check_queue(c, off, size);
		return;
	}
	check_writes(c, off, size);
	if (layout && ftw_valid_at(layout, c->image, layout->ftw_spare)) {
		check_add(c, FV_FTW_IN_SPARE, layout->ftw_spare, 0, 0);
		check_writes(c, layout->ftw_spare, size);
	} else {
		check_header(c, off, wanted);
	}
}
