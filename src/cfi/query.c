/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the chip says of itself.  A driver that believes this table is served
 * right: it names no write buffer, no suspend and no block locking.
 *
 * The size is a power of two in CFI; where the chip's is not, the field holds
 * the next one and the erase region tells the true number of blocks.
 */
#include "query.h"

#include <string.h>

enum {
	QUERY_ID = 0x10,          /* "QRY" */
	QUERY_COMMAND_SET = 0x13, /* primary vendor command set */
	QUERY_EXTENDED = 0x15,    /* offset of the table below */
	QUERY_VCC_MIN = 0x1b,     /* BCD volts and 100 mV */
	QUERY_VCC_MAX = 0x1c,
	QUERY_PROGRAM_TYPICAL = 0x1f, /* 2^n us */
	QUERY_ERASE_TYPICAL = 0x21,   /* 2^n ms */
	QUERY_PROGRAM_MAX = 0x23,     /* 2^n times the typical */
	QUERY_ERASE_MAX = 0x25,
	QUERY_SIZE = 0x27, /* 2^n bytes */
	QUERY_REGIONS = 0x2c,
	QUERY_REGION = 0x2d,  /* blocks - 1, block size / 256 */
	QUERY_PRI = 0x31,     /* primary extended table, "PRI", "1.0" */
	QUERY_PRI_VCC = 0x3d, /* optimal, BCD */
};

static void
put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static uint8_t
log2_ceil(uint32_t value)
{
	uint8_t n = 0;

	while (n < 31 && 1u << n < value)
		n++;
	return n;
}

void
query_build(uint8_t table[CFI_QUERY_SIZE], uint32_t size, uint32_t block_size)
{
	memset(table, 0, CFI_QUERY_SIZE);
	memcpy(table + QUERY_ID, "QRY", 3);
	put16(table + QUERY_COMMAND_SET, 0x0001);
	put16(table + QUERY_EXTENDED, QUERY_PRI);
	table[QUERY_VCC_MIN] = 0x27;
	table[QUERY_VCC_MAX] = 0x36;
	table[QUERY_PROGRAM_TYPICAL] = 7;
	table[QUERY_ERASE_TYPICAL] = 10;
	table[QUERY_PROGRAM_MAX] = 4;
	table[QUERY_ERASE_MAX] = 4;
	table[QUERY_SIZE] = log2_ceil(size);
	table[QUERY_REGIONS] = 1;
	put16(table + QUERY_REGION, size / block_size - 1);
	put16(table + QUERY_REGION + 2, block_size / 256);
	memcpy(table + QUERY_PRI, "PRI10", 5);
	table[QUERY_PRI_VCC] = 0x33;
}
