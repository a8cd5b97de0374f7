/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/geometry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

#include "pflash/parse.h"

static int
check_bus(const struct geometry *g, struct error *err)
{
	unsigned int width = g->width, parts = g->interleave;

	if (!geometry_power_of_two(width) || width > GEOMETRY_MAX_WIDTH)
		return error_set(err, EINVAL,
				 "the bus has %u bytes, expected 1, 2 or 4",
				 width);
	if (!geometry_power_of_two(parts) || parts > GEOMETRY_MAX_PARTS ||
	    parts > width || width / parts > 2)
		return error_set(err, EINVAL,
				 "%u parts on a bus of %u bytes, expected 1 "
				 "or 2 bytes for each part",
				 parts, width);
	return 0;
}

static int
check_region(const struct geometry_region *region, uint64_t first,
	     struct error *err)
{
	uint32_t size = region->block_size;

	if (!geometry_power_of_two(size) || size < GEOMETRY_MIN_BLOCK ||
	    size > GEOMETRY_MAX_BLOCK)
		return error_set(err, EINVAL,
				 "blocks of %" PRIu32 " bytes, expected a "
				 "power of two from %u to %u",
				 size, GEOMETRY_MIN_BLOCK, GEOMETRY_MAX_BLOCK);
	if (region->count == 0)
		return error_set(err, EINVAL,
				 "blocks of %" PRIu32 " bytes: the rest of the "
				 "flash is smaller than one block",
				 size);
	if (first % size)
		return error_set(err, EINVAL,
				 "a block of %" PRIu32 " bytes cannot begin at "
				 "%#" PRIx64,
				 size, first);
	return 0;
}

int
geometry_check(const struct geometry *g, struct error *err)
{
	uint64_t size = 0, blocks = 0;
	int ret = check_bus(g, err);

	if (ret == 0 &&
	    (g->region_count == 0 || g->region_count > GEOMETRY_MAX_REGIONS))
		ret = error_set(err, EINVAL,
				"%u regions of blocks, expected 1 to %u",
				g->region_count, GEOMETRY_MAX_REGIONS);
	for (unsigned int i = 0; ret == 0 && i < g->region_count; i++) {
		ret = check_region(&g->regions[i], size, err);
		blocks += g->regions[i].count;
		size += (uint64_t)g->regions[i].count *
			g->regions[i].block_size;
	}
	if (ret == 0 && blocks > GEOMETRY_MAX_BLOCKS)
		ret = error_set(err, EINVAL,
				"%" PRIu64 " blocks, expected at most %u",
				blocks, GEOMETRY_MAX_BLOCKS);
	if (ret == 0 && size != g->size)
		ret = error_set(err, EINVAL,
				"the blocks have %" PRIu64
				" bytes, the flash has %" PRIu32,
				size, g->size);
	return ret;
}

/* Parses a number with an optional K or M; 0 if it is missing or too large. */
static uint32_t
read_number(const char **text)
{
	uint64_t value;

	return parse_size(text, PARSE_C, UINT32_MAX, &value) ? (uint32_t)value :
							       0;
}

/* `rest` is the number of bytes of the bank behind the previous regions. */
static int
parse_region(struct geometry_region *region, const char **text, uint64_t rest,
	     struct error *err)
{
	const char *begin = *text;

	region->block_size = read_number(text);
	if (region->block_size && **text == 'x') {
		++*text;
		region->count = read_number(text);
	} else if (region->block_size && **text == '\0') {
		region->count = (uint32_t)(rest / region->block_size);
		return 0;
	}
	if (!region->block_size || !region->count ||
	    (**text != ',' && **text != '\0'))
		return error_set(err, EINVAL,
				 "'%s' is not a list of SIZE[xCOUNT]", begin);
	return 0;
}

int
geometry_parse(struct geometry *g, uint32_t size, unsigned int width,
	       unsigned int interleave, const char *blocks, struct error *err)
{
	uint64_t used = 0;
	bool more = true;

	if (interleave == 0)
		interleave = width > 2 ? width / 2 : 1;
	/* A value above 255 becomes 0: geometry_check() refuses both. */
	*g = (struct geometry){
		.size = size,
		.width = width > UINT8_MAX ? 0 : (uint8_t)width,
		.interleave = interleave > UINT8_MAX ? 0 : (uint8_t)interleave,
	};
	while (more) {
		struct geometry_region *region = &g->regions[g->region_count];
		int ret;

		if (g->region_count == GEOMETRY_MAX_REGIONS)
			return error_set(err, EINVAL,
					 "too many regions of blocks, expected "
					 "at most %u",
					 GEOMETRY_MAX_REGIONS);
		ret = parse_region(region, &blocks,
				   used < size ? size - used : 0, err);
		if (ret < 0)
			return ret;
		used += (uint64_t)region->count * region->block_size;
		g->region_count++;
		more = *blocks++ == ',';
	}
	return geometry_check(g, err);
}

uint32_t
geometry_blocks(const struct geometry *g)
{
	uint32_t blocks = 0;

	for (unsigned int i = 0; i < g->region_count; i++)
		blocks += g->regions[i].count;
	return blocks;
}

struct geometry_block
geometry_block_at(const struct geometry *g, uint32_t off)
{
	const struct geometry_region *region = g->regions;
	uint32_t first = 0, index = 0;
	int shift = __builtin_ctz(region->block_size);

	while (off - first >= region->count << shift) {
		first += region->count << shift;
		index += region->count;
		region++;
		shift = __builtin_ctz(region->block_size);
	}
	return (struct geometry_block){
		.index = index + ((off - first) >> shift),
		.first = off & ~(region->block_size - 1),
		.size = region->block_size,
	};
}

struct geometry_block
geometry_block_number(const struct geometry *g, uint32_t index)
{
	const struct geometry_region *region = g->regions;
	uint32_t first = 0, left = index;

	for (; left >= region->count; region++) {
		first += region->count * region->block_size;
		left -= region->count;
	}
	return (struct geometry_block){
		.index = index,
		.first = first + left * region->block_size,
		.size = region->block_size,
	};
}
