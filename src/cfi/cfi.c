/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bank.  An access becomes bus cycles.  A bus cycle reaches one or more
 * parts, and each part returns an effect.  The bank carries out each effect
 * once, for all parts that returned it, by one operation of the owner.
 *
 * This file carries out a program, and the READ ARRAY that ends a burst;
 * operations.c carries out the other effects.
 */
#include "pflash/cfi.h"

#include <errno.h>
#include <string.h>

#include "bank.h"
#include "query.h"

int
cfi_init(struct cfi *chip, const struct cfi_config *config)
{
	struct error err;

	if (geometry_check(&config->geometry, &err) < 0 ||
	    cfi_check_partition(&config->geometry, config->personality,
				config->partition, &err) < 0)
		return -EINVAL;
	memset(chip, 0, sizeof(*chip));
	chip->config = *config;
	chip->width_shift = (uint8_t)__builtin_ctz(config->geometry.width);
	chip->lane_shift = (uint8_t)
		__builtin_ctz(geometry_lane(&config->geometry));
	chip->all = (uint8_t)((1u << config->geometry.interleave) - 1);
	chip->x8 = config->geometry.width == 1;
	for (unsigned int i = 0; i < config->geometry.interleave; i++)
		chip->part[i].status = CFI_SR_READY;
	protect_init(chip->protect);
	if (personality_of(chip)->power_on_locked)
		memset(chip->locks, chip->all,
		       geometry_blocks(&config->geometry));
	query_build(chip->query, config);
	views_init(chip);
	chip->parts_at = state_parts_at(chip);
	bank_note_locks(chip);
	return 0;
}

/*
 * Programs a bus word for the parts that bank_admit() returned.  `shift` and
 * `lane_shift` are the chip's width_shift and lane_shift.  They are parameters
 * because a caller that knows the bus passes constants: a byte program on an x8
 * chip then costs a few instructions.
 */
__attribute__((always_inline)) static inline void
program(struct cfi *chip, unsigned int parts, uint32_t word, uint32_t data,
	unsigned int shift, unsigned int lane_shift)
{
	const struct cfi_config *config = &chip->config;
	uint32_t off = word << shift;
	int ret;

	for (unsigned int i = 0; i < 1u << shift; i++)
		chip->word[i] = parts >> (i >> lane_shift) & 1 ?
					bank_programmed(chip, off + i,
							(uint8_t)(data >>
								  8 * i)) :
					config->array[off + i];
	bank_begin(chip, parts);
	ret = config->ops->program(config->owner, off, chip->word, 1u << shift);
	bank_end(chip, parts, CFI_SR_PROGRAM, CFI_SR_PROGRAM_SUSPENDED, ret);
}

static void
admit_program(struct cfi *chip, unsigned int parts, uint32_t word,
	      uint32_t data)
{
	parts = bank_admit(chip, parts, EFFECT_PROGRAM,
			   word << chip->width_shift);
	if (parts)
		program(chip, parts, word, data, chip->width_shift,
			chip->lane_shift);
}

/* Calls views_note() for all parts; true if a view has changed. */
static bool
note_views(struct cfi *chip)
{
	bool changed = false;

	for (unsigned int i = 0; i < chip->config.geometry.interleave; i++)
		changed |= views_note(chip, i);
	return changed;
}

/*
 * Ends the burst.  If its commit failed, each part sets the error bits for its
 * own programs and erases in the burst.
 */
static void
end_burst(struct cfi *chip, int error)
{
	for (unsigned int i = 0; i < chip->config.geometry.interleave; i++) {
		struct cfi_part *part = &chip->part[i];

		if (error < 0 && part->burst)
			part_fail(part, part->burst, error);
		part->burst = 0;
	}
}

/*
 * Lets the owner commit the burst, before the guest can read the array.  True
 * if the view of another partition has changed.
 */
RARE bool
read_array(struct cfi *chip, unsigned int parts)
{
	uint8_t burst = 0;
	bool changed = false;

	for (unsigned int i = 0; i < chip->config.geometry.interleave; i++)
		burst |= chip->part[i].burst;
	if (burst)
		end_burst(chip, chip->config.ops->commit(chip->config.owner));
	for (; parts; parts &= parts - 1)
		changed |= views_end(chip, (unsigned int)__builtin_ctz(parts));
	return changed;
}

/* True if the view of another partition has changed. */
static bool
carry_out(struct cfi *chip, enum effect effect, unsigned int parts,
	  uint32_t word, uint32_t data)
{
	switch (effect) {
	case EFFECT_NONE: break;
	case EFFECT_ARRAY: return read_array(chip, parts);
	case EFFECT_PROGRAM: admit_program(chip, parts, word, data); break;
	case EFFECT_BUFFER: bank_buffer(chip, parts); break;
	case EFFECT_ERASE: bank_erase(chip, parts, word); break;
	case EFFECT_LOCK:
	case EFFECT_UNLOCK:
	case EFFECT_LOCK_DOWN: bank_lock(chip, parts, effect, word); break;
	case EFFECT_PROTECT: bank_protect(chip, parts, word, data); break;
	}
	return false;
}

/*
 * Executes a write cycle that reaches `parts`, and each effect once for all
 * parts that returned it.  True if a view has changed.
 */
