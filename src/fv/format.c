/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An empty variable store: three headers in an erased flash.  With any of them
 * missing OVMF hangs or takes the flash for something else.
 */
#include <string.h>

#include "header.h"

#include "pflash/fv.h"
#include "pflash/le.h"

/* EFI_FVB_ATTRIBUTES_2 of VarStore.fdf.inc: readable, writable, erases to 1. */
#define VARS_ATTRIBUTES 0x0004feffu
#define VARS_REVISION 2u

/* VARIABLE_STORE_HEADER and its values (VariableFormat.h). */
#define STORE_OFFSET FVH_MIN_LENGTH
#define STORE_FORMATTED 0x5a
#define STORE_HEALTHY 0xfe

/* EFI_FAULT_TOLERANT_WORKING_BLOCK_HEADER (FaultTolerantWrite.h). */
#define FTW_HEADER_SIZE 32u
#define FTW_VALID 0xfffffffeu /* WorkingBlockValid, active low */

/* gEfiSystemNvDataFvGuid fff12b8d-7696-4c8b-a985-2747075b4f50 */
static const uint8_t nv_data_guid[16] = {
	0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c,
	0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50,
};

/* gEfiAuthenticatedVariableGuid aaf32c78-947b-439a-a180-2e144ec37792 */
static const uint8_t variable_guid[16] = {
	0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43,
	0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92,
};

/* gEdkiiWorkingBlockSignatureGuid 9e58292b-7c68-497d-a0ce-6500fd9f1b95 */
static const uint8_t working_block_guid[16] = {
	0x2b, 0x29, 0x58, 0x9e, 0x68, 0x7c, 0x7d, 0x49,
	0xa0, 0xce, 0x65, 0x00, 0xfd, 0x9f, 0x1b, 0x95,
};

/* CRC-32 of IEEE 802.3, which edk2 uses; 32 bytes once need no table. */
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
	memcpy(p + FVH_FILE_SYSTEM_GUID, nv_data_guid, 16);
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
	memcpy(p, variable_guid, 16);
	put_le32(p + 16, layout->variable_size - STORE_OFFSET);
	p[20] = STORE_FORMATTED;
	p[21] = STORE_HEALTHY;
	memset(p + 22, 0, 6);
}

/*
 * The CRC is taken over the header before it is marked valid and with the CRC
 * field itself erased (FtwMisc.c, InitWorkSpaceHeader).
 */
static void
format_working_block(const struct fv_layout *layout, uint8_t *p)
{
	uint32_t crc;

	memset(p, 0xff, FTW_HEADER_SIZE);
	memcpy(p, working_block_guid, 16);
	put_le64(p + 24,
		 layout->ftw_spare - layout->ftw_work - FTW_HEADER_SIZE);
	crc = crc32(p, FTW_HEADER_SIZE);
	put_le32(p + 16, crc);
	put_le32(p + 20, FTW_VALID);
}

void
fv_format(const struct fv_layout *layout, uint8_t *image)
{
	memset(image, 0xff, layout->size);
	format_volume(layout, image);
	format_variable_store(layout, image + STORE_OFFSET);
	format_working_block(layout, image + layout->ftw_work);
}
