/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CFI query table of one part (docs/chip.md, section 7).
 *
 * CFI expresses the size as a power of two.  If a part's size is not a power of
 * two, the field holds the next larger one, and the erase regions have the
 * exact number of blocks.
 *
 * A bank with configured partitions has version 1.3 of the extended table,
 * which lists them; the fields are those that Linux's cfi_cmdset_0001.c reads.
 */
#include "query.h"

#include <string.h>

enum {
	QUERY_ID = 0x10,          /* "QRY" */
	QUERY_COMMAND_SET = 0x13, /* primary vendor command set ID */
	QUERY_EXTENDED = 0x15,    /* address of the extended table */
	QUERY_VCC_MIN = 0x1b,     /* BCD: volts, 100 mV */
	QUERY_VCC_MAX = 0x1c,
	QUERY_PROGRAM_TYPICAL = 0x1f, /* 2^n us */
	QUERY_BUFFER_TYPICAL = 0x20,  /* 2^n us */
	QUERY_ERASE_TYPICAL = 0x21,   /* 2^n ms */
	QUERY_PROGRAM_MAX = 0x23,     /* 2^n times the typical time */
	QUERY_BUFFER_MAX = 0x24,
	QUERY_ERASE_MAX = 0x25,
	QUERY_SIZE = 0x27,        /* 2^n bytes */
	QUERY_INTERFACE = 0x28,   /* 0: x8, 1: x16 */
	QUERY_BUFFER_SIZE = 0x2a, /* 2^n bytes */
	QUERY_REGIONS = 0x2c,
	QUERY_REGION = 0x2d, /* number of blocks - 1, block size / 256 */
};

/* Offsets in the extended table. */
enum {
	PRI_VERSION = 3,       /* "1.1" */
	PRI_FEATURES = 5,      /* four bytes */
	PRI_SUSPEND = 9,       /* commands while an erase is suspended */
	PRI_BLOCK_STATUS = 10, /* bits at block + 2 */
	PRI_VCC = 12,          /* optimal, BCD */
	PRI_REGISTERS = 14,    /* protection registers */
	PRI_REGISTER = 15,     /* address, 2^n factory and user bytes */
	/* In version 1.3: */
	PRI_PAGE_READ = 19,  /* 0: no page mode */
	PRI_BURST_READ = 20, /* 0: no burst mode */
	PRI_PARTITION_REGIONS = 21,
	PRI_PARTITION_REGION = 22,
};

/* Offsets in a region of equal partitions. */
enum {
	REGION_PARTITIONS = 0, /* two bytes */
	REGION_ALLOWED = 2,    /* operations at once: bits 3:0 programs, 7:4
				* erases; then while another partition programs,
				* and while another one erases */
	REGION_BLOCK_TYPES = 5,
	REGION_BLOCKS = 6,     /* number of blocks - 1, two bytes */
	REGION_BLOCK_SIZE = 8, /* in 256 bytes, two bytes */
	REGION_CYCLES = 10,    /* erase cycles of a block / 1000, two bytes */
	REGION_CELL = 12,      /* bits in a cell */
	REGION_CAPABILITY = 13,
	REGION_SIZE = 14,
};

enum {
	FEATURE_SUSPEND_ERASE = 1u << 1,
	FEATURE_SUSPEND_PROGRAM = 1u << 2,
	FEATURE_INSTANT_LOCK = 1u << 5,
	FEATURE_PROTECTION = 1u << 6,
	FEATURE_PARTITIONS = 1u << 9, /* read while write */
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

static void
put_extended(uint8_t *at)
{
	memcpy(at, "PRI", 3);
	memcpy(at + PRI_VERSION, "11", 2);
	at[PRI_FEATURES] = FEATURE_SUSPEND_ERASE | FEATURE_SUSPEND_PROGRAM |
			   FEATURE_INSTANT_LOCK | FEATURE_PROTECTION;
	at[PRI_SUSPEND] = 1;
	at[PRI_BLOCK_STATUS] = 3;
	at[PRI_VCC] = 0x33;
	at[PRI_REGISTERS] = 1;
	put16(at + PRI_REGISTER, 0x80);
	at[PRI_REGISTER + 2] = 3;
	at[PRI_REGISTER + 3] = 3;
}

/* cfi_check_partition(): a region has whole partitions of equal blocks. */
static void
put_partitions(uint8_t *at, const struct cfi_config *config)
{
	const struct geometry *g = &config->geometry;
	uint8_t *p = at + PRI_PARTITION_REGION;

	at[PRI_VERSION + 1] = '3';
	at[PRI_FEATURES + 1] = FEATURE_PARTITIONS >> 8;
	at[PRI_PARTITION_REGIONS] = g->region_count;
	for (unsigned int i = 0; i < g->region_count; i++, p += REGION_SIZE) {
		const struct geometry_region *region = &g->regions[i];
		uint32_t blocks = config->partition / region->block_size;

		put16(p + REGION_PARTITIONS, region->count / blocks);
		p[REGION_ALLOWED] = 0x11;
		p[REGION_BLOCK_TYPES] = 1;
		put16(p + REGION_BLOCKS, blocks - 1);
		put16(p + REGION_BLOCK_SIZE,
		      region->block_size / g->interleave / 256);
		put16(p + REGION_CYCLES, 100);
		p[REGION_CELL] = 1;
	}
}

void
query_build(uint8_t table[CFI_QUERY_SIZE], const struct cfi_config *config)
{
	const struct geometry *g = &config->geometry;
	uint32_t extended = QUERY_REGION + 4u * g->region_count;

	memset(table, 0, CFI_QUERY_SIZE);
	memcpy(table + QUERY_ID, "QRY", 3);
	put16(table + QUERY_COMMAND_SET, 0x0001);
	put16(table + QUERY_EXTENDED, extended);
	table[QUERY_VCC_MIN] = 0x27;
	table[QUERY_VCC_MAX] = 0x36;
	table[QUERY_PROGRAM_TYPICAL] = 7;
	table[QUERY_BUFFER_TYPICAL] = 7;
	table[QUERY_ERASE_TYPICAL] = 10;
	table[QUERY_PROGRAM_MAX] = 4;
	table[QUERY_BUFFER_MAX] = 4;
	table[QUERY_ERASE_MAX] = 4;
	table[QUERY_SIZE] = log2_ceil(g->size / g->interleave);
	table[QUERY_INTERFACE] = geometry_lane(g) == 2 ? 1 : 0;
	put16(table + QUERY_BUFFER_SIZE, log2_ceil(CFI_BUFFER_SIZE));
	table[QUERY_REGIONS] = g->region_count;
	for (unsigned int i = 0; i < g->region_count; i++) {
		uint8_t *at = table + QUERY_REGION + 4 * i;

		put16(at, g->regions[i].count - 1);
		put16(at + 2, g->regions[i].block_size / g->interleave / 256);
	}
	put_extended(table + extended);
	if (config->partition && config->personality == CFI_STRICT)
		put_partitions(table + extended, config);
}
