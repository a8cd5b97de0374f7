/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bank: accesses become bus cycles, a bus cycle reaches every part, and
 * what the parts make of it is carried out on the array, for all parts that
 * want the same in one operation of the owner's.
 *
 * Lanes and parts are named by their number, sets of them by a bit mask.
 */
#include "pflash/cfi.h"

#include <errno.h>
#include <string.h>

#include "part.h"
#include "query.h"
#include "state.h"

/* What is rare stays out of the way of a byte program, and its registers. */
#define RARE __attribute__((cold, noinline)) static

/* One bus cycle of a write. */
struct cycle {
	uint32_t word;
	uint32_t data;
};

/* Of all parts there could be. */
static void
new_protect(uint8_t *registers)
{
	memset(registers, 0xff, GEOMETRY_MAX_PARTS * CFI_PROTECT_SIZE);
	for (unsigned int i = 0; i < GEOMETRY_MAX_PARTS; i++)
		registers[i * CFI_PROTECT_SIZE] = 0xfe; /* the factory's half */
}

bool
cfi_protect_is_new(const struct cfi *chip)
{
	uint8_t registers[sizeof(chip->protect)];

	new_protect(registers);
	return memcmp(registers, chip->protect, sizeof(registers)) == 0;
}

/* Then a byte is programmed without asking anybody. */
static bool
is_plain(const struct cfi *chip)
{
	uint32_t blocks = geometry_blocks(&chip->config.geometry);

	for (uint32_t i = 0; i < blocks; i++)
		if (chip->locks[i])
			return false;
	return chip->config.geometry.width == 1 && !chip->config.show_busy;
}

void
cfi_settle(struct cfi *chip)
{
	chip->plain = is_plain(chip);
}

int
cfi_init(struct cfi *chip, const struct cfi_config *config)
{
	struct error err;
	uint32_t blocks;

	if (geometry_check(&config->geometry, &err) < 0)
		return -EINVAL;
	memset(chip, 0, sizeof(*chip));
	chip->config = *config;
	chip->width_shift = (uint8_t)__builtin_ctz(config->geometry.width);
	chip->lane_shift = (uint8_t)
		__builtin_ctz(geometry_lane(&config->geometry));
	chip->all = (uint8_t)((1u << config->geometry.interleave) - 1);
	for (unsigned int i = 0; i < config->geometry.interleave; i++)
		chip->part[i].status = CFI_SR_READY;
	new_protect(chip->protect);
	blocks = geometry_blocks(&config->geometry);
	if (personality_of(chip)->power_on_locked)
		memset(chip->locks, chip->all, blocks);
	query_build(chip->query, &config->geometry);
	chip->parts_at = state_parts_at(chip);
	cfi_settle(chip);
	return 0;
}

/* Tells the owner when, and only when, reads return something new. */
static void
update_view(struct cfi *chip)
{
	bool changed = false;

	for (unsigned int i = 0; i < chip->config.geometry.interleave; i++)
		changed |= part_shown(&chip->part[i]);
	if (changed)
		chip->config.ops->show(chip->config.owner);
}

/* Those who read the status while the owner works must not see it ready. */
RARE void
show_busy(struct cfi *chip, unsigned int parts)
{
	for (; parts; parts &= parts - 1)
		chip->part[__builtin_ctz(parts)].status &=
			(uint8_t)~CFI_SR_READY;
	update_view(chip);
}

static void
end(struct cfi *chip, unsigned int parts, uint8_t bits, uint8_t suspend,
    int error)
{
	for (; parts; parts &= parts - 1)
		part_end(&chip->part[__builtin_ctz(parts)], bits, suspend,
			 error);
}

