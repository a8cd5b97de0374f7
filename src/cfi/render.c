/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes the bytes that a read returns from the marks of all parts (views.h). */
#include "pflash/cfi.h"

#include <string.h>

#include "views.h"

/* Identifier codes (28F128J3 data sheet, table "Identifier Codes"). */
#define ID_MANUFACTURER 0x89
#define ID_DEVICE 0x18
#define ID_LOCK 2 /* offset of the lock status in a block */

/* The bytes [off, off + len) of one partition, and the buffer to fill. */
struct range {
	const struct cfi *chip;
	uint32_t partition;
	uint32_t off;
	size_t len;
	uint8_t *out;
};

static uint8_t
mark_of(const struct range *r, unsigned int part)
{
	return r->chip->shown[views_index(r->chip, part, r->partition)];
}

/* Fills the range with copies of the bus word `word`. */
static void
fill(const struct range *r, const uint8_t *word)
{
	size_t width = r->chip->config.geometry.width, done = 0;

	if (width == 1) {
		memset(r->out, *word, r->len);
		return;
	}
	for (; done < width && done < r->len; done++)
		r->out[done] = word[(r->off + done) % width];
	while (done < r->len) {
		size_t more = done < r->len - done ? done : r->len - done;

		memcpy(r->out + done, r->out, more);
		done += more;
	}
}

/* Stores a part's value at its address `word`, if that is in the range. */
static void
put(const struct range *r, unsigned int part, uint32_t word, uint16_t value)
{
	const struct geometry *g = &r->chip->config.geometry;
	unsigned int lane = geometry_lane(g);
	uint32_t at = word * g->width + part * lane;

	for (unsigned int i = 0; i < lane; i++)
		if (at + i - r->off < r->len)
			r->out[at + i - r->off] = (uint8_t)(value >> 8 * i);
}

static void
put_array(const struct range *r, unsigned int part)
{
	const struct geometry *g = &r->chip->config.geometry;
	unsigned int lane = geometry_lane(g);

	for (size_t i = 0; i < r->len; i++)
		if ((r->off + i) % g->width / lane == part)
			r->out[i] = r->chip->config.array[r->off + i];
}

static void
put_locks(const struct range *r, unsigned int part)
{
	const struct geometry *g = &r->chip->config.geometry;
	uint32_t last = (uint32_t)(r->off + r->len - 1);
	struct geometry_block block = geometry_block_at(g, r->off);

	while (block.first <= last) {
		unsigned int locks = r->chip->locks[block.index];
		unsigned int down = locks >> GEOMETRY_MAX_PARTS;
		unsigned int bits = (locks >> part & 1) | (down >> part & 1)
								  << 1;

		put(r, part, block.first / g->width + ID_LOCK, (uint16_t)bits);
		if (block.first + block.size >= g->size)
			break;
		block = geometry_block_at(g, block.first + block.size);
	}
}

static void
put_protect(const struct range *r, unsigned int part)
{
	unsigned int lane = geometry_lane(&r->chip->config.geometry);
	const uint8_t *at = r->chip->protect + part * CFI_PROTECT_SIZE;
	uint32_t word = CFI_PROTECT_WORD;

	put(r, part, word++, (uint16_t)(at[0] | at[1] << 8));
	for (unsigned int i = 2; i < CFI_PROTECT_SIZE; i += lane)
		put(r, part, word++,
		    (uint16_t)(lane == 1 ? at[i] : at[i] | at[i + 1] << 8));
}

static void
put_codes(const struct range *r, unsigned int part, bool query)
{
	put(r, part, 0, ID_MANUFACTURER);
	put(r, part, 1, ID_DEVICE);
	if (query)
		for (uint32_t i = 0x10; i < CFI_QUERY_SIZE; i++)
			put(r, part, i, r->chip->query[i]);
	else
		put_protect(r, part);
	put_locks(r, part);
}

static void
render_views(const struct range *r)
{
	const struct geometry *g = &r->chip->config.geometry;
	uint8_t word[GEOMETRY_MAX_WIDTH] = { 0 };

	for (unsigned int i = 0; i < g->interleave; i++) {
		uint8_t mark = mark_of(r, i);

		if (mark & MARK_STATUS)
			word[i * geometry_lane(g)] = mark &
						     (uint8_t)~MARK_STATUS;
	}
	fill(r, word);
	for (unsigned int i = 0; i < g->interleave; i++) {
		uint8_t mark = mark_of(r, i);

		if (mark == MARK_ARRAY)
			put_array(r, i);
		if (mark == MARK_ID || mark == MARK_QUERY)
			put_codes(r, i, mark == MARK_QUERY);
	}
}

static void
render_partition(const struct range *r)
{
	unsigned int marks = 0;

	for (unsigned int i = 0; i < r->chip->config.geometry.interleave; i++)
		marks |= mark_of(r, i);
	if (marks)
		render_views(r);
	else
		memcpy(r->out, r->chip->config.array + r->off, r->len);
}

void
cfi_render(const struct cfi *chip, uint64_t off, void *dst, size_t len)
{
	uint32_t size = chip->config.geometry.size;
	uint8_t *out = dst;
	size_t inside = 0;

	if (off < size)
		inside = len < size - off ? len : (size_t)(size - off);
	memset(out + inside, 0xff, len - inside);
	while (inside) {
		uint32_t at = (uint32_t)off;
		uint32_t partition = at >> chip->partition_shift;
		uint64_t end = (uint64_t)(partition + 1)
			       << chip->partition_shift;
		size_t bytes = inside < end - at ? inside : (size_t)(end - at);

		render_partition(&(struct range){ chip, partition, at, bytes,
						  out });
		off += bytes;
		out += bytes;
		inside -= bytes;
	}
}

uint64_t
cfi_read(const struct cfi *chip, uint64_t off, unsigned int size)
{
	uint64_t value = 0;
	uint8_t bytes[sizeof(value)];

	if (size > sizeof(value))
		size = sizeof(value);
	cfi_render(chip, off, bytes, size);
	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return value;
}
