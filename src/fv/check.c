/* SPDX-License-Identifier: BSD-2-Clause */
/* fv_check(): the file as a whole, and the volume header. */
#include <string.h>

#include "build.h"
#include "check.h"
#include "ftw.h"
#include "guid.h"
#include "header.h"

#include "pflash/le.h"

static bool
is_zeroed(const uint8_t *p, size_t len)
{
	return p[0] == 0 && !memcmp(p, p + 1, len - 1);
}

static bool
is_padding(const uint8_t *p, size_t len)
{
	return is_zeroed(p, len) || fv_is_erased(p, len);
}

/*
 * To detect a flash, OVMF writes to the first byte of the first block that has
 * none of these three values (QemuFlash.c:65-74).
 */
static bool
has_probe(const uint8_t *p)
{
	for (size_t i = 0; i < FV_BLOCK_SIZE; i++)
		if (p[i] != 0x00 && p[i] != 0x50 && p[i] != 0x70)
			return true;
	return false;
}

static bool
check_contents(struct check *c)
{
	if (!c->size)
		check_add(c, FV_EMPTY, 0, 0, 0);
	else if (fv_is_erased(c->image, c->size))
		check_add(c, FV_ERASED, 0, 0, 0);
	else if (is_zeroed(c->image, c->size))
		check_add(c, FV_ZEROED, 0, 0, 0);
	else if (c->size < FV_BLOCK_SIZE)
		check_add(c, FV_TOO_SHORT, 0, c->size, FV_BLOCK_SIZE);
	else if (!has_probe(c->image))
		check_add(c, FV_NO_PROBE, 0, 0, FV_BLOCK_SIZE);
	return c->report->errors == 0;
}

static void
check_length(struct check *c, size_t off, const uint8_t *p)
{
	uint64_t length = get_le64(p + FVH_FV_LENGTH);

	if (length == c->size)
		return;
	off += FVH_FV_LENGTH;
	if (length > c->size)
		check_add(c, FV_TRUNCATED, off, c->size, length);
	else if (build_is_firmware_size(c->size) && fv_layout_by_size(length) &&
		 !is_padding(c->image + length, c->size - (size_t)length))
		check_add(c, FV_WHOLE_IMAGE, off, c->size, length);
	else
		check_add(c, FV_TRAILING, off, c->size, length);
}

/* The block map: pairs of {number, length}, the last one {0, 0}. */
static void
check_block_map(struct check *c, size_t off, const uint8_t *p, uint32_t header)
{
	uint64_t length = get_le64(p + FVH_FV_LENGTH), total = 0;
	uint32_t at = FVH_BLOCK_MAP, number = 1, block;

	for (; at + 8 <= header; at += 8) {
		number = get_le32(p + at);
		block = get_le32(p + at + 4);
		/* OVMF erases FV_BLOCK_SIZE bytes whatever the block's size. */
		if (block != FV_BLOCK_SIZE && (number || at == FVH_BLOCK_MAP))
			check_add(c, FV_OTHER_BLOCK_SIZE, off + at + 4, block,
				  FV_BLOCK_SIZE);
		if (!number)
			break;
		total += (uint64_t)number * block;
	}
	if (!number && total > length)
		check_add(c, FV_LONG_BLOCK_MAP, off + FVH_BLOCK_MAP, total,
			  length);
	else if (number || total < length)
		check_add(c, FV_BLOCK_MAP, off + FVH_BLOCK_MAP, total, length);
}

static void
check_header(struct check *c, size_t off, const uint8_t *p)
{
	uint16_t header = get_le16(p + FVH_HEADER_LENGTH);
	uint16_t sum;

	if (header % 2 || header < FVH_MIN_LENGTH ||
	    header > FV_BLOCK_SIZE - STORE_HEADER_SIZE) {
		check_add(c, FV_HEADER_LENGTH, off + FVH_HEADER_LENGTH, header,
			  FVH_MIN_LENGTH);
		return;
	}
	sum = fv_header_sum(p, header);
	if (sum)
		check_add(c, FV_HEADER_CHECKSUM, off + FVH_CHECKSUM,
			  get_le16(p + FVH_CHECKSUM),
			  (uint16_t)(get_le16(p + FVH_CHECKSUM) - sum));
	check_block_map(c, off, p, header);
}