/* SR bits with which a part refuses to touch a block, or 0. */
static uint8_t
refusal(const struct cfi *chip, unsigned int n, enum effect effect,
	const struct geometry_block *block)
{
	const struct cfi_part *part = &chip->part[n];
	bool erases = effect == EFFECT_ERASE;

	if (part->status & CFI_SR_PROGRAM_SUSPENDED)
		return SEQUENCE_ERROR;
	if (part->status & CFI_SR_ERASE_SUSPENDED &&
	    (erases || part->erased == block->index))
		return SEQUENCE_ERROR;
	if (effect == EFFECT_BUFFER && part->bad)
		return SEQUENCE_ERROR;
	if (chip->locks[block->index] >> n & 1)
		return CFI_SR_PROTECTED |
		       (erases ? CFI_SR_ERASE : CFI_SR_PROGRAM);
	return 0;
}

/* Those of the parts that do not refuse. */
static unsigned int
admit(struct cfi *chip, unsigned int parts, enum effect effect,
      const struct geometry_block *block)
{
	unsigned int admitted = 0;

	for (; parts; parts &= parts - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(parts);
		uint8_t bits = refusal(chip, n, effect, block);

		if (bits)
			part_refuse(&chip->part[n], bits);
		else
			admitted |= 1u << n;
	}
	return admitted;
}

/* The part whose lane a byte of the bank is on. */
static unsigned int
part_of(const struct cfi *chip, uint32_t off)
{
	return (off & (chip->config.geometry.width - 1u)) >> chip->lane_shift;
}

/* What the byte at `off` becomes when its part programs it. */
static uint8_t
programmed(const struct cfi *chip, uint32_t off, uint8_t byte)
{
	if (personality_of(chip)->overwrites)
		return byte;
	return chip->config.array[off] & byte; /* NOR can only clear */
}

static void
program(struct cfi *chip, unsigned int parts, struct cycle cycle)
{
	const struct cfi_config *config = &chip->config;
	unsigned int width = config->geometry.width;
	uint32_t off = cycle.word << chip->width_shift;
	struct geometry_block block = geometry_block_at(&config->geometry, off);
	uint8_t bytes[GEOMETRY_MAX_WIDTH];
	int ret;

	parts = admit(chip, parts, EFFECT_PROGRAM, &block);
	if (!parts)
		return;
	for (unsigned int i = 0; i < width; i++)
		bytes[i] = parts >> (i >> chip->lane_shift) & 1 ?
				   programmed(chip, off + i,
					      (uint8_t)(cycle.data >> 8 * i)) :
				   config->array[off + i];
	if (config->show_busy)
		show_busy(chip, parts);
	ret = config->ops->program(config->owner, off, bytes, width);
	end(chip, parts, CFI_SR_PROGRAM, CFI_SR_PROGRAM_SUSPENDED, ret);
}

/* Parts that loaded the same range program it together. */
static void
program_buffers(struct cfi *chip, unsigned int parts)
{
	const struct cfi_config *config = &chip->config;
	unsigned int width = config->geometry.width;
	unsigned int lane = geometry_lane(&config->geometry);
	struct cfi_part *first = &chip->part[__builtin_ctz(parts)];
	uint32_t off = first->start * width, len = first->words * width;
	struct geometry_block block = geometry_block_at(&config->geometry, off);
	uint8_t bytes[GEOMETRY_MAX_PARTS * CFI_BUFFER_SIZE];
	bool crosses = len > block.first + block.size - off;
	int ret;

	for (unsigned int n = 0; n < config->geometry.interleave; n++)
		chip->part[n].bad |= parts >> n & 1 && crosses;
	parts = admit(chip, parts, EFFECT_BUFFER, &block);
	if (!parts)
		return;
	for (uint32_t i = 0; i < len; i++) {
		unsigned int n = part_of(chip, i);
		uint32_t at = i / width;
		const struct cfi_part *part = &chip->part[n];

		bytes[i] = config->array[off + i];
		if (parts >> n & 1 && part->loaded[at / 8] >> at % 8 & 1)
			bytes[i] =
				programmed(chip, off + i,
					   part->buffer[at * lane + i % lane]);
	}
	if (config->show_busy)
		show_busy(chip, parts);
	ret = config->ops->program(config->owner, off, bytes, len);
	end(chip, parts, CFI_SR_PROGRAM, CFI_SR_PROGRAM_SUSPENDED, ret);
}

