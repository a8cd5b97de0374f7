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

#define MAGIC "PFLASHC1"
#define HEADER_SIZE 48
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

size_t
cfi_state_size(const struct cfi *chip)
{
	return chip->parts_at +
	       (size_t)chip->config.geometry.interleave * PART_SIZE;
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
}

static void
put_part_registers(const struct cfi_part *part, uint8_t *at)
{
	at[0] = part->state;
	at[1] = part->view;
	at[2] = part->status;
	at[3] = part->burst;
	at[4] = part->last;
	at[5] = part->bad;
	at[6] = at[7] = 0;
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
}

/* The write buffer has contents only from its first word to the confirm. */
static bool
has_loaded(const struct cfi_part *part)
{
	return part->state == CFI_STATE_LOAD ||
	       part->state == CFI_STATE_CONFIRM;
}

void
cfi_save_again(const struct cfi *chip, uint8_t *record, uint32_t *changes)
{
	if (*changes != chip->changes) {
		cfi_save(chip, record);
		*changes = chip->changes;
		return;
	}
	record += chip->parts_at;
	for (unsigned int i = 0; i < chip->config.geometry.interleave; i++) {
		const struct cfi_part *part = &chip->part[i];

		put_part_registers(part, record + i * PART_SIZE);
		if (has_loaded(part))
			put_part_buffer(part, record + i * PART_SIZE);
	}
}

/* False: a reserved byte is not 0, or a flag is neither 0 nor 1. */
static bool
get_part(struct cfi_part *part, const uint8_t *at)
{
	if (at[5] > 1 || at[6] || at[7])
		return false;
	*part = (struct cfi_part){
		.state = at[0],
		.view = at[1],
		.status = at[2],
		.burst = at[3],
		.last = at[4],
		.bad = at[5],
		.erased = get_le32(at + 8),
		.start = get_le32(at + 12),
		.words = get_le32(at + 16),
		.pending = get_le32(at + 20),
	};
	memcpy(part->buffer, at + 24, CFI_BUFFER_SIZE);
	memcpy(part->loaded, at + LOADED, sizeof(part->loaded));
	return true;
}

/*
 * True if the record's protection registers are valid and have the layout of
 * this chip.
 */
static bool
protect_fits(const struct cfi *chip, const uint8_t *record, size_t len)
{
	const struct geometry *g = &chip->config.geometry;

	if (len < HEADER_SIZE + protect_size(chip) ||
	    memcmp(record, MAGIC, 8) != 0 || record[9] != g->width ||
	    record[10] != g->interleave)
		return false;
	for (unsigned int i = 0; i < g->interleave; i++)
		if (!protect_verify(record + HEADER_SIZE + i * CFI_PROTECT_SIZE,
				    geometry_lane(g)))
			return false;
	return true;
}

static bool
header_fits(const struct cfi *chip, const uint8_t *record, size_t len)
{
	uint8_t header[HEADER_SIZE];

	put_header(chip, header);
	return len == cfi_state_size(chip) &&
	       memcmp(record, header, HEADER_SIZE) == 0;
}

int
cfi_restore_protect(struct cfi *chip, const uint8_t *record, size_t len)
{
	if (!protect_fits(chip, record, len))
		return -EINVAL;
	memcpy(chip->protect, record + HEADER_SIZE, protect_size(chip));
	return 0;
}

int
cfi_restore(struct cfi *chip, const uint8_t *record, size_t len)
{
	struct cfi to = *chip;
	uint32_t blocks = geometry_blocks(&chip->config.geometry);
	const uint8_t *at = record + HEADER_SIZE + protect_size(chip);

	if (!header_fits(chip, record, len) ||
	    cfi_restore_protect(&to, record, len) < 0)
		return -EINVAL;
	memcpy(to.locks, at, blocks);
	at += blocks;
	for (unsigned int i = 0; i < to.config.geometry.interleave; i++)
		if (!get_part(&to.part[i], at + i * PART_SIZE))
			return -EINVAL;
	for (unsigned int i = 0; i < to.config.geometry.interleave; i++)
		(void)part_note_shown(&to.part[i]);
	bank_note_locks(&to);
	if (!cfi_verify(&to))
		return -EINVAL;
	*chip = to;
	return 0;
}
