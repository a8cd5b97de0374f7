/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command interface of one part, private to src/cfi.  part_cycle() decodes
 * a bus cycle, changes the state and the view of the part, and returns the
 * effect on the bank, which cfi.c carries out.  Addresses and data are those of
 * the part's lane.
 */
#ifndef PFLASH_CFI_PART_H
#define PFLASH_CFI_PART_H

#include <stdint.h>

#include "personality.h"

/* Pairs of status register bits. */
#define SEQUENCE_ERROR (CFI_SR_PROGRAM | CFI_SR_ERASE)
#define SUSPENDED (CFI_SR_ERASE_SUSPENDED | CFI_SR_PROGRAM_SUSPENDED)

/*
 * In this order, which cfi.c uses: if one cycle has several effects, the commit
 * comes first (docs/chip.md, section 8).
 */
enum effect {
	EFFECT_NONE,
	EFFECT_ARRAY, /* the view becomes ARRAY: commit the burst */
	EFFECT_PROGRAM,
	EFFECT_BUFFER,
	EFFECT_ERASE,
	EFFECT_LOCK,
	EFFECT_UNLOCK,
	EFFECT_LOCK_DOWN,
	EFFECT_PROTECT,
};

#define EFFECT_COUNT (EFFECT_PROTECT + 1)

/* Called only by part_cycle(): a cycle that is not of a program. */
enum effect part_interpret(struct cfi_part *part, const struct personality *p,
			   uint32_t word, uint32_t data, unsigned int lane);

/* Handles the first cycle of a command: the part waits for the second one. */
static inline enum effect
part_setup(struct cfi_part *part, enum cfi_state state)
{
	part->state = (uint8_t)state;
	part->view = CFI_VIEW_STATUS;
	return EFFECT_NONE;
}

/* True if a write cycle with this data is one of the two of a program. */
static inline bool
part_is_program(const struct cfi_part *part, uint32_t data)
{
	const uint8_t command = (uint8_t)data;

	return part->state == CFI_STATE_PROGRAM ||
	       (part->state == CFI_STATE_READY &&
		(command == CFI_CMD_PROGRAM || command == CFI_CMD_PROGRAM_ALT));
}

static inline enum effect
part_program_cycle(struct cfi_part *part)
{
	if (part->state == CFI_STATE_READY) {
		part->last = 0;
		return part_setup(part, CFI_STATE_PROGRAM);
	}
	part->state = CFI_STATE_READY;
	return EFFECT_PROGRAM;
}

/*
 * Handles a write cycle at the address `word` of the part, with `data` on its
 * lane of `lane` bytes; bits above the lane are ignored.
 */
static inline enum effect
part_cycle(struct cfi_part *part, const struct personality *p, uint32_t word,
	   uint32_t data, unsigned int lane)
{
	if (part_is_program(part, data))
		return part_program_cycle(part);
	return part_interpret(part, p, word, data, lane);
}

/* Ends an operation with the error bits `bits` of SR, and sets SR.7. */
void part_refuse(struct cfi_part *part, uint8_t bits);

/*
 * Sets `bits`, and SR.1 or SR.3 for the -errno that the owner returned (struct
 * cfi_ops).
 */
void part_fail(struct cfi_part *part, uint8_t bits, int error);

/*
 * Ends an operation.  `error` is the result of the owner, 0 or -errno; `bits`
 * is SR.4 or SR.5, which a failure sets; `suspend` is the SR bit that a SUSPEND
 * may set next.
 */
static inline void
part_end(struct cfi_part *part, uint8_t bits, uint8_t suspend, int error)
{
	part->status |= CFI_SR_READY;
	if (error < 0) {
		part_fail(part, bits, error);
		return;
	}
	part->burst |= bits;
	part->last = suspend;
}

/*
 * True if a part can have this state in a bank of `words` bus words and
 * `blocks` erase blocks.
 */
bool part_verify(const struct cfi_part *part, const struct personality *p,
		 uint32_t words, uint32_t blocks, unsigned int lane);

/*
 * True if the protection register of a part can hold these CFI_PROTECT_SIZE
 * bytes.
 */
bool protect_verify(const uint8_t *registers, unsigned int lane);

#endif
