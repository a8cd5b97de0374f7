/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Saves the state of the chip as a record, and restores it.  docs/format.md,
 * section "The state file", has the layout.  A record is refused if no chip can
 * have that state.
 */
#include "pflash/cfi.h"

#include <errno.h>
#include <string.h>

#include "bank.h"
#include "pflash/le.h"

#define MAGIC "PFLASHC2"
#define MAGIC_1 "PFLASHC1" /* of pflashd 0.1 */
#define HEADER_SIZE 56
#define HEADER_SIZE_1 48
#define LOADED (24 + CFI_BUFFER_SIZE)
#define PART_SIZE (LOADED + CFI_BUFFER_SIZE / 8)

static size_t
protect_size(const struct cfi *chip)
{
	return (size_t)chip->config.geometry.interleave * CFI_PROTECT_SIZE;
}

uint32_t
state_parts_at(const struct cfi *chip)
{
	return HEADER_SIZE + (uint32_t)protect_size(chip) +
	       geometry_blocks(&chip->config.geometry);
}

/* The offset of the marks in a record. */
static uint32_t
marks_at(const struct cfi *chip)
{
	return chip->parts_at + chip->config.geometry.interleave * PART_SIZE;
}

static uint32_t
mark_count(const struct cfi *chip)
{
	return chip->config.geometry.interleave * chip->partitions;
}

size_t
cfi_state_size(const struct cfi *chip)
{
	return (size_t)marks_at(chip) + mark_count(chip);
}

static void
put_header(const struct cfi *chip, uint8_t *at)
{
	const struct geometry *g = &chip->config.geometry;

	memset(at, 0, HEADER_SIZE);
	memcpy(at, MAGIC, 8);
	at[8] = (uint8_t)chip->config.personality;
	at[9] = g->width;
	at[10] = g->interleave;
	at[11] = g->region_count;
	put_le32(at + 12, g->size);
	for (unsigned int i = 0; i < g->region_count; i++) {
		put_le32(at + 16 + 8 * i, g->regions[i].block_size);
		put_le32(at + 20 + 8 * i, g->regions[i].count);
	}
	put_le32(at + 48, 1u << chip->partition_shift);
}

/* The order is that of struct cfi_part, so that a few wide stores suffice. */
static inline void
put_part_registers(const struct cfi_part *part, uint8_t *restrict at)
{
	at[0] = part->state;
	at[1] = part->view;
	at[2] = part->status;
	at[3] = part->burst;
	at[4] = part->last;
	at[5] = part->bad;
	put_le16(at + 6, part->partition);
	put_le32(at + 8, part->erased);
	put_le32(at + 12, part->start);
	put_le32(at + 16, part->words);
	put_le32(at + 20, part->pending);
}

static void
put_part_buffer(const struct cfi_part *part, uint8_t *at)
{
	memcpy(at + 24, part->buffer, CFI_BUFFER_SIZE);
	memcpy(at + LOADED, part->loaded, sizeof(part->loaded));
}

void
cfi_save(const struct cfi *chip, uint8_t *record)
{
	uint32_t blocks = geometry_blocks(&chip->config.geometry);

	put_header(chip, record);
	record += HEADER_SIZE;
	memcpy(record, chip->protect, protect_size(chip));
	record += protect_size(chip);
	memcpy(record, chip->locks, blocks);
	record += blocks;
	for (unsigned int i = 0; i < chip->config.geometry.interleave; i++) {
		put_part_registers(&chip->part[i], record + i * PART_SIZE);
		put_part_buffer(&chip->part[i], record + i * PART_SIZE);
	}
	memcpy(record + chip->config.geometry.interleave * PART_SIZE,
	       chip->shown, mark_count(chip));
}

/* The write buffer has contents only from its first word to the confirm. */
static bool
has_loaded(const struct cfi_part *part)
{
	return part->state == CFI_STATE_LOAD ||
	       part->state == CFI_STATE_CONFIRM;
}

/*
 * Updates the marks that have changed.  False: locks or protection registers
 * have changed too, or too much, and the whole record was written.
 */
static bool
save_changes(const struct cfi *chip, uint8_t *record, uint32_t *changes)
{
	bool whole = chip->changes - *changes > CFI_MAX_VIEWS;

	for (; !whole && *changes != chip->changes; ++*changes) {
		uint16_t entry = chip->log[*changes % CFI_MAX_VIEWS];

		whole = entry == LOG_OTHER;
		if (!whole)
			record[marks_at(chip) + entry] = chip->shown[entry];
	}
	if (whole)
		cfi_save(chip, record);
	*changes = chip->changes;
	return !whole;
}

