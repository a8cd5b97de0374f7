/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fixed script: each kind of access in each state of the chip that gives it
 * another meaning.
 */
#include "tests.h"

#include "chip.h"
#include "flash.h"

static uint8_t buffer[2 * FLASH_PAGE] __attribute__((aligned(FLASH_PAGE)));

static void
command(uint32_t off, uint8_t value)
{
	flash_write(off, 1, value);
}

static void
read_status(uint32_t off)
{
	command(off, CMD_READ_STATUS);
	flash_read(off, 1);
}

/* The probe of OVMF's flash driver (QemuFlash.c, QemuFlashDetected). */
static void
probe(void)
{
	uint32_t off;

	for (off = 0; off <= 0x10; off++)
		flash_read(off, 1);
	command(0x10, CMD_CLEAR_STATUS);
	flash_read(0x10, 1);
	command(0x10, CMD_READ_STATUS);
	flash_read(0x10, 1);
	command(0x10, CMD_READ_ARRAY);
	flash_read(0x10, 8);
}

/* Reads of every size and alignment, across a page too. */
static void
read_all_ways(uint32_t off)
{
	unsigned int size, shift;

	for (size = 1; size <= 8; size *= 2)
		for (shift = 0; shift < 8; shift++)
			flash_read(off + shift, size);
	for (size = 2; size <= 8; size *= 2)
		flash_read(off + FLASH_PAGE - 1, size);
	flash_read16(off);
	flash_read16(off + 3);
	flash_read16(off + FLASH_PAGE - 5);
	flash_movs_from(off, buffer, 32, 1, FLASH_UP);
	flash_movs_from(off + 8, buffer + 1, 8, 2, FLASH_UP);
	flash_movs_from(off + 1, buffer + 2, 8, 4, FLASH_UP);
	flash_movs_from(off, buffer + FLASH_PAGE - 12, 8, 8, FLASH_UP);
	flash_movs_from(off + 31, buffer + 31, 16, 1, FLASH_DOWN);
	flash_movs_from(off + 64, buffer + 64, 8, 8, FLASH_DOWN);
	flash_movs_from(off + FLASH_PAGE - 16, buffer, 4, 8, FLASH_UP);
	flash_movs_from(off, buffer, 32, 1, FLASH_UP);
	flash_cmps(off, buffer, 32);
	buffer[9] ^= 1;
	flash_cmps(off, buffer, 32);
}

static void
read_modes(void)
{
	static const uint8_t modes[] = {
		CMD_READ_STATUS, CMD_READ_ID, CMD_CFI_QUERY, CMD_CLEAR_STATUS,
		CMD_READ_ARRAY,
	};
	unsigned int i;

	for (i = 0; i < sizeof(modes); i++) {
		command(0, modes[i]);
		read_all_ways(0);
	}
	command(0x55, CMD_CFI_QUERY);
	flash_movs_from(0x10, buffer, 0x60, 1, FLASH_UP);
	command(SPARE, CMD_READ_ID);
	read_all_ways(SPARE);
	command(SPARE, CMD_READ_ARRAY);
}

/* A data cycle of each size and kind after a program command. */
static void
program_sizes(void)
{
	static const uint8_t wide[16] = { 0xf0, 0xe1, 0xd2, 0xc3, 0xb4, 0xa5,
					  0x96, 0x87, 0x78, 0x69, 0x5a, 0x4b,
					  0x3c, 0x2d, 0x1e, 0x0f };
	uint32_t off = SPARE;
	unsigned int size, odd;

	for (odd = 0; odd < 2; odd++) {
		for (size = 1; size <= 8; size *= 2) {
			command(off, odd ? CMD_PROGRAM_ALT : CMD_PROGRAM);
			flash_write(off + odd, size, 0x1122334455667788);
			read_status(off);
			command(off, CMD_READ_ARRAY);
			flash_read(off, 8);
			off += 16;
		}
	}
	command(off, CMD_PROGRAM);
	flash_write16(off, wide);
	read_status(off);
	command(off, CMD_CLEAR_STATUS);
	command(off, CMD_READ_ARRAY);
	flash_read16(off);
}

/* Bits are cleared, never set. */
static void
program_again(void)
{
	uint32_t off = SPARE + 0x200;
	static const uint8_t values[] = { 0xf7, 0x73, 0xff, 0x0c, 0x00 };
	unsigned int i;

	for (i = 0; i < sizeof(values); i++) {
		command(off, CMD_PROGRAM);
		command(off, values[i]);
		read_status(off);
		command(off, CMD_READ_ARRAY);
		flash_read(off, 1);
	}
}

