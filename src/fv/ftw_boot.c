/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ftw_at_boot(): the start of edk2's driver of fault-tolerant writes,
 * InitFtwProtocol() (MdeModulePkg/Universal/FaultTolerantWriteDxe/FtwMisc.c:
 * 1230-1434), as far as it concerns the rest of the volume.
 *
 * The working block is valid:
 *   no incomplete write          it stays
 *   begun, spare area incomplete abandoned (1358)
 *   both complete, not marked    marked as complete (1371)
 *   spare area complete          copied to the destination (1398)
 *   full                         cleaned up (UpdateWorkingBlock.c:305)
 *   not erased behind the write  cleaned up, but a next write stays (1390)
 * A write of several records of which a later one is only begun stays: the
 * driver takes that record for its next write (FaultTolerantWrite.c:370-391).
 *
 * The working block is not valid:
 *   full of complete writes      cleaned up, valid then (1296)
 *   valid copy in the spare area copied back, and its write abandoned, whatever
 *                                its progress (1319-1330): the copy has taken
 *                                the place of the write's data
 *   else                         replaced by an empty block (1349)
 */
#include "ftw.h"

#define WRITE_ALLOCATED 0x01u /* HeaderAllocated, set if 0 */

/* The tail of a full block must not have the start of another write. */
static enum ftw_outcome
outcome(const struct ftw_queue *queue, const uint8_t *block, size_t size)
{
	if (queue->progress == FTW_PENDING)
		return FTW_WRITES;
	if (queue->progress == FTW_BROKEN ||
	    !fv_is_erased(block + queue->offset,
			  queue->full ? size - queue->offset : 0))
		return FTW_UNKNOWN;
	return FTW_LEAVES;
}

/* After the last write has been given up or marked: is another one behind? */
static enum ftw_outcome
outcome_behind(const struct ftw_queue *last, const uint8_t *block, size_t size)
{
	struct ftw_queue queue;

	if (last->progress == FTW_IDLE ||
	    fv_is_erased(block + last->next, size - last->next))
		return FTW_LEAVES;
	ftw_read_from(block, size, last->next, &queue);
	return outcome(&queue, block, size);
}

/* Of a valid block. */
static enum ftw_outcome
start(const uint8_t *block, size_t size)
{
	struct ftw_queue queue;
	enum ftw_outcome result;

	ftw_read(block, size, &queue);
	result = outcome(&queue, block, size);
	if (result != FTW_LEAVES)
		return result;
	return outcome_behind(&queue, block, size);
}

/* Of a valid block's copy in the spare area. */
static enum ftw_outcome
start_copy(const uint8_t *copy, size_t size)
{
	struct ftw_queue queue;

	ftw_read(copy, size, &queue);
	if (queue.progress != FTW_PENDING)
		return start(copy, size);
	/* FtwAbort() ignores a write that is not allocated. */
	if (copy[queue.offset] & WRITE_ALLOCATED)
		return FTW_UNKNOWN;
	return outcome_behind(&queue, copy, size);
}

enum ftw_outcome
ftw_at_boot(const struct fv_layout *layout, const uint8_t *image)
{
	size_t size = layout->ftw_spare - layout->ftw_work;
	const uint8_t *block = image + layout->ftw_work;
	struct ftw_queue queue;

	if (ftw_valid_at(layout, image, layout->ftw_work))
		return start(block, size);
	/* The driver reads the writes before it looks at the header (1296). */
	ftw_read(block, size, &queue);
	if (queue.progress == FTW_BROKEN)
		return FTW_UNKNOWN;
	if (queue.full)
		return outcome(&queue, block, size);
	if (ftw_valid_at(layout, image, layout->ftw_spare))
		return start_copy(image + layout->ftw_spare, size);
	return FTW_LEAVES;
}

/*
 * The firmware restores an invalid working block from its copy at the start of
 * the spare area (FtwMisc.c:1318), and then executes the write of the copy.
 */
bool
ftw_writes_other(const struct fv_layout *layout, const uint8_t *image)
{
	size_t size = layout->ftw_spare - layout->ftw_work;
	const uint8_t *block = image + layout->ftw_work;
	struct ftw_queue queue;

	if (!ftw_valid_at(layout, image, layout->ftw_work)) {
		if (!ftw_valid_at(layout, image, layout->ftw_spare))
			return false;
		block = image + layout->ftw_spare;
	}
	ftw_read(block, size, &queue);
	if (queue.progress == FTW_BROKEN)
		return !ftw_is_unwritten(block, &queue);
	return queue.progress == FTW_PENDING &&
	       !ftw_replaces_store(layout, image);
}