static void
check_attributes(struct check *c, size_t off, const uint8_t *p)
{
	uint32_t attributes = get_le32(p + FVH_ATTRIBUTES);

	off += FVH_ATTRIBUTES;
	if (!(attributes & VARS_WRITE_STATUS))
		check_add(c, FV_READ_ONLY, off, attributes, VARS_ATTRIBUTES);
	else if (attributes != VARS_ATTRIBUTES)
		check_add(c, FV_OTHER_ATTRIBUTES, off, attributes,
			  VARS_ATTRIBUTES);
}

bool
check_volume(struct check *c, size_t off)
{
	const uint8_t *p = c->image + off;
	uint32_t errors = c->report->errors;

	if (!fv_has_signature(p)) {
		if (c->size > FV_MAX_SIZE)
			check_add(c, FV_TOO_LARGE, off, c->size, FV_MAX_SIZE);
		else
			check_add(c, FV_SIGNATURE, off, 0, 0);
		return false;
	}
	if (p[FVH_REVISION] != VARS_REVISION)
		check_add(c, FV_REVISION, off + FVH_REVISION, p[FVH_REVISION],
			  VARS_REVISION);
	check_header(c, off, p);
	check_length(c, off, p);
	if (memcmp(p + FVH_FILE_SYSTEM_GUID, guid_nv_data, GUID_SIZE))
		check_add(c, FV_FILE_SYSTEM, off + FVH_FILE_SYSTEM_GUID, 0, 0);
	check_attributes(c, off, p);
	if (c->report->errors == errors && c->size > FV_MAX_SIZE)
		check_add(c, FV_TOO_LARGE, off, c->size, FV_MAX_SIZE);
	return c->report->errors == errors;
}

/*
 * OVMF checks the volume header (FwBlockService.c:929) before it completes an
 * interrupted write (FtwMisc.c:1398).  If a reclaim was interrupted while it
 * wrote the first block, OVMF does not complete it, but erases the flash and
 * the good copy in the spare area too.
 */
static void
check_spare(struct check *c, const struct fv_layout *layout)
{
	struct fv_report scratch = { 0 };
	struct check copy = { c->image, c->size, &scratch };

	if (layout && ftw_replaces_store(layout, c->image) &&
	    check_volume(&copy, layout->ftw_spare))
		check_add(c, FV_SPARE_HAS_STORE, layout->ftw_spare,
			  layout->variable_size, 0);
}

/*
 * Checks the volume header in the spare area.  It usually equals the first one,
 * so only its errors are reported: the rest was reported already.
 */
static bool
check_copy(struct check *c, size_t off)
{
	struct fv_report scratch = { 0 };
	struct check copy = { c->image, c->size, &scratch };

	return check_volume(&copy, off) || check_volume(c, off);
}

/* The finding is made before it is known what comes behind the store. */
static void
correct_advice(struct fv_report *report)
{
	for (unsigned int i = 0; i < report->count; i++)
		if (report->findings[i].code == FV_RECLAIM_DUE)
			report->findings[i].code = FV_RECLAIM_AT_BOOT;
}

bool
fv_check(const uint8_t *image, size_t size, struct fv_report *report)
{
	struct check c = { image, size, report };
	const struct fv_layout *layout = fv_layout_by_size(size);
	size_t off = 0;

	memset(report, 0, sizeof(*report));
	if (!check_contents(&c))
		return false;
	if (!check_volume(&c, 0)) {
		check_spare(&c, layout);
		return false;
	}
	report->layout = layout;
	if (!layout)
		check_add(&c, FV_UNKNOWN_LAYOUT, FVH_FV_LENGTH, size, 0);
	else if (ftw_replaces_store(layout, image))
		off = layout->ftw_spare;
	if (!off || check_copy(&c, off))
		check_store(&c, off);
	report->compactable = check_is_compactable(report, image);
	if (!report->compactable)
		correct_advice(report);
	return report->errors == 0;
}
