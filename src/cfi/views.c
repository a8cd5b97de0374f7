/* SPDX-License-Identifier: BSD-2-Clause */
#include "views.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bank.h"

/* The number of the first entry: the position 0 is never within the log. */
#define LOG_FIRST (CFI_MAX_VIEWS + 1)

/* Every region consists of whole partitions, which consist of whole blocks. */
static int
check_regions(const struct geometry *g, uint32_t partition, struct error *err)
{
	for (unsigned int i = 0; i < g->region_count; i++) {
		const struct geometry_region *region = &g->regions[i];
		uint64_t size = (uint64_t)region->block_size * region->count;

		if (size % partition || partition < region->block_size)
			return error_set(err, EINVAL,
					 "partitions of %" PRIu32
					 " bytes do not divide the %" PRIu32
					 " blocks of %" PRIu32 " bytes",
					 partition, region->count,
					 region->block_size);
	}
	return 0;
}

int
cfi_check_partition(const struct geometry *g, enum cfi_personality personality,
		    uint32_t partition, struct error *err)
{
	if (!partition)
		return 0;
	if (personality == CFI_QEMU)
		return error_set(err, EINVAL,
				 "the personality qemu has one view for the "
				 "whole flash, and no partitions");
	if (!geometry_power_of_two(partition))
		return error_set(err, EINVAL,
				 "partitions of %" PRIu32
				 " bytes, expected a power of two",
				 partition);
	if (g->size / partition > CFI_MAX_VIEWS / g->interleave)
		return error_set(err, EINVAL,
				 "partitions of %" PRIu32 " bytes are %" PRIu32
				 " partitions, expected at most %u",
				 partition, g->size / partition,
				 CFI_MAX_VIEWS / g->interleave);
	return check_regions(g, partition, err);
}

/*
 * The size of a partition: as configured, else as the personality says.  A bank
 * of many parts and blocks has partitions of several blocks, so that its table
 * has no more than CFI_MAX_VIEWS marks.
 */
static unsigned int
partition_shift(const struct cfi_config *config)
{
	const struct geometry *g = &config->geometry;
	uint32_t most = CFI_MAX_VIEWS / g->interleave;
	unsigned int shift = 0;

	if (config->partition)
		return (unsigned int)__builtin_ctz(config->partition);
	if (!personalities[config->personality].view_by_block)
		return 31; /* one partition */
	for (unsigned int i = 0; i < g->region_count; i++)
		if (g->regions[i].block_size >> shift)
			shift = (unsigned int)
				__builtin_ctz(g->regions[i].block_size);
	while ((g->size - 1) >> shift >= most)
		shift++;
	return shift;
}

void
views_init(struct cfi *chip)
{
	chip->partition_shift = (uint8_t)partition_shift(&chip->config);
	chip->partitions = ((chip->config.geometry.size - 1) >>
			    chip->partition_shift) +
			   1;
	chip->changes = LOG_FIRST;
}

void
views_log(struct cfi *chip, uint16_t entry)
{
	chip->log[chip->changes++ % CFI_MAX_VIEWS] = entry;
	if (chip->changes == 0)
		chip->changes = LOG_FIRST;
}

void
views_load(struct cfi *chip, unsigned int n, uint32_t partition)
{
	struct cfi_part *part = &chip->part[n];
	uint8_t mark = chip->shown[views_index(chip, n, partition)];

	part->partition = (uint16_t)partition;
	part->view = mark & MARK_STATUS ? CFI_VIEW_STATUS :
		     mark == MARK_ID    ? CFI_VIEW_ID :
		     mark == MARK_QUERY ? CFI_VIEW_QUERY :
					  CFI_VIEW_ARRAY;
}

static void
set_mark(struct cfi *chip, uint32_t index, uint8_t mark)
{
	chip->shown[index] = mark;
	views_log(chip, (uint16_t)index);
}

void
views_set(struct cfi *chip, unsigned int n, uint8_t mark)
{
	uint32_t partition = chip->part[n].partition;
	uint32_t index = views_index(chip, n, partition);

	if (personality_of(chip)->array_ends_views &&
	    chip->shown[index] == MARK_ARRAY)
		chip->switched[views_index(chip, n,
					   chip->switched_count[n]++)] =
			(uint16_t)partition;
	set_mark(chip, index, mark);
}

bool
views_end(struct cfi *chip, unsigned int n)
{
	uint32_t count = chip->switched_count[n];

	for (uint32_t i = 0; i < count; i++) {
		uint32_t partition = chip->switched[views_index(chip, n, i)];

		set_mark(chip, views_index(chip, n, partition), MARK_ARRAY);
	}
	chip->switched_count[n] = 0;
	return count > 0;
}

void
views_find_switched(struct cfi *chip)
{
	for (unsigned int n = 0; n < chip->config.geometry.interleave; n++) {
		chip->switched_count[n] = 0;
		if (!personality_of(chip)->array_ends_views)
			continue;
		for (uint32_t i = 0; i < chip->partitions; i++) {
			uint32_t to = chip->switched_count[n];

			if (chip->shown[views_index(chip, n, i)] == MARK_ARRAY)
				continue;
			chip->switched[views_index(chip, n, to)] = (uint16_t)i;
			chip->switched_count[n]++;
		}
	}
}

bool
cfi_next_change(const struct cfi *chip, uint32_t *seen, uint32_t *off,
		uint32_t *len)
{
	uint32_t size = chip->config.geometry.size, partition;
	uint16_t entry;

	if (chip->changes - *seen > CFI_MAX_VIEWS) {
		*seen = chip->changes;
		*off = 0;
		*len = size;
		return true;
	}
	do {
		if (*seen == chip->changes)
			return false;
		entry = chip->log[(*seen)++ % CFI_MAX_VIEWS];
	} while (entry == LOG_OTHER);
	partition = entry % chip->partitions;
	*off = partition << chip->partition_shift;
	*len = size - *off;
	if (*len >> chip->partition_shift)
		*len = 1u << chip->partition_shift;
	return true;
}

static bool
is_mark(uint8_t mark)
{
	return mark & MARK_STATUS || mark == MARK_ARRAY || mark == MARK_ID ||
	       mark == MARK_QUERY;
}

/* The list has only partitions that do not show the array, and all of them. */
static bool
verify_switched(const struct cfi *chip, unsigned int n)
{
	uint32_t marked = 0;

	if (!personality_of(chip)->array_ends_views)
		return chip->switched_count[n] == 0;
	for (uint32_t i = 0; i < chip->partitions; i++)
		marked += chip->shown[views_index(chip, n, i)] != MARK_ARRAY;
	for (uint32_t i = 0; i < chip->switched_count[n]; i++) {
		uint32_t partition = chip->switched[views_index(chip, n, i)];

		if (partition >= chip->partitions ||
		    chip->shown[views_index(chip, n, partition)] == MARK_ARRAY)
			return false;
	}
	return chip->switched_count[n] == marked;
}

bool
views_verify(const struct cfi *chip)
{
	for (unsigned int n = 0; n < chip->config.geometry.interleave; n++) {
		const struct cfi_part *part = &chip->part[n];

		for (uint32_t i = 0; i < chip->partitions; i++)
			if (!is_mark(chip->shown[views_index(chip, n, i)]))
				return false;
		/* The last cycle called views_note(). */
		if (part->partition >= chip->partitions ||
		    chip->shown[views_index(chip, n, part->partition)] !=
			    views_mark(part) ||
		    !verify_switched(chip, n))
			return false;
	}
	return true;
}
