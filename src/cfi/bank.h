/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bank, private to src/cfi: functions that cfi.c, operations.c and state.c
 * share.  `parts` is a set of parts, bit n for part n.  Offsets are in bytes of
 * the bank.
 */
#ifndef PFLASH_CFI_BANK_H
#define PFLASH_CFI_BANK_H

#include "views.h"

#include "pflash/cfi.h"

/* For rare work: keeps it out of the code that a byte program executes. */
#define RARE __attribute__((cold, noinline)) static

/* Computes `parts_at` of struct cfi. */
uint32_t state_parts_at(const struct cfi *chip);

/* Fills `registers` with those of GEOMETRY_MAX_PARTS new parts. */
void protect_init(uint8_t *registers);

/* Updates `locked` of struct cfi; to be called after a change of the locks. */
void bank_note_locks(struct cfi *chip);
/* True if any block of any part is locked. */
bool bank_has_locks(const struct cfi *chip);

/*
 * Carry out one effect for the parts that requested it.  `word` and `data` are
 * the address and the data of the bus cycle that completed the command.  The
 * result of each part is in its status.
 */
void bank_buffer(struct cfi *chip, unsigned int parts);
void bank_erase(struct cfi *chip, unsigned int parts, uint32_t word);
void bank_lock(struct cfi *chip, unsigned int parts, enum effect effect,
	       uint32_t word);
void bank_protect(struct cfi *chip, unsigned int parts, uint32_t word,
		  uint32_t data);

/* Called only by bank_admit(). */
unsigned int bank_admit_each(struct cfi *chip, unsigned int parts,
			     enum effect effect, uint32_t off);

/*
 * False if no block is locked and no part is suspended: then no part refuses to
 * program or erase.  `status` has the status bits of the parts concerned.
 */
static inline bool
bank_may_refuse(const struct cfi *chip, uint8_t status)
{
	return chip->locked || status & SUSPENDED;
}

/*
 * Returns the parts that may program or erase the block at `off`.  Sets the
 * error bits of the others (docs/chip.md, section 4, "Refusal").
 */
static inline unsigned int
bank_admit(struct cfi *chip, unsigned int parts, enum effect effect,
	   uint32_t off)
{
	uint8_t status = 0;

	for (unsigned int left = parts; left; left &= left - 1)
		status |= chip->part[__builtin_ctz(left)].status;
	if (effect == EFFECT_BUFFER || bank_may_refuse(chip, status))
		return bank_admit_each(chip, parts, effect, off);
	return parts;
}

/* Returns the value of the byte at `off` after `byte` is programmed there. */
static inline uint8_t
bank_programmed(const struct cfi *chip, uint32_t off, uint8_t byte)
{
	if (personality_of(chip)->overwrites)
		return byte;
	return chip->config.array[off] & byte; /* NOR flash only clears bits */
}

/* Called only by bank_begin(): clears SR.7 of the parts. */
void bank_show_busy(struct cfi *chip, unsigned int parts);

/* Starts an operation of the owner: with show_busy, the parts are not ready. */
static inline void
bank_begin(struct cfi *chip, unsigned int parts)
{
	if (chip->config.show_busy)
		bank_show_busy(chip, parts);
}

/* Ends an operation of the owner, for each part: see part_end(). */
static inline void
bank_end(struct cfi *chip, unsigned int parts, uint8_t bits, uint8_t suspend,
	 int error)
{
	for (; parts; parts &= parts - 1)
		part_end(&chip->part[__builtin_ctz(parts)], bits, suspend,
			 error);
}

#endif
