/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the bank share: cfi.c, operations.c and state.c. */
#ifndef PFLASH_CFI_BANK_H
#define PFLASH_CFI_BANK_H

#include "part.h"

#include "pflash/cfi.h"

/* Keeps rare work out of the registers and the cache lines of a program. */
#define RARE __attribute__((cold, noinline)) static

/* struct cfi, `parts_at` */
uint32_t state_parts_at(const struct cfi *chip);

/* The protection registers of GEOMETRY_MAX_PARTS new parts. */
void protect_init(uint8_t *registers);

/* struct cfi, `locked`: after a change of the locks */
void bank_note_locks(struct cfi *chip);
bool bank_has_locks(const struct cfi *chip);

/*
 * The effects.  `parts` ask for it; `word` and `data` are the address and the
 * data of the bus cycle that completed the command.
 */
void bank_buffer(struct cfi *chip, unsigned int parts);
void bank_erase(struct cfi *chip, unsigned int parts, uint32_t word);
void bank_lock(struct cfi *chip, unsigned int parts, enum effect effect,
	       uint32_t word);
void bank_protect(struct cfi *chip, unsigned int parts, uint32_t word,
		  uint32_t data);

/* For bank_admit() alone. */
unsigned int bank_admit_each(struct cfi *chip, unsigned int parts,
			     enum effect effect, uint32_t off);

/*
 * Those of the parts that touch the block at `off`; the status of the others
 * says why they refuse.
 */
static inline unsigned int
bank_admit(struct cfi *chip, unsigned int parts, enum effect effect,
	   uint32_t off)
{
	uint8_t status = 0;

	for (unsigned int left = parts; left; left &= left - 1)
		status |= chip->part[__builtin_ctz(left)].status;
	if (effect == EFFECT_BUFFER || chip->locked || status & SUSPENDED)
		return bank_admit_each(chip, parts, effect, off);
	return parts;
}

/* The byte that the array has at `off` when its part has programmed it. */
static inline uint8_t
bank_programmed(const struct cfi *chip, uint32_t off, uint8_t byte)
{
	if (personality_of(chip)->overwrites)
		return byte;
	return chip->config.array[off] & byte; /* NOR can only clear */
}

/* The parts are not ready while the owner works, if the chip shows that. */
static inline void
bank_begin(struct cfi *chip, unsigned int parts)
{
	if (!chip->config.show_busy)
		return;
	for (; parts; parts &= parts - 1)
		chip->part[__builtin_ctz(parts)].status &=
			(uint8_t)~CFI_SR_READY;
}

/* The owner has returned `error`; see part_end(). */
static inline void
bank_end(struct cfi *chip, unsigned int parts, uint8_t bits, uint8_t suspend,
	 int error)
{
	for (; parts; parts &= parts - 1)
		part_end(&chip->part[__builtin_ctz(parts)], bits, suspend,
			 error);
}

#endif
