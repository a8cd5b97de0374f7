/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command interface and the write state machine.
 *
 * Two orthogonal facts make the state: what the interface waits for (enum
 * cfi_state) and what reads return (enum cfi_view).  Every write is a bus
 * cycle that changes one or both; programming and erasing are instantaneous,
 * so that the write state machine is never seen busy.
 */
#include "pflash/cfi.h"

#include <errno.h>
#include <string.h>

#include "query.h"

#define ERROR_BITS                                                             \
	(CFI_SR_PROTECTED | CFI_SR_VPP | CFI_SR_PROGRAM | CFI_SR_ERASE)
#define SEQUENCE_ERROR (CFI_SR_PROGRAM | CFI_SR_ERASE)

/* Read Identifier Codes (data sheet, table "Identifier Codes"): 28F128J3. */
#define ID_MANUFACTURER 0x89
#define ID_DEVICE 0x18

static bool
geometry_ok(const struct cfi_config *config)
{
	uint32_t block = config->block_size;

	return block >= 256 && block <= 8u << 20 &&
	       (block & (block - 1)) == 0 && config->size != 0 &&
	       config->size % block == 0 && config->size / block <= 65536;
}

int
cfi_init(struct cfi *chip, const struct cfi_config *config)
{
	if (!geometry_ok(config))
		return -EINVAL;
	memset(chip, 0, sizeof(*chip));
	chip->config = *config;
	chip->state = CFI_STATE_READY;
	chip->view = CFI_VIEW_ARRAY;
	chip->status = CFI_SR_READY;
	query_build(chip->query, config->size, config->block_size);
	return 0;
}

/* Tells the owner when, and only when, reads return something new. */
static void
set_view(struct cfi *chip, enum cfi_view view)
{
	if (view == chip->view &&
	    (view != CFI_VIEW_STATUS || chip->status == chip->shown))
		return;
	chip->view = view;
	chip->shown = chip->status;
	chip->config.ops->show(chip->config.owner);
}

static void
fail(struct cfi *chip, uint8_t bits, int error)
{
	if (error == -EROFS)
		bits |= CFI_SR_PROTECTED;
	else if (error != -ENOSPC)
		bits |= CFI_SR_VPP;
	chip->status |= bits;
}

/* Ends the burst: its owner makes it durable before the array is shown. */
static void
read_array(struct cfi *chip)
{
	uint8_t bits = chip->burst;
	int ret = 0;

	chip->burst = 0;
	if (bits)
		ret = chip->config.ops->commit(chip->config.owner);
	if (ret < 0)
		fail(chip, bits, ret);
	set_view(chip, CFI_VIEW_ARRAY);
}

static void
clear_status(struct cfi *chip)
{
	chip->status &= (uint8_t)~ERROR_BITS;
	/*
	 * OVMF takes a chip for flash only if the status reads 0x00 after this
	 * command (QemuFlash.c, CLEARED_ARRAY_STATUS); SR.7 comes back with the
	 * next program or erase.
	 */
	if (chip->config.personality != CFI_STRICT)
		chip->status = 0;
	set_view(chip, chip->view);
}

static void
command(struct cfi *chip, uint8_t byte)
{
	switch (byte) {
	case CFI_CMD_PROGRAM:
	case CFI_CMD_PROGRAM_ALT:
		chip->state = CFI_STATE_PROGRAM;
		set_view(chip, CFI_VIEW_STATUS);
		break;
	case CFI_CMD_ERASE:
		chip->state = CFI_STATE_ERASE;
		set_view(chip, CFI_VIEW_STATUS);
		break;
	case CFI_CMD_READ_STATUS: set_view(chip, CFI_VIEW_STATUS); break;
	case CFI_CMD_CLEAR_STATUS: clear_status(chip); break;
	case CFI_CMD_READ_ID: set_view(chip, CFI_VIEW_ID); break;
	case CFI_CMD_QUERY: set_view(chip, CFI_VIEW_QUERY); break;
	case CFI_CMD_READ_ARRAY:
	default: /* codes of other command sets, such as AMD's reset 0xf0 */
		read_array(chip);
		break;
	}
}

/* The operation has ended, well or not, and the interface takes commands. */
static void
finish(struct cfi *chip, uint8_t bits, int error)
{
	chip->state = CFI_STATE_READY;
	chip->status |= CFI_SR_READY;
	if (error < 0)
		fail(chip, bits, error);
	else
		chip->burst |= bits;
	set_view(chip, CFI_VIEW_STATUS);
}