RARE void
buffer(struct cfi *chip, unsigned int parts)
{
	while (parts) {
		const struct cfi_part *first =
			&chip->part[__builtin_ctz(parts)];
		unsigned int same = 0;

		for (unsigned int left = parts; left; left &= left - 1) {
			int n = __builtin_ctz(left);

			if (chip->part[n].start == first->start &&
			    chip->part[n].words == first->words)
				same |= 1u << n;
		}
		program_buffers(chip, same);
		parts &= ~same;
	}
}

/* The block of some parts only: their lanes become ones, piece by piece. */
static int
erase_lanes(struct cfi *chip, unsigned int parts,
	    const struct geometry_block *block)
{
	const struct cfi_config *config = &chip->config;
	uint8_t bytes[GEOMETRY_MIN_BLOCK];
	int ret = 0;

	for (uint32_t done = 0; ret == 0 && done < block->size;
	     done += sizeof(bytes)) {
		const uint8_t *old = config->array + block->first + done;

		for (unsigned int i = 0; i < sizeof(bytes); i++)
			bytes[i] = parts >> part_of(chip, i) & 1 ? 0xff :
								   old[i];
		ret = config->ops->program(config->owner, block->first + done,
					   bytes, sizeof(bytes));
	}
	return ret;
}

RARE void
erase(struct cfi *chip, unsigned int parts, struct cycle cycle)
{
	const struct cfi_config *config = &chip->config;
	const struct geometry *g = &config->geometry;
	struct geometry_block block =
		geometry_block_at(g, cycle.word << chip->width_shift);
	int ret;

	parts = admit(chip, parts, EFFECT_ERASE, &block);
	if (!parts)
		return;
	if (config->show_busy)
		show_busy(chip, parts);
	if (parts == chip->all)
		ret = config->ops->erase(config->owner, block.first,
					 block.size);
	else
		ret = erase_lanes(chip, parts, &block);
	end(chip, parts, CFI_SR_ERASE, CFI_SR_ERASE_SUSPENDED, ret);
	for (; parts; parts &= parts - 1)
		chip->part[__builtin_ctz(parts)].erased = block.index;
}

static uint8_t
locked(uint8_t locks, unsigned int n, enum effect effect)
{
	const uint8_t lock = (uint8_t)(1u << n);
	const uint8_t down = (uint8_t)(lock << GEOMETRY_MAX_PARTS);

	if (effect == EFFECT_LOCK)
		return locks | lock;
	if (effect == EFFECT_LOCK_DOWN)
		return locks | lock | down;
	return locks & down ? locks : locks & (uint8_t)~lock;
}

RARE void
lock(struct cfi *chip, unsigned int parts, enum effect effect,
     struct cycle cycle)
{
	const struct geometry *g = &chip->config.geometry;
	uint8_t *locks =
		&chip->locks[geometry_block_at(g,
					       cycle.word << chip->width_shift)
				     .index];

	chip->changes++;
	for (; parts; parts &= parts - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(parts);

		if (chip->part[n].status & CFI_SR_PROGRAM_SUSPENDED) {
			part_refuse(&chip->part[n], SEQUENCE_ERROR);
			continue;
		}
		if (personality_of(chip)->keeps_locks)
			*locks = locked(*locks, n, effect);
		part_end(&chip->part[n], 0, 0, 0);
	}
	cfi_settle(chip);
}

/* A word of a part's protection register; false: there is none, or locked. */
static bool
program_register(struct cfi *chip, unsigned int n, struct cycle cycle)
{
	unsigned int lane = geometry_lane(&chip->config.geometry);
	uint8_t *at = chip->protect + n * CFI_PROTECT_SIZE;
	uint32_t word = cycle.word - CFI_PROTECT_WORD;
	uint32_t byte = word == 0 ? 0 : 2 + (word - 1) * lane;

	if (word > 16 / lane)
		return false;
	if (word > 0 && !(*at >> (byte >= 10) & 1))
		return false;
	for (unsigned int i = 0; i < lane; i++)
		at[byte + i] &= (uint8_t)(cycle.data >> 8 * (n * lane + i));
	return true;
}

