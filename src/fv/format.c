/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An empty variable store: erased flash with a volume header, a variable store
 * header and a working block header.  Without the first OVMF erases the flash,
 * without the second it hangs.
 */
#include <string.h>

#include "ftw.h"
#include "guid.h"
#include "header.h"

#include "pflash/fv.h"
#include "pflash/le.h"

uint16_t
fv_header_sum(const uint8_t *header, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t off = 0; off + 2 <= len; off += 2)
		sum += get_le16(header + off);
	return (uint16_t)sum;
}

static void
format_volume(const struct fv_layout *layout, uint8_t *p)
{
	memset(p, 0, FVH_MIN_LENGTH);
	memcpy(p + FVH_FILE_SYSTEM_GUID, guid_nv_data, GUID_SIZE);
	put_le64(p + FVH_FV_LENGTH, layout->size);
	memcpy(p + FVH_SIGNATURE, FVH_SIGNATURE_TEXT, 4);
	put_le32(p + FVH_ATTRIBUTES, VARS_ATTRIBUTES);
	put_le16(p + FVH_HEADER_LENGTH, FVH_MIN_LENGTH);
	p[FVH_REVISION] = VARS_REVISION;
	put_le32(p + FVH_BLOCK_MAP, layout->size / FV_BLOCK_SIZE);
	put_le32(p + FVH_BLOCK_MAP + 4, FV_BLOCK_SIZE);
	put_le16(p + FVH_CHECKSUM, (uint16_t)-fv_header_sum(p, FVH_MIN_LENGTH));
}

static void
format_variable_store(const struct fv_layout *layout, uint8_t *p)
{
	memcpy(p, guid_authenticated, GUID_SIZE);
	put_le32(p + STORE_SIZE, layout->variable_size - FVH_MIN_LENGTH);
	p[STORE_FORMAT] = STORE_FORMATTED;
	p[STORE_STATE] = STORE_HEALTHY;
	memset(p + STORE_RESERVED, 0, STORE_HEADER_SIZE - STORE_RESERVED);
}

void
fv_format(const struct fv_layout *layout, uint8_t *image)
{
	memset(image, 0xff, layout->size);
	format_volume(layout, image);
	format_variable_store(layout, image + FVH_MIN_LENGTH);
	ftw_header(layout->ftw_spare - layout->ftw_work,
		   image + layout->ftw_work);
}