RARE bool
bus_cycle(struct cfi *chip, unsigned int parts, uint32_t word, uint32_t data)
{
	const struct personality *p = personality_of(chip);
	unsigned int lane = 1u << chip->lane_shift;
	uint32_t partition = word << chip->width_shift >> chip->partition_shift;
	uint8_t asking[EFFECT_COUNT] = { 0 };
	unsigned int effects = 0;
	bool changed = false;

	for (; parts; parts &= parts - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(parts);
		enum effect effect;

		views_enter(chip, n, partition);
		effect = part_cycle(&chip->part[n], p, word,
				    data >> 8 * n * lane, lane);
		asking[effect] |= (uint8_t)(1u << n);
		effects |= 1u << effect;
	}
	for (; effects; effects &= effects - 1) {
		int effect = __builtin_ctz(effects);

		changed |= carry_out(chip, (enum effect)effect, asking[effect],
				     word, data);
	}
	return note_views(chip) || changed;
}

/*
 * bus_cycle() for a bank of one x8 part, which OVMF uses.  Nearly all cycles of
 * OVMF are the two cycles of a program, so these have a short path here.  Both
 * show the status.
 */
static bool
x8_cycle(struct cfi *chip, uint32_t word, uint32_t data)
{
	struct cfi_part *part = &chip->part[0];

	if (bank_may_refuse(chip, part->status) ||
	    !part_is_program(part, data) ||
	    word >> chip->partition_shift != part->partition)
		return bus_cycle(chip, 1, word, data);
	if (part_program_cycle(part) == EFFECT_PROGRAM)
		program(chip, 1, word, data, 0, 0);
	return views_note_mark(chip, 0, part->status | MARK_STATUS);
}

/*
 * Writes the bytes [first, last] of the bank when they are not exactly one bus
 * word.  The lowest byte of `value` goes to `first`.  In each cycle, the bytes
 * of the bus word outside of the range are 0xff (docs/chip.md, section 1).
 */
RARE bool
write_bytes(struct cfi *chip, uint32_t first, uint32_t last, uint64_t value)
{
	const struct geometry *g = &chip->config.geometry;
	uint32_t off = first;
	bool changed = false;

	while (off <= last) {
		uint32_t from = off % g->width;
		uint32_t bytes = g->width - from;
		unsigned int reached = 0;
		uint32_t data = 0;

		if (bytes > last - off + 1)
			bytes = last - off + 1;
		for (unsigned int i = 0; i < g->width; i++) {
			bool covered = i >= from && i < from + bytes;
			uint32_t byte = covered ? (uint8_t)value : 0xff;

			data |= byte << 8 * i;
			reached |= (unsigned int)covered
				   << (i >> chip->lane_shift);
			if (covered)
				value >>= 8;
		}
		changed |= bus_cycle(chip, reached, off / g->width, data);
		off += bytes;
	}
	return changed;
}

bool
cfi_write(struct cfi *chip, uint64_t off, unsigned int size, uint64_t value)
{
	const struct geometry *g = &chip->config.geometry;
	const uint32_t bank = g->size;
	uint64_t last;

	if (off >= bank || size == 0)
		return false;
	if (chip->x8 && size == 1)
		return x8_cycle(chip, (uint32_t)off, (uint8_t)value);
	if (size == g->width && (off & (size - 1)) == 0)
		return bus_cycle(chip, chip->all,
				 (uint32_t)off >> chip->width_shift,
				 (uint32_t)value);
	if (size > sizeof(value))
		size = sizeof(value);
	last = off + size - 1;
	if (last >= bank)
		last = bank - 1;
	return write_bytes(chip, (uint32_t)off, (uint32_t)last, value);
}

bool
cfi_report(struct cfi *chip, int error)
{
	end_burst(chip, error);
	return note_views(chip);
}

static bool
verify_locks(const struct cfi *chip)
{
	const uint8_t all = (uint8_t)((1u << chip->config.geometry.interleave) -
				      1);
	const uint8_t none = personality_of(chip)->keeps_locks ? 0 : 0xff;
	uint32_t blocks = geometry_blocks(&chip->config.geometry);

	for (uint32_t i = 0; i < blocks; i++) {
		uint8_t lock = chip->locks[i] & 0x0f;
		uint8_t down = chip->locks[i] >> GEOMETRY_MAX_PARTS;

		if (lock & ~all || down & ~lock || chip->locks[i] & none)
			return false;
	}
	return true;
}

bool
cfi_verify(const struct cfi *chip)
{
	const struct geometry *g = &chip->config.geometry;
	struct error err;

	if (geometry_check(g, &err) < 0 ||
	    chip->config.personality > CFI_QEMU || !verify_locks(chip) ||
	    chip->locked != bank_has_locks(chip) || !views_verify(chip))
		return false;
	for (unsigned int i = 0; i < g->interleave; i++) {
		const struct cfi_part *part = &chip->part[i];

		if (!part_verify(part, personality_of(chip), g->size / g->width,
				 geometry_blocks(g), geometry_lane(g)) ||
		    !protect_verify(chip->protect + i * CFI_PROTECT_SIZE,
				    geometry_lane(g)))
			return false;
	}
	return true;
}