/* Pairs of command and data in memory, so that one `rep movs` programs. */
static void
program_by_string(void)
{
	uint32_t off = SPARE + 0x400;
	unsigned int i;

	for (i = 0; i < 64; i += 2) {
		buffer[i] = CMD_PROGRAM;
		buffer[i + 1] = (uint8_t)(0xa0 + i);
	}
	flash_movs_to(off, buffer, 64, 1, FLASH_UP);
	command(off, CMD_READ_ARRAY);
	flash_movs_from(off, buffer + 128, 64, 1, FLASH_UP);

	/* Downwards: the data precedes the command in memory. */
	for (i = 0; i < 64; i += 2) {
		buffer[i] = (uint8_t)(0x50 + i);
		buffer[i + 1] = CMD_PROGRAM;
	}
	flash_movs_to(off + 0x100 + 63, buffer + 63, 64, 1, FLASH_DOWN);
	command(off, CMD_READ_ARRAY);
	flash_movs_from(off + 0x100, buffer + 128, 64, 1, FLASH_UP);

	for (i = 0; i < 64; i++)
		buffer[FLASH_PAGE - 20 + i] =
			i % 16 < 8 ? CMD_PROGRAM : (uint8_t)i;
	flash_movs_to(off + 0x200, buffer + FLASH_PAGE - 20, 8, 8, FLASH_UP);
	read_status(off);
	command(off, CMD_CLEAR_STATUS);
	command(off, CMD_READ_ARRAY);
	flash_movs_from(off + 0x200, buffer, 8, 8, FLASH_UP);
}

static void
store_string(void)
{
	uint32_t off = SPARE + 0x800;
	unsigned int size;

	/* 0x10 twice: set-up, then data 0x10 to the next element. */
	for (size = 1; size <= 8; size *= 2) {
		flash_stos(off, 0x1010101010101010, 6, size, FLASH_UP);
		flash_stos(off + 0x78, 0x4040404040404040, 6, size,
			   FLASH_DOWN);
		read_status(off);
		command(off, CMD_CLEAR_STATUS);
		command(off, CMD_READ_ARRAY);
		flash_movs_from(off, buffer, 16, 8, FLASH_UP);
		off += 0x100;
	}
	flash_stos(SPARE + 2 * FLASH_PAGE - 3, CMD_PROGRAM, 6, 1, FLASH_UP);
	flash_stos(SPARE + 2 * FLASH_PAGE - 8, 0x1010101010101010, 2, 8,
		   FLASH_UP);
	command(SPARE, CMD_READ_ARRAY);
	flash_movs_from(SPARE + 2 * FLASH_PAGE - 16, buffer, 4, 8, FLASH_UP);
}

static void
write_across_pages(void)
{
	static const uint8_t arrays[16] = {
		[0 ... 15] = CMD_READ_ARRAY,
	};
	uint32_t edge = SPARE + 3 * FLASH_PAGE;
	unsigned int size, before;

	for (size = 2; size <= 8; size *= 2) {
		for (before = 1; before < size; before++) {
			flash_write(edge - before, size, 0x9090909090909090);
			flash_read(edge - before, size);
			flash_write(edge - before, size, ~0ull);
		}
	}
	for (before = 1; before < 16; before++)
		flash_write16(edge - before, arrays);
	flash_read16(edge - 7);
}

static void
read_and_write(void)
{
	uint32_t off = SPARE + 4 * FLASH_PAGE;

	flash_and(off, CMD_READ_STATUS);	/* 0xff & 0x70 */
	flash_or(off, CMD_READ_ARRAY);
	flash_read(off, 4);
	flash_xchg(off, 0x90909090);
	flash_xchg(off, 0xffffffff);
	flash_cmpxchg(off, 0xffffffff, 0x70707070);
	flash_cmpxchg(off, 0x12345678, 0xffffffff);
	command(off, CMD_READ_ARRAY);
	flash_cmpxchg(off + 1, 0xffffffff, 0xffffffff);
	flash_movs_within(off, off + 64, 1);
	flash_movs_within(off, off + FLASH_PAGE, 8);
	command(off, CMD_PROGRAM);
	flash_movs_within(off, 0x28, 4);
	command(off, CMD_READ_ARRAY);
	flash_read(off, 8);
}

static void
erase(void)
{
	uint32_t off = SPARE + 5 * FLASH_PAGE;

	command(off + 5, CMD_PROGRAM);
	command(off + 5, 0x00);
	command(off + FLASH_PAGE - 1, CMD_PROGRAM);
	command(off + FLASH_PAGE - 1, 0x42);
	command(off + 123, CMD_ERASE);
	flash_read(off, 2);
	command(off + 123, CMD_CONFIRM);
	flash_read(off, 4);
	read_status(off);
	command(off, CMD_READ_ARRAY);
	flash_movs_from(off, buffer, FLASH_PAGE / 8, 8, FLASH_UP);

	/* Not confirmed: a sequence error, and nothing is erased. */
	command(SPARE, CMD_ERASE);
	command(SPARE, CMD_READ_ARRAY);
	read_status(SPARE);
	command(SPARE, CMD_CLEAR_STATUS);
	read_status(SPARE);
	command(SPARE, CMD_READ_ARRAY);
	flash_read(SPARE, 8);
}

void
test_script(void)
{
	probe();
	read_modes();
	program_sizes();
	program_again();
	program_by_string();
	store_string();
	write_across_pages();
	read_and_write();
	erase();
}