RARE void
protect(struct cfi *chip, unsigned int parts, struct cycle cycle)
{
	const struct cfi_config *config = &chip->config;
	const uint8_t suspended = CFI_SR_ERASE_SUSPENDED |
				  CFI_SR_PROGRAM_SUSPENDED;
	uint8_t before[sizeof(chip->protect)];
	unsigned int admitted = 0;
	int ret;

	chip->changes++;
	memcpy(before, chip->protect, sizeof(before));
	for (; parts; parts &= parts - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(parts);
		struct cfi_part *part = &chip->part[n];

		if (part->status & suspended)
			part_refuse(part, SEQUENCE_ERROR);
		else if (!program_register(chip, n, cycle))
			part_refuse(part, CFI_SR_PROGRAM | CFI_SR_PROTECTED);
		else
			admitted |= 1u << n;
	}
	if (!admitted)
		return;
	if (config->show_busy)
		show_busy(chip, admitted);
	ret = config->ops->protect(config->owner, chip->protect,
				   config->geometry.interleave *
					   CFI_PROTECT_SIZE);
	if (ret < 0)
		memcpy(chip->protect, before, sizeof(before));
	for (; admitted; admitted &= admitted - 1) {
		struct cfi_part *part = &chip->part[__builtin_ctz(admitted)];

		part_refuse(part, 0);
		if (ret < 0)
			part_fail(part, CFI_SR_PROGRAM, ret);
	}
}

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

/* Ends the burst: its owner makes it durable before the array is shown. */
RARE void
read_array(struct cfi *chip)
{
	uint8_t burst = 0;

	for (unsigned int i = 0; i < chip->config.geometry.interleave; i++)
		burst |= chip->part[i].burst;
	if (burst)
		end_burst(chip, chip->config.ops->commit(chip->config.owner));
}

static void
carry_out(struct cfi *chip, enum effect effect, unsigned int parts,
	  struct cycle cycle)
{
	switch (effect) {
	case EFFECT_NONE: break;
	case EFFECT_ARRAY: read_array(chip); break;
	case EFFECT_PROGRAM: program(chip, parts, cycle); break;
	case EFFECT_BUFFER: buffer(chip, parts); break;
	case EFFECT_ERASE: erase(chip, parts, cycle); break;
	case EFFECT_LOCK:
	case EFFECT_UNLOCK:
	case EFFECT_LOCK_DOWN: lock(chip, parts, effect, cycle); break;
	case EFFECT_PROTECT: protect(chip, parts, cycle); break;
	}
}

/* `parts`: those the cycle reaches. */
RARE void
side_by_side(struct cfi *chip, unsigned int parts, struct cycle cycle)
{
	const struct personality *p = personality_of(chip);
	unsigned int lane = 1u << chip->lane_shift;
	uint8_t wanted_by[EFFECT_COUNT] = { 0 };
	unsigned int effects = 0;

	for (; parts; parts &= parts - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(parts);
		enum effect effect = part_cycle(&chip->part[n], p, cycle.word,
						cycle.data >> 8 * n * lane,
						lane);

		wanted_by[effect] |= (uint8_t)(1u << n);
		effects |= 1u << effect;
	}
	for (; effects; effects &= effects - 1) {
		int effect = __builtin_ctz(effects);

		carry_out(chip, (enum effect)effect, wanted_by[effect], cycle);
	}
}

static void
bus_cycle(struct cfi *chip, unsigned int parts, struct cycle cycle)
{
	enum effect effect;

	if (chip->all == 1) { /* the way of OVMF's every write */
		effect = part_cycle(&chip->part[0], personality_of(chip),
				    cycle.word, cycle.data,
				    1u << chip->lane_shift);
		carry_out(chip, effect, 1, cycle);
	} else {
		side_by_side(chip, parts, cycle);
	}
	update_view(chip);
}

