/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carries out the effects other than a program: buffered program, erase, block
 * locks and the protection registers.
 */
#include "bank.h"

#include <string.h>

void
protect_init(uint8_t *registers)
{
	memset(registers, 0xff, GEOMETRY_MAX_PARTS * CFI_PROTECT_SIZE);
	/* PR-LK: the factory bytes are locked. */
	for (unsigned int i = 0; i < GEOMETRY_MAX_PARTS; i++)
		registers[i * CFI_PROTECT_SIZE] = 0xfe;
}

bool
cfi_protect_is_new(const struct cfi *chip)
{
	uint8_t registers[sizeof(chip->protect)];

	protect_init(registers);
	return memcmp(registers, chip->protect, sizeof(registers)) == 0;
}

bool
bank_has_locks(const struct cfi *chip)
{
	uint32_t blocks = geometry_blocks(&chip->config.geometry);

	for (uint32_t i = 0; i < blocks; i++)
		if (chip->locks[i])
			return true;
	return false;
}

void
bank_note_locks(struct cfi *chip)
{
	chip->locked = bank_has_locks(chip);
}

void
bank_show_busy(struct cfi *chip, unsigned int parts)
{
	for (; parts; parts &= parts - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(parts);

		chip->part[n].status &= (uint8_t)~CFI_SR_READY;
		(void)views_note(chip, n);
	}
}

/*
 * Returns the SR bits with which part `n` refuses to program or erase the
 * block; 0: the part does not refuse.  The order is that of docs/chip.md,
 * section 4, "Refusal".
 */
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

unsigned int
bank_admit_each(struct cfi *chip, unsigned int parts, enum effect effect,
		uint32_t off)
{
	const struct geometry_block block =
		geometry_block_at(&chip->config.geometry, off);
	unsigned int admitted = 0;

	for (; parts; parts &= parts - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(parts);
		uint8_t bits = refusal(chip, n, effect, &block);

		if (bits)
			part_refuse(&chip->part[n], bits);
		else
			admitted |= 1u << n;
	}
	return admitted;
}

/* Returns the number of the part that holds the byte at `off`. */
static unsigned int
part_of(const struct cfi *chip, uint32_t off)
{
	return (off & (chip->config.geometry.width - 1u)) >> chip->lane_shift;
}

/*
 * Programs the write buffers of parts that have loaded the same range, by one
 * operation of the owner.
 */
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
	parts = bank_admit(chip, parts, EFFECT_BUFFER, off);
	if (!parts)
		return;
	for (uint32_t i = 0; i < len; i++) {
		unsigned int n = part_of(chip, i);
		uint32_t at = i / width;
		const struct cfi_part *part = &chip->part[n];

		bytes[i] = config->array[off + i];
		if (parts >> n & 1 && part->loaded[at / 8] >> at % 8 & 1)
			bytes[i] = bank_programmed(
				chip, off + i,
				part->buffer[at * lane + i % lane]);
	}
	bank_begin(chip, parts);
	ret = config->ops->program(config->owner, off, bytes, len);
	bank_end(chip, parts, CFI_SR_PROGRAM, CFI_SR_PROGRAM_SUSPENDED, ret);
}

void
bank_buffer(struct cfi *chip, unsigned int parts)
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

/*
 * Erases the block on the lanes of some parts only: programs 0xff there, in
 * pieces of GEOMETRY_MIN_BLOCK bytes.
 */
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

void
bank_erase(struct cfi *chip, unsigned int parts, uint32_t word)
{
	const struct cfi_config *config = &chip->config;
	const struct geometry *g = &config->geometry;
	struct geometry_block block =
		geometry_block_at(g, word << chip->width_shift);
	int ret;

	parts = bank_admit(chip, parts, EFFECT_ERASE, block.first);
	if (!parts)
		return;
	bank_begin(chip, parts);
	if (parts == chip->all)
		ret = config->ops->erase(config->owner, block.first,
					 block.size);
	else
		ret = erase_lanes(chip, parts, &block);
	bank_end(chip, parts, CFI_SR_ERASE, CFI_SR_ERASE_SUSPENDED, ret);
	for (; parts; parts &= parts - 1)
		chip->part[__builtin_ctz(parts)].erased = block.index;
}

/* Returns the lock bits of a block after the effect on part `n`. */
static uint8_t
change_locks(uint8_t locks, unsigned int n, enum effect effect)
{
	const uint8_t lock = (uint8_t)(1u << n);
	const uint8_t down = (uint8_t)(lock << GEOMETRY_MAX_PARTS);

	if (effect == EFFECT_LOCK)
		return locks | lock;
	if (effect == EFFECT_LOCK_DOWN)
		return locks | lock | down;
	return locks & down ? locks : locks & (uint8_t)~lock;
}

void
bank_lock(struct cfi *chip, unsigned int parts, enum effect effect,
	  uint32_t word)
{
	const struct geometry *g = &chip->config.geometry;
	uint8_t *locks =
		&chip->locks[geometry_block_at(g, word << chip->width_shift)
				     .index];

	views_log(chip, LOG_OTHER);
	for (; parts; parts &= parts - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(parts);

		if (chip->part[n].status & CFI_SR_PROGRAM_SUSPENDED) {
			part_refuse(&chip->part[n], SEQUENCE_ERROR);
			continue;
		}
		if (personality_of(chip)->keeps_locks)
			*locks = change_locks(*locks, n, effect);
		part_end(&chip->part[n], 0, 0, 0);
	}
	bank_note_locks(chip);
}

/*
 * Programs the word at address `word` in the protection register of part `n`.
 * False: no register has this address, or its half is locked.
 */
static bool
program_register(struct cfi *chip, unsigned int n, uint32_t word, uint32_t data)
{
	unsigned int lane = geometry_lane(&chip->config.geometry);
	uint8_t *at = chip->protect + n * CFI_PROTECT_SIZE;
	uint32_t byte;

	word -= CFI_PROTECT_WORD;
	byte = word == 0 ? 0 : 2 + (word - 1) * lane;
	if (word > 16 / lane)
		return false;
	if (word > 0 && !(*at >> (byte >= 10) & 1))
		return false;
	for (unsigned int i = 0; i < lane; i++)
		at[byte + i] &= (uint8_t)(data >> 8 * (n * lane + i));
	return true;
}

void
bank_protect(struct cfi *chip, unsigned int parts, uint32_t word, uint32_t data)
{
	const struct cfi_config *config = &chip->config;
	uint8_t before[sizeof(chip->protect)];
	unsigned int admitted = 0;
	int ret;

	views_log(chip, LOG_OTHER);
	memcpy(before, chip->protect, sizeof(before));
	for (; parts; parts &= parts - 1) {
		unsigned int n = (unsigned int)__builtin_ctz(parts);
		struct cfi_part *part = &chip->part[n];

		if (part->status & SUSPENDED)
			part_refuse(part, SEQUENCE_ERROR);
		else if (!program_register(chip, n, word, data))
			part_refuse(part, CFI_SR_PROGRAM | CFI_SR_PROTECTED);
		else
			admitted |= 1u << n;
	}
	if (!admitted)
		return;
	bank_begin(chip, admitted);
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
