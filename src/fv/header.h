/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offsets in EFI_FIRMWARE_VOLUME_HEADER (PI specification vol. 3, section
 * 3.2.1.1) and in VARIABLE_STORE_HEADER, which follows it.  The volume header
 * ends with the block map: pairs of {number, length}, the last one {0, 0}.
 */
#ifndef FV_HEADER_H
#define FV_HEADER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	FVH_ZERO_VECTOR = 0,
	FVH_FILE_SYSTEM_GUID = 16,
	FVH_FV_LENGTH = 32,
	FVH_SIGNATURE = 40,
	FVH_ATTRIBUTES = 44,
	FVH_HEADER_LENGTH = 48,
	FVH_CHECKSUM = 50,
	FVH_EXT_HEADER_OFFSET = 52,
	FVH_REVISION = 55,
	FVH_BLOCK_MAP = 56,
	FVH_MIN_LENGTH = 72, /* with a block map of one pair and {0, 0} */
};

#define FVH_SIGNATURE_TEXT "_FVH"

/* FVH_MIN_LENGTH bytes must be readable at `header`. */
static inline bool
fv_has_signature(const uint8_t *header)
{
	return !memcmp(header + FVH_SIGNATURE, FVH_SIGNATURE_TEXT, 4);
}

/* EFI_FVB_ATTRIBUTES_2 of VarStore.fdf.inc: readable, writable, erases to 1. */
#define VARS_ATTRIBUTES 0x0004feffu
#define VARS_WRITE_STATUS 0x00000020u /* EFI_FVB2_WRITE_STATUS */
#define VARS_REVISION 2u

/* VARIABLE_STORE_HEADER and its values (VariableFormat.h:61-87). */
enum {
	STORE_SIGNATURE = 0,
	STORE_SIZE = 16,
	STORE_FORMAT = 20,
	STORE_STATE = 21,
	STORE_RESERVED = 22,
	STORE_HEADER_SIZE = 28,
};

#define STORE_FORMATTED 0x5a
#define STORE_HEALTHY 0xfe

/* HEADER_ALIGN() (VariableFormat.h:40-41): 4-byte alignment. */
static inline uint64_t
variable_align(uint64_t off)
{
	return (off + 3) & ~UINT64_C(3);
}

/* The sum of the header's 16-bit words; 0 if the checksum is correct. */
uint16_t fv_header_sum(const uint8_t *header, uint32_t len);

#endif
