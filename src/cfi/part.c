/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of a part (enum cfi_state) says which cycle its command interface
 * waits for.  The view (enum cfi_view) says which bytes a read returns.  The
 * two are independent.  Programming and erasing take no time, so no cycle
 * arrives during an operation; a SUSPEND refers to the operation that has just
 * ended.
 */
#include "part.h"

#include <errno.h>
#include <string.h>

static enum effect
buffer_setup(struct cfi_part *part, const struct personality *p)
{
	part->view = CFI_VIEW_BUFFER;
	if (p->refuses_buffer && part->status & SEQUENCE_ERROR)
		return EFFECT_NONE;
	part->state = CFI_STATE_COUNT;
	return EFFECT_NONE;
}

static enum effect
clear_status(struct cfi_part *part, const struct personality *p)
{
	part->status &= (uint8_t)~p->cleared;
	if (!p->clear_to_array)
		return EFFECT_NONE;
	part->view = CFI_VIEW_ARRAY;
	return EFFECT_ARRAY;
}

static enum effect
suspend(struct cfi_part *part, uint8_t last)
{
	part->view = CFI_VIEW_STATUS;
	if (last)
		part->status |= last | CFI_SR_READY;
	return EFFECT_NONE;
}

/*
 * Resumes the program if one is suspended, else the erase.  The resumed
 * operation can be suspended again.
 */
static enum effect
resume(struct cfi_part *part)
{
	uint8_t bit = part->status & CFI_SR_PROGRAM_SUSPENDED;

	if (!bit)
		bit = part->status & CFI_SR_ERASE_SUSPENDED;
	part->view = CFI_VIEW_STATUS;
	part->status &= (uint8_t)~bit;
	part->status |= CFI_SR_READY;
	part->last = bit;
	return EFFECT_NONE;
}

static enum effect
show(struct cfi_part *part, enum cfi_view view)
{
	part->view = (uint8_t)view;
	return view == CFI_VIEW_ARRAY ? EFFECT_ARRAY : EFFECT_NONE;
}

static enum effect
command(struct cfi_part *part, const struct personality *p, uint8_t byte)
{
	uint8_t last = part->last;

	if (byte == CFI_CMD_READ_STATUS)
		return show(part, CFI_VIEW_STATUS);
	part->last = 0;
	switch (byte) {
	case CFI_CMD_ERASE: return part_setup(part, CFI_STATE_ERASE);
	case CFI_CMD_BUFFER: return buffer_setup(part, p);
	case CFI_CMD_LOCK_SETUP: return part_setup(part, CFI_STATE_LOCK);
	case CFI_CMD_PROTECT: return part_setup(part, CFI_STATE_PROTECT);
	case CFI_CMD_CLEAR_STATUS: return clear_status(part, p);
	case CFI_CMD_SUSPEND: return suspend(part, last);
	case CFI_CMD_RESUME: return resume(part);
	case CFI_CMD_READ_ID: return show(part, CFI_VIEW_ID);
	case CFI_CMD_QUERY: return show(part, CFI_VIEW_QUERY);
	case CFI_CMD_READ_ARRAY:
	default: /* codes of other command sets, such as AMD's reset 0xf0 */
		return show(part, CFI_VIEW_ARRAY);
	}
}

void
part_fail(struct cfi_part *part, uint8_t bits, int error)
{
	if (error == -EROFS || error == -EPERM)
		bits |= CFI_SR_PROTECTED;
	else if (error != -ENOSPC)
		bits |= CFI_SR_VPP;
	part->status |= bits;
}

void
part_refuse(struct cfi_part *part, uint8_t bits)
{
	part->status |= bits | CFI_SR_READY;
}

/* Ends a command: with its effect, or for EFFECT_NONE with a sequence error. */
static enum effect
confirm(struct cfi_part *part, enum effect effect)
{
	part->state = CFI_STATE_READY;
	if (effect == EFFECT_NONE)
		part_refuse(part, SEQUENCE_ERROR);
	return effect;
}

static enum effect
lock_effect(uint8_t byte)
{
	switch (byte) {
	case CFI_CMD_LOCK_BLOCK: return EFFECT_LOCK;
	case CFI_CMD_CONFIRM: return EFFECT_UNLOCK;
	case CFI_CMD_LOCK_DOWN: return EFFECT_LOCK_DOWN;
	default: return EFFECT_NONE;
	}
}

/*
 * Starts a load.  The part accepts all its data cycles, also if they are too
 * many for the buffer: it must not decode one of them as a command.
 */
static enum effect
count(struct cfi_part *part, uint32_t data, unsigned int lane)
{
	part->words = (lane == 1 ? data & 0xff : data & 0xffff) + 1;
	part->pending = part->words;
	part->bad = part->words > CFI_BUFFER_SIZE / lane;
	part->start = 0;
	memset(part->buffer, 0, sizeof(part->buffer));
	memset(part->loaded, 0, sizeof(part->loaded));
	return part_setup(part, CFI_STATE_LOAD);
}