/*
 * What bus_cycle() would do, of what a plain part is told nearly always: to
 * program a byte.  false: it is something else.
 */
static inline bool
plain_cycle(struct cfi *chip, uint32_t off, uint8_t byte)
{
	const uint8_t suspended = CFI_SR_ERASE_SUSPENDED |
				  CFI_SR_PROGRAM_SUSPENDED;
	const struct cfi_config *config = &chip->config;
	struct cfi_part *part = &chip->part[0];

	switch (part->state) {
	case CFI_STATE_PROGRAM:
		if (part->status & suspended)
			return false;
		chip->byte = programmed(chip, off, byte);
		part->state = CFI_STATE_READY;
		part_end(part, CFI_SR_PROGRAM, CFI_SR_PROGRAM_SUSPENDED,
			 config->ops->program(config->owner, off, &chip->byte,
					      1));
		break;
	case CFI_STATE_READY:
		if (byte != CFI_CMD_PROGRAM && byte != CFI_CMD_PROGRAM_ALT)
			return false;
		part->state = CFI_STATE_PROGRAM;
		part->view = CFI_VIEW_STATUS;
		part->last = 0;
		break;
	default: return false;
	}
	if (!part_shows_as_before(part) && part_shown(part))
		config->ops->show(config->owner);
	return true;
}

/* [first, last] of the bank's bytes, with their values at `first` on. */
RARE void
write_inside(struct cfi *chip, uint32_t first, uint32_t last, uint64_t value)
{
	const struct geometry *g = &chip->config.geometry;
	uint32_t off = first;

	while (off <= last) {
		uint32_t from = off % g->width;
		uint32_t bytes = g->width - from;
		struct cycle cycle = { .word = off / g->width };
		unsigned int reached = 0;

		if (bytes > last - off + 1)
			bytes = last - off + 1;
		for (unsigned int i = 0; i < g->width; i++) {
			bool covered = i >= from && i < from + bytes;
			uint32_t byte = covered ? (uint8_t)value : 0xff;

			cycle.data |= byte << 8 * i;
			reached |= (unsigned int)covered
				   << (i >> chip->lane_shift);
			if (covered)
				value >>= 8;
		}
		bus_cycle(chip, reached, cycle);
		off += bytes;
	}
}

void
cfi_write(struct cfi *chip, uint64_t off, unsigned int size, uint64_t value)
{
	const struct geometry *g = &chip->config.geometry;
	uint32_t bank = g->size;
	uint64_t last;

	if (chip->plain && size == 1 && off < bank &&
	    plain_cycle(chip, (uint32_t)off, (uint8_t)value))
		return;
	if (off >= bank || size == 0)
		return;
	if (size == g->width && (off & (size - 1)) == 0) {
		bus_cycle(chip, chip->all,
			  (struct cycle){ (uint32_t)off >> chip->width_shift,
					  (uint32_t)value });
		return;
	}
	if (size > sizeof(value))
		size = sizeof(value);
	last = off + size - 1;
	if (last >= bank)
		last = bank - 1;
	write_inside(chip, (uint32_t)off, (uint32_t)last, value);
}

void
cfi_report(struct cfi *chip, int error)
{
	end_burst(chip, error);
	update_view(chip);
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
	    chip->plain != is_plain(chip))
		return false;
	for (unsigned int i = 0; i < g->interleave; i++) {
		const struct cfi_part *part = &chip->part[i];

		if (!part_verify(part, personality_of(chip), g->size / g->width,
				 geometry_blocks(g), geometry_lane(g)) ||
		    !protect_verify(chip->protect + i * CFI_PROTECT_SIZE,
				    geometry_lane(g)))
			return false;
		/* The owner shows what there is to show. */
		if (part->shown_view != part_kind_of_view(part) ||
		    part->shown != part_shows(part))
			return false;
	}
	return true;
}