void
cfi_save_again(const struct cfi *chip, uint8_t *record, uint32_t *changes)
{
	if (*changes != chip->changes && !save_changes(chip, record, changes))
		return;
	record += chip->parts_at;
	for (unsigned int i = 0; i < chip->config.geometry.interleave; i++) {
		const struct cfi_part *part = &chip->part[i];

		put_part_registers(part, record + i * PART_SIZE);
		if (has_loaded(part))
			put_part_buffer(part, record + i * PART_SIZE);
	}
}

/* False: a flag is neither 0 nor 1. */
static bool
get_part(struct cfi_part *part, const uint8_t *at)
{
	if (at[5] > 1)
		return false;
	*part = (struct cfi_part){
		.state = at[0],
		.view = at[1],
		.status = at[2],
		.burst = at[3],
		.last = at[4],
		.bad = at[5],
		.partition = get_le16(at + 6),
		.erased = get_le32(at + 8),
		.start = get_le32(at + 12),
		.words = get_le32(at + 16),
		.pending = get_le32(at + 20),
	};
	memcpy(part->buffer, at + 24, CFI_BUFFER_SIZE);
	memcpy(part->loaded, at + LOADED, sizeof(part->loaded));
	return true;
}

/* The size of a record's header; 0: not a record of a known version. */
static size_t
header_size(const uint8_t *record, size_t len)
{
	if (len < HEADER_SIZE)
		return 0;
	if (memcmp(record, MAGIC, 8) == 0)
		return HEADER_SIZE;
	return memcmp(record, MAGIC_1, 8) == 0 ? HEADER_SIZE_1 : 0;
}

int
cfi_restore_protect(struct cfi *chip, const uint8_t *record, size_t len)
{
	const struct geometry *g = &chip->config.geometry;
	size_t header = header_size(record, len);

	if (!header || len < header + protect_size(chip) ||
	    record[9] != g->width || record[10] != g->interleave)
		return -EINVAL;
	for (unsigned int i = 0; i < g->interleave; i++)
		if (!protect_verify(record + header + i * CFI_PROTECT_SIZE,
				    geometry_lane(g)))
			return -EINVAL;
	memcpy(chip->protect, record + header, protect_size(chip));
	return 0;
}

/* True if the record is as long as its version says, for this chip. */
static bool
header_fits(const struct cfi *chip, const uint8_t *record, size_t len)
{
	size_t header = header_size(record, len), size = cfi_state_size(chip);
	uint8_t expected[HEADER_SIZE];

	if (!header)
		return false;
	put_header(chip, expected);
	if (header == HEADER_SIZE_1) {
		memcpy(expected, MAGIC_1, 8);
		if (len == marks_at(chip) - (HEADER_SIZE - HEADER_SIZE_1))
			size = len;
	}
	return len == size && memcmp(record, expected, header) == 0;
}

/*
 * In a record of version 1 a part has one view, for all partitions, and 0 for
 * its partition.  False: another value.
 */
static bool
spread_views(struct cfi *chip)
{
	for (unsigned int n = 0; n < chip->config.geometry.interleave; n++) {
		if (chip->part[n].partition != 0)
			return false;
		memset(chip->shown + views_index(chip, n, 0),
		       views_mark(&chip->part[n]), chip->partitions);
	}
	return true;
}

int
cfi_restore(struct cfi *chip, const uint8_t *record, size_t len)
{
	struct cfi to = *chip;
	uint32_t blocks = geometry_blocks(&chip->config.geometry);
	const uint8_t *at = record + header_size(record, len) +
			    protect_size(chip);

	if (!header_fits(chip, record, len) ||
	    cfi_restore_protect(&to, record, len) < 0)
		return -EINVAL;
	memcpy(to.locks, at, blocks);
	at += blocks;
	for (unsigned int i = 0; i < to.config.geometry.interleave; i++)
		if (!get_part(&to.part[i], at + i * PART_SIZE))
			return -EINVAL;
	at += to.config.geometry.interleave * PART_SIZE;
	if (header_size(record, len) == HEADER_SIZE)
		memcpy(to.shown, at, mark_count(&to));
	else if (!spread_views(&to))
		return -EINVAL;
	views_find_switched(&to);
	bank_note_locks(&to);
	if (!cfi_verify(&to))
		return -EINVAL;
	*chip = to;
	return 0;
}
