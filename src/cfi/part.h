/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command interface of one part: what a bus cycle means to it.  What then
 * has to be done to the bank is an effect, for cfi.c to carry out.
 */
#ifndef PFLASH_CFI_PART_H
#define PFLASH_CFI_PART_H

#include <stdint.h>

#include "personality.h"

/* Status register bits that come in pairs. */
#define SEQUENCE_ERROR (CFI_SR_PROGRAM | CFI_SR_ERASE)
#define SUSPENDED (CFI_SR_ERASE_SUSPENDED | CFI_SR_PROGRAM_SUSPENDED)

enum effect {
	EFFECT_NONE,
	EFFECT_ARRAY, /* the array is shown */
	EFFECT_PROGRAM,
	EFFECT_BUFFER,
	EFFECT_ERASE,
	EFFECT_LOCK,
	EFFECT_UNLOCK,
	EFFECT_LOCK_DOWN,
	EFFECT_PROTECT,
};

#define EFFECT_COUNT (EFFECT_PROTECT + 1)

/* For part_cycle() alone: cycles other than those of a program. */
enum effect part_interpret(struct cfi_part *part, const struct personality *p,
			   uint32_t word, uint32_t data, unsigned int lane);

/* The first cycle of a command: the part waits for the second one. */
static inline enum effect
part_setup(struct cfi_part *part, enum cfi_state state)
{
	part->state = (uint8_t)state;
	part->view = CFI_VIEW_STATUS;
	return EFFECT_NONE;
}

/* Is a write cycle with this data one of the two cycles of a program? */
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
 * A write cycle at the part's address `word` with `data` on its lane of `lane`
 * bytes.
 */
static inline enum effect
part_cycle(struct cfi_part *part, const struct personality *p, uint32_t word,
	   uint32_t data, unsigned int lane)
{
	if (part_is_program(part, data))
		return part_program_cycle(part);
	return part_interpret(part, p, word, data, lane);
}

/* An operation of the part has ended, and failed with these SR bits. */
void part_refuse(struct cfi_part *part, uint8_t bits);

/* SR bits for a failure of the owner's. */
void part_fail(struct cfi_part *part, uint8_t bits, int error);

/*
 * It has ended with what its owner returned, 0 or -errno; `bits` are SR.4 or
 * SR.5, `suspend` what SUSPEND may set now.
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

/* The byte that STATUS and BUFFER view show; 0 in the other ones. */
static inline uint8_t
part_shows(const struct cfi_part *part)
{
	if (part->view == CFI_VIEW_STATUS)
		return part->status;
	return part->view == CFI_VIEW_BUFFER && part->state == CFI_STATE_COUNT ?
		       CFI_SR_READY :
		       0;
}

/* STATUS and BUFFER are the same to who reads: one byte everywhere. */
static inline uint8_t
part_kind_of_view(const struct cfi_part *part)
{
	return part->view == CFI_VIEW_BUFFER ? CFI_VIEW_STATUS : part->view;
}

/* Notes that this is shown; true if it was not before. */
static inline bool
part_note_shown(struct cfi_part *part)
{
	uint8_t view = part_kind_of_view(part), byte = part_shows(part);

	if (view == part->shown_view && byte == part->shown)
		return false;
	part->shown_view = view;
	part->shown = byte;
	return true;
}

/* Could the part be like this, in a bank of this many words and blocks? */
bool part_verify(const struct cfi_part *part, const struct personality *p,
		 uint32_t words, uint32_t blocks, unsigned int lane);

/* Could the protection register of a part hold these CFI_PROTECT_SIZE bytes? */
bool protect_verify(const uint8_t *registers, unsigned int lane);

#endif