static enum effect
load(struct cfi_part *part, uint32_t word, uint32_t data, unsigned int lane)
{
	uint32_t at;

	if (part->pending == part->words)
		part->start = word;
	at = word - part->start; /* wraps if `word` is below: above the count */
	if (at >= part->words)
		part->bad = true;
	if (!part->bad) {
		part->loaded[at / 8] |= (uint8_t)(1u << at % 8);
		part->buffer[at * lane] = (uint8_t)data;
		if (lane == 2)
			part->buffer[at * lane + 1] = (uint8_t)(data >> 8);
	}
	if (--part->pending == 0)
		part->state = CFI_STATE_CONFIRM;
	return EFFECT_NONE;
}

enum effect
part_interpret(struct cfi_part *part, const struct personality *p,
	       uint32_t word, uint32_t data, unsigned int lane)
{
	uint8_t byte = (uint8_t)data;
	bool go = byte == CFI_CMD_CONFIRM;

	switch (part->state) {
	case CFI_STATE_ERASE:
		return confirm(part, go ? EFFECT_ERASE : EFFECT_NONE);
	case CFI_STATE_LOCK: return confirm(part, lock_effect(byte));
	case CFI_STATE_PROTECT: return confirm(part, EFFECT_PROTECT);
	case CFI_STATE_COUNT: return count(part, data, lane);
	case CFI_STATE_LOAD: return load(part, word, data, lane);
	case CFI_STATE_CONFIRM:
		return confirm(part, go ? EFFECT_BUFFER : EFFECT_NONE);
	default: return command(part, p, byte);
	}
}

/* Only a part in the state READY has a view other than STATUS or BUFFER. */
static bool
view_fits(const struct cfi_part *part, const struct personality *p)
{
	switch (part->state) {
	case CFI_STATE_READY:
		return part->view <= CFI_VIEW_QUERY &&
		       (part->view != CFI_VIEW_BUFFER || p->refuses_buffer);
	case CFI_STATE_COUNT: return part->view == CFI_VIEW_BUFFER;
	default: return part->view == CFI_VIEW_STATUS;
	}
}

static bool
load_fits(const struct cfi_part *part, uint32_t words, unsigned int lane)
{
	uint32_t most = lane == 1 ? 0x100 : 0x10000;
	bool loading = part->state == CFI_STATE_LOAD;

	if (!loading && part->state != CFI_STATE_CONFIRM)
		return true;
	return part->words >= 1 && part->words <= most &&
	       part->pending <= part->words && (part->pending > 0) == loading &&
	       part->start < words &&
	       (part->bad || part->words <= CFI_BUFFER_SIZE / lane);
}

/*
 * SR.3 and SR.1 are set only together with SR.4 or SR.5.  SR.7 is 0 only after
 * a CLEAR STATUS that clears it; the suspend bits that this CLEAR STATUS clears
 * are then 0 too.
 */
static bool
status_fits(const struct cfi_part *part, const struct personality *p)
{
	uint8_t status = part->status;

	if (status & 1 || part->burst & ~SEQUENCE_ERROR)
		return false;
	if (status & (CFI_SR_VPP | CFI_SR_PROTECTED) &&
	    !(status & SEQUENCE_ERROR))
		return false;
	if (status & CFI_SR_READY)
		return true;
	return p->cleared & CFI_SR_READY && !(p->cleared & status & SUSPENDED);
}

/*
 * `last` is set only after the end or the resumption of an operation, until a
 * command other than READ STATUS clears it.
 */
static bool
last_fits(const struct cfi_part *part)
{
	switch (part->last) {
	case 0: return true;
	case CFI_SR_ERASE_SUSPENDED:
		if (part->status & CFI_SR_PROGRAM_SUSPENDED)
			return false;
		break;
	case CFI_SR_PROGRAM_SUSPENDED: break;
	default: return false;
	}
	return !(part->status & part->last) && part->status & CFI_SR_READY &&
	       part->state == CFI_STATE_READY && part->view == CFI_VIEW_STATUS;
}

bool
part_verify(const struct cfi_part *part, const struct personality *p,
	    uint32_t words, uint32_t blocks, unsigned int lane)
{
	return part->state <= CFI_STATE_CONFIRM && view_fits(part, p) &&
	       load_fits(part, words, lane) && part->erased < blocks &&
	       status_fits(part, p) && last_fits(part);
}

/*
 * The factory bytes are ones and locked (bit 0 of PR-LK is 0).  PR-LK of an x8
 * part has no second byte.
 */
bool
protect_verify(const uint8_t *registers, unsigned int lane)
{
	for (unsigned int i = 2; i < 10; i++)
		if (registers[i] != 0xff)
			return false;
	return !(registers[0] & 1) && (lane == 2 || registers[1] == 0xff);
}