static void
program(struct cfi *chip, uint32_t off, uint8_t byte)
{
	const struct cfi_config *config = &chip->config;
	int ret;

	if (config->personality != CFI_QEMU)
		byte &= config->array[off]; /* a NOR cell can only be cleared */
	ret = config->ops->program(config->owner, off, &byte, 1);
	finish(chip, CFI_SR_PROGRAM, ret);
}

static void
erase(struct cfi *chip, uint32_t off, uint8_t byte)
{
	const struct cfi_config *config = &chip->config;
	uint32_t block = off & ~(config->block_size - 1);
	int ret;

	if (byte != CFI_CMD_CONFIRM) {
		chip->status |= SEQUENCE_ERROR;
		finish(chip, 0, 0);
		return;
	}
	ret = config->ops->erase(config->owner, block, config->block_size);
	finish(chip, CFI_SR_ERASE, ret);
}

static void
bus_cycle(struct cfi *chip, uint32_t off, uint8_t byte)
{
	switch (chip->state) {
	case CFI_STATE_READY: command(chip, byte); break;
	case CFI_STATE_PROGRAM: program(chip, off, byte); break;
	case CFI_STATE_ERASE: erase(chip, off, byte); break;
	}
}

void
cfi_write(struct cfi *chip, uint64_t off, unsigned int size, uint64_t value)
{
	for (unsigned int i = 0; i < size && i < sizeof(value); i++) {
		uint64_t at = off + i;

		/* at < off: the access wraps around the address space */
		if (at >= off && at < chip->config.size)
			bus_cycle(chip, (uint32_t)at,
				  (uint8_t)(value >> 8 * i));
	}
}

/* A byte of what the ID and query views have at the start of the chip. */
static uint8_t
info_byte(const struct cfi *chip, uint32_t off)
{
	if (off == 0)
		return ID_MANUFACTURER;
	if (off == 1)
		return ID_DEVICE;
	if (chip->view == CFI_VIEW_QUERY && off < CFI_QUERY_SIZE)
		return chip->query[off];
	return 0;
}

static void
render_inside(const struct cfi *chip, uint32_t off, uint8_t *out, size_t len)
{
	switch (chip->view) {
	case CFI_VIEW_ARRAY: memcpy(out, chip->config.array + off, len); break;
	case CFI_VIEW_STATUS: memset(out, chip->status, len); break;
	case CFI_VIEW_ID:
	case CFI_VIEW_QUERY:
		memset(out, 0, len); /* also BLOCK + 2: no block is locked */
		for (size_t i = 0; i < len && off + i < CFI_QUERY_SIZE; i++)
			out[i] = info_byte(chip, off + (uint32_t)i);
		break;
	}
}

void
cfi_render(const struct cfi *chip, uint64_t off, void *dst, size_t len)
{
	uint32_t size = chip->config.size;
	size_t inside = 0;
	uint8_t *out = dst;

	if (off < size)
		inside = len < size - off ? len : (size_t)(size - off);
	if (inside)
		render_inside(chip, (uint32_t)off, out, inside);
	memset(out + inside, 0xff, len - inside);
}

uint64_t
cfi_read(const struct cfi *chip, uint64_t off, unsigned int size)
{
	uint64_t value = 0;
	uint8_t bytes[sizeof(value)];

	if (size > sizeof(value))
		size = sizeof(value);
	cfi_render(chip, off, bytes, size);
	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return value;
}

void
cfi_report(struct cfi *chip, int error)
{
	fail(chip, chip->burst ? chip->burst : CFI_SR_PROGRAM, error);
	chip->burst = 0;
	set_view(chip, chip->view);
}

bool
cfi_verify(const struct cfi *chip)
{
	const uint8_t known = CFI_SR_READY | ERROR_BITS;

	if (!geometry_ok(&chip->config) || chip->state > CFI_STATE_ERASE ||
	    chip->view > CFI_VIEW_QUERY)
		return false;
	if (chip->status & ~known || chip->burst & ~SEQUENCE_ERROR)
		return false;
	/* A second bus cycle is awaited in status view only. */
	if (chip->state != CFI_STATE_READY && chip->view != CFI_VIEW_STATUS)
		return false;
	/* In status view the owner shows the status there is. */
	return chip->view != CFI_VIEW_STATUS || chip->shown == chip->status;
}
