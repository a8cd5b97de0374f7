/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the chip with one part, against an owner that keeps the array and can
 * fail.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support_chip.h"

static void
setup(void)
{
	one_partition = true;
	power_on(CFI_OVMF);
}

static void
program_byte(uint32_t off, uint8_t byte)
{
	w(off, CFI_CMD_PROGRAM_ALT);
	w(off, byte);
}

START_TEST(starts_in_array_view)
{
	owner.array[5] = 0x42;
	ck_assert_uint_eq(r(5), 0x42);
	ck_assert_uint_eq(chip.part[0].status, CFI_SR_READY);
	ck_assert(cfi_verify(&chip));
}
END_TEST

START_TEST(program_clears_bits_only)
{
	static const uint8_t commands[] = { CFI_CMD_PROGRAM,
					    CFI_CMD_PROGRAM_ALT };

	for (unsigned int i = 0; i < 2; i++) {
		uint32_t off = 0x100 + i;

		w(off, commands[i]);
		w(off, 0x0f);
		ck_assert_uint_eq(r(off), CFI_SR_READY);
		w(off, commands[i]);
		w(off, 0xf3);
		w(off, CFI_CMD_READ_ARRAY);
		ck_assert_uint_eq(r(off), 0x03);
	}
	ck_assert_uint_eq(owner.programs, 4);
	ck_assert_uint_eq(owner.commits, 2);
}
END_TEST

START_TEST(qemu_personality_overwrites)
{
	power_on(CFI_QEMU);
	program_byte(7, 0x0f);
	program_byte(7, 0xf0);
	ck_assert_uint_eq(owner.array[7], 0xf0);
}
END_TEST

START_TEST(program_takes_the_address_of_its_data)
{
	w(0x10, CFI_CMD_PROGRAM);
	w(0x20, 0x55);
	ck_assert_uint_eq(owner.array[0x10], 0xff);
	ck_assert_uint_eq(owner.array[0x20], 0x55);
}
END_TEST

START_TEST(program_data_may_look_like_a_command)
{
	program_byte(0, CFI_CMD_READ_ARRAY);
	ck_assert_int_eq(chip.part[0].view, CFI_VIEW_STATUS);
	program_byte(1, CFI_CMD_ERASE);
	ck_assert_uint_eq(owner.array[1], CFI_CMD_ERASE);
	ck_assert_int_eq(chip.part[0].state, CFI_STATE_READY);
}
END_TEST

START_TEST(erase_wants_its_confirm)
{
	memset(owner.array, 0, SIZE);
	w(0x3123, CFI_CMD_ERASE);
	ck_assert_uint_eq(owner.erases, 0);
	w(0x3123, CFI_CMD_CONFIRM);
	ck_assert_uint_eq(owner.erases, 1);
	ck_assert_uint_eq(r(0), CFI_SR_READY);
	for (uint32_t off = 0; off < SIZE; off++)
		if (owner.array[off] != (off / BLOCK == 3 ? 0xff : 0))
			ck_abort_msg("%#x was %s", off,
				     off / BLOCK == 3 ? "left" : "erased");
}
END_TEST

START_TEST(erase_without_confirm_is_a_sequence_error)
{
	for (unsigned int byte = 0; byte < 256; byte++) {
		power_on(CFI_OVMF);
		memset(owner.array, 0, SIZE);
		w(0, CFI_CMD_ERASE);
		w(0, (uint8_t)byte);
		if (byte == CFI_CMD_CONFIRM)
			continue;
		ck_assert_uint_eq(owner.erases, 0);
		ck_assert_uint_eq(r(0),
				  CFI_SR_READY | CFI_SR_ERASE | CFI_SR_PROGRAM);
		ck_assert_int_eq(chip.part[0].state, CFI_STATE_READY);
	}
}
END_TEST

START_TEST(ovmf_finds_a_flash)
{
	/* QemuFlashDetected(), 2022.11 and since edk2-stable202308 */
	owner.array[0x10] = owner.view[0x10] = 0x8d;
	w(0x10, 0x50);
	ck_assert_uint_ne(r(0x10), 0x50);
	w(0x10, 0x70);
	ck_assert_uint_eq(r(0x10), 0x00);
	w(0x10, 0x10);
	w(0x10, 0x8d);
	w(0x10, 0x70);
	ck_assert_uint_eq(r(0x10) & CFI_SR_PROGRAM, 0);
	w(0x10, 0xff);
	ck_assert_uint_eq(r(0x10), 0x8d);
}
END_TEST

START_TEST(strict_keeps_sr7)
{
	power_on(CFI_STRICT);
	w(0, CFI_CMD_ERASE);
	w(0, 0);
	ck_assert_uint_eq(r(0), 0xb0);
	w(0, CFI_CMD_CLEAR_STATUS);
	ck_assert_uint_eq(r(0), 0x80);
	w(0, CFI_CMD_READ_STATUS);
	ck_assert_uint_eq(r(0), 0x80);
}
END_TEST

START_TEST(sr7_returns_with_the_next_operation)
{
	w(0, CFI_CMD_CLEAR_STATUS);
	program_byte(0, 0x00);
	ck_assert_uint_eq(r(0), 0x80);
	ck_assert_uint_eq(owner.view[SIZE - 1], 0x80);
}
END_TEST

START_TEST(identifies_itself)
{
	w(0, CFI_CMD_READ_ID);
	ck_assert_uint_eq(cfi_read(&chip, 0, 2), 0x1889);
	ck_assert_uint_eq(r(BLOCK + 2), 0); /* not locked */
	ck_assert_uint_eq(r(0x10), 0);
	w(0, CFI_CMD_QUERY);
	ck_assert_uint_eq(cfi_read(&chip, 0x10, 4), 0x01595251);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(r(0), 0xff);
}
END_TEST

START_TEST(accesses_outside_do_nothing)
{
	static const uint64_t starts[] = {
		SIZE,
		SIZE + 1,
		UINT32_MAX,
		UINT64_MAX,
		UINT64_MAX - 6,
		(uint64_t)1 << 32,
		SIZE - 1 + ((uint64_t)1 << 32),
	};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		for (unsigned int size = 1; size <= 8; size++) {
			/*
			 * up to the end of the address space, without wrapping
			 */
			uint64_t ones = size == 8 ?
						UINT64_MAX :
						((uint64_t)1 << 8 * size) - 1;

			write_chip(starts[i], size, 0x7070707070707070);
			ck_assert_int_eq(chip.part[0].view, CFI_VIEW_ARRAY);
			ck_assert_uint_eq(cfi_read(&chip, starts[i], size),
					  ones);
		}
	memset(owner.array, 0, SIZE);
	ck_assert_uint_eq(cfi_read(&chip, SIZE - 3, 8), 0xffffffffff000000);
	ck_assert_uint_eq(cfi_read(&chip, SIZE - 3, 200), 0xffffffffff000000);
	/* Only the first byte is inside: a program setup without its data. */
	write_chip(SIZE - 1, 8, 0x4040);
	ck_assert_int_eq(chip.part[0].state, CFI_STATE_PROGRAM);
	ck_assert_uint_eq(owner.programs, 0);
}
END_TEST

START_TEST(wide_accesses_are_bus_cycles)
{
	/* setup, data, setup, data at ascending addresses */
	write_chip(0x10, 4, 0x22401140);
	ck_assert_uint_eq(owner.programs, 2);
	ck_assert_uint_eq(owner.array[0x11], 0x11);
	ck_assert_uint_eq(owner.array[0x13], 0x22);
	write_chip(0x10, 8, 0x7070707070707070);
	ck_assert_uint_eq(cfi_read(&chip, 3, 8), 0x8080808080808080);
	write_chip(0x1fff, 2, 0xd020); /* across a block boundary */
	ck_assert_uint_eq(owner.erases, 1);
}
END_TEST

START_TEST(failures_become_status_bits)
{
	static const struct {
		int error;
		uint8_t bits;
	} cases[] = {
		{ -EIO, CFI_SR_VPP },
		{ -EROFS, CFI_SR_PROTECTED },
		{ -ENOSPC, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		power_on(CFI_OVMF);
		owner.fail_program = cases[i].error;
		program_byte(0, 0);
		ck_assert_uint_eq(r(0), 0x90 | cases[i].bits);

		power_on(CFI_OVMF);
		owner.fail_erase = cases[i].error;
		w(0, CFI_CMD_ERASE);
		w(0, CFI_CMD_CONFIRM);
		ck_assert_uint_eq(r(0), 0xa0 | cases[i].bits);

		power_on(CFI_OVMF);
		owner.fail_commit = cases[i].error;
		program_byte(0, 0);
		w(0, CFI_CMD_READ_ARRAY);
		w(0, CFI_CMD_READ_STATUS);
		ck_assert_uint_eq(r(0), 0x90 | cases[i].bits);
	}
	/* The error bits stay until they are cleared. */
	owner.fail_commit = 0;
	program_byte(1, 0);
	ck_assert_uint_eq(r(0) & CFI_SR_PROGRAM, CFI_SR_PROGRAM);
	w(0, CFI_CMD_CLEAR_STATUS);
	program_byte(1, 0);
	ck_assert_uint_eq(r(0), 0x80);
}
END_TEST

START_TEST(failed_commit_of_an_erase_and_a_program)
{
	owner.fail_commit = -EIO;
	program_byte(0, 0);
	w(0, CFI_CMD_ERASE);
	w(0, CFI_CMD_CONFIRM);
	w(0, CFI_CMD_READ_ARRAY);
	w(0, CFI_CMD_READ_STATUS);
	ck_assert_uint_eq(r(0), 0xb8);
}
END_TEST

START_TEST(late_failure_is_shown)
{
	program_byte(0, 0);
	ck_assert_uint_eq(owner.view[9], 0x80);
	show(cfi_report(&chip, -EIO));
	ck_assert(cfi_verify(&chip));
	ck_assert_uint_eq(owner.view[9], 0x98);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(owner.commits, 0); /* already committed */
	w(0, CFI_CMD_CLEAR_STATUS);
	show(cfi_report(&chip, -EIO)); /* no change of the guest is lost */
	ck_assert_int_eq(chip.part[0].view, CFI_VIEW_ARRAY);
	ck_assert_uint_eq(chip.part[0].status, 0);
}
END_TEST

START_TEST(commit_only_after_a_change)
{
	w(0, CFI_CMD_READ_ARRAY);
	w(0, CFI_CMD_READ_STATUS);
	w(0, CFI_CMD_READ_ARRAY);
	w(0, 0xf0);
	ck_assert_uint_eq(owner.commits, 0);
	program_byte(0, 1);
	w(0, CFI_CMD_READ_ID);
	ck_assert_uint_eq(owner.commits, 0);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(owner.commits, 1);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(owner.commits, 1);
}
END_TEST

START_TEST(a_burst_is_shown_twice)
{
	for (uint32_t off = 0; off < 4096; off++)
		program_byte(off, (uint8_t)off);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(owner.shows, 2);
	ck_assert_mem_eq(owner.view, owner.array, SIZE);
}
END_TEST

START_TEST(query_describes_the_chip)
{
	static const struct {
		uint32_t size, block;
		uint8_t log;
	} parts[] = {
		{ 0x20000, 0x1000, 17 },
		{ 0x84000, 0x1000, 20 },
		{ 0x1000, 0x1000, 12 },
		{ 16u << 20, 0x20000, 24 },
	};
	uint8_t *array = calloc(1, 16u << 20);
	struct cfi_config c = chip.config;
	uint8_t q[CFI_QUERY_SIZE];

	c.array = array;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		c.geometry.size = parts[i].size;
		c.geometry.regions[0].block_size = parts[i].block;
		c.geometry.regions[0].count = parts[i].size / parts[i].block;
		ck_assert_int_eq(cfi_init(&chip, &c), 0);
		w(0, CFI_CMD_QUERY);
		cfi_render(&chip, 0, q, sizeof(q));
		ck_assert_mem_eq(q + 0x10, "QRY\x01\0\x31\0", 7);
		ck_assert_uint_eq(q[0x27], parts[i].log);
		ck_assert_uint_eq(q[0x2c], 1);
		ck_assert_uint_eq((q[0x2d] + q[0x2e] * 256u + 1) *
					  (q[0x2f] + q[0x30] * 256u) * 256,
				  parts[i].size);
		ck_assert_uint_eq((q[0x2f] + q[0x30] * 256u) * 256,
				  parts[i].block);
		ck_assert_mem_eq(q + 0x31, "PRI11\x66\0\0\0\x01\x03\0\x33\0",
				 14);
		ck_assert_mem_eq(q + 0x3f, "\x01\x80\0\x03\x03", 5);
		ck_assert_uint_eq(q[0x2a] + q[0x2b] * 256u, 8);
	}
	free(array);
}
END_TEST

/* --- the write buffer --- */

static void
load(uint32_t start, const char *bytes, unsigned int count)
{
	W(0, CFI_CMD_BUFFER, count - 1);
	for (unsigned int i = 0; i < count; i++)
		w(start + i, (uint8_t)bytes[i]);
}

START_TEST(buffer_is_programmed_in_one)
{
	w(0x1234, CFI_CMD_BUFFER);
	ck_assert_uint_eq(r(0), CFI_SR_READY); /* XSR: available */
	w(0, 4);
	w(0x2003, 0x33); /* the first address is the start; unaligned */
	w(0x2005, 0xff);
	w(0x2005, 0x55); /* the later word wins */
	w(0x2007, 0x77);
	w(0x2004, 0x20); /* data, not a command */
	ck_assert_uint_eq(owner.programs, 0);
	w(0, CFI_CMD_CONFIRM); /* at any address */
	ck_assert_uint_eq(owner.programs, 1);
	ck_assert_uint_eq(r(0), CFI_SR_READY);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_mem_eq(owner.array + 0x2002, "\xff\x33\x20\x55\xff\x77\xff",
			 7);
	ck_assert_uint_eq(owner.commits, 1);
}
END_TEST

START_TEST(words_that_were_not_loaded_are_left)
{
	static const enum cfi_personality all[] = { CFI_OVMF, CFI_QEMU };

	for (unsigned int i = 0; i < 2; i++) {
		power_on(all[i]);
		memcpy(owner.array, "\x12\x34\x56", 3);
		W(0, CFI_CMD_BUFFER, 2);
		W(0, 0x10, 0x11, 0x12);
		W(0, CFI_CMD_CONFIRM, CFI_CMD_READ_ARRAY);
		ck_assert_mem_eq(owner.array, "\x12\x34\x56", 3);
	}
}
END_TEST

START_TEST(buffer_clears_bits_only)
{
	owner.array[0x2000] = 0x0f;
	load(0x2000, "\x3c", 1);
	w(0, CFI_CMD_CONFIRM);
	ck_assert_uint_eq(owner.array[0x2000], 0x0c);
}
END_TEST

START_TEST(buffer_of_every_size_and_place)
{
	char bytes[CFI_BUFFER_SIZE];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + 1);
	for (unsigned int count = 1; count <= sizeof(bytes); count += 15) {
		uint32_t start = 0x4000 - count; /* ends with the block */

		power_on(CFI_STRICT);
		W(start, CFI_CMD_LOCK_SETUP, CFI_CMD_CONFIRM);
		load(start, bytes, count);
		w(start, CFI_CMD_CONFIRM);
		ck_assert_uint_eq(r(0), CFI_SR_READY);
		ck_assert_mem_eq(owner.array + start, bytes, count);
		ck_assert_uint_eq(owner.array[start - 1], 0xff);
		ck_assert_uint_eq(owner.array[0x4000], 0xff);
	}
}
END_TEST

START_TEST(bad_loads_are_sequence_errors)
{
	static const struct {
		uint32_t start, second;
		uint8_t confirm;
	} cases[] = {
		{ 0x2000, 0x2001, 0xff }, /* not confirmed */
		{ 0x2000, 0x2002, 0xd0 }, /* above the range */
		{ 0x2000, 0x1fff, 0xd0 }, /* below it */
		{ 0x2fff, 0x2fff, 0xd0 }, /* across the end of the block */
		{ SIZE - 1, SIZE - 1, 0xd0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		power_on(CFI_OVMF);
		W(0, CFI_CMD_BUFFER, 1);
		w(cases[i].start, 0x00);
		w(cases[i].second, 0x00);
		w(0, cases[i].confirm);
		ck_assert_uint_eq(r(0), 0xb0);
		ck_assert_uint_eq(owner.programs, 0);
		ck_assert_int_eq(chip.part[0].state, CFI_STATE_READY);
	}
}
END_TEST

START_TEST(strict_refuses_the_buffer_after_an_error)
{
	static const enum cfi_personality lenient[] = { CFI_OVMF, CFI_QEMU };

	power_on(CFI_STRICT);
	W(0, CFI_CMD_ERASE, 0, CFI_CMD_BUFFER);
	ck_assert_uint_eq(r(0), 0);
	ck_assert_uint_eq(owner.view[77], 0);
	ck_assert_int_eq(chip.part[0].state, CFI_STATE_READY);
	W(0, CFI_CMD_CLEAR_STATUS, CFI_CMD_BUFFER);
	ck_assert_uint_eq(r(0), CFI_SR_READY);
	ck_assert_int_eq(chip.part[0].state, CFI_STATE_COUNT);
	for (unsigned int i = 0; i < 2; i++) {
		power_on(lenient[i]);
		W(0, CFI_CMD_ERASE, 0, CFI_CMD_BUFFER);
		ck_assert_int_eq(chip.part[0].state, CFI_STATE_COUNT);
	}
}
END_TEST

/* --- locks --- */

static uint32_t
lock_bits(uint32_t block)
{
	uint32_t bits;

	w(0, CFI_CMD_READ_ID);
	bits = r(block + 2);
	w(0, CFI_CMD_QUERY);
	ck_assert_uint_eq(r(block + 2), bits);
	w(0, CFI_CMD_READ_ARRAY);
	return bits;
}

START_TEST(locked_blocks_are_left_alone)
{
	W(0x3123, CFI_CMD_LOCK_SETUP, CFI_CMD_LOCK_BLOCK);
	ck_assert_uint_eq(r(0), CFI_SR_READY);
	ck_assert_uint_eq(lock_bits(0x3000), 1);
	ck_assert_uint_eq(lock_bits(0x2000), 0);
	ck_assert_uint_eq(lock_bits(0x4000), 0);
	program_byte(0x3fff, 0);
	ck_assert_uint_eq(r(0), 0x92);
	w(0, CFI_CMD_CLEAR_STATUS);
	W(0x3000, CFI_CMD_ERASE, CFI_CMD_CONFIRM);
	ck_assert_uint_eq(r(0), 0xa2);
	w(0, CFI_CMD_CLEAR_STATUS);
	load(0x3000, "\0", 1);
	w(0, CFI_CMD_CONFIRM);
	ck_assert_uint_eq(r(0), 0x92);
	ck_assert_uint_eq(owner.programs + owner.erases, 0);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(owner.commits, 0); /* nothing has changed */
	program_byte(0x2fff, 0);
	program_byte(0x4000, 0);
	ck_assert_uint_eq(owner.programs, 2);
	W(0x3000, CFI_CMD_LOCK_SETUP, CFI_CMD_CONFIRM);
	program_byte(0x3fff, 0);
	ck_assert_uint_eq(owner.array[0x3fff], 0);
}
END_TEST

START_TEST(lock_down_stays)
{
	W(0x3000, CFI_CMD_LOCK_SETUP, CFI_CMD_LOCK_DOWN);
	ck_assert_uint_eq(lock_bits(0x3000), 3);
	W(0x3000, CFI_CMD_LOCK_SETUP, CFI_CMD_CONFIRM);
	ck_assert_uint_eq(r(0), CFI_SR_READY); /* and no error */
	ck_assert_uint_eq(lock_bits(0x3000), 3);
	power_on(CFI_OVMF);
	ck_assert_uint_eq(lock_bits(0x3000), 0);
}
END_TEST

START_TEST(other_lock_codes_are_sequence_errors)
{
	for (unsigned int byte = 0; byte < 256; byte++) {
		bool known = byte == 0x01 || byte == 0x2f || byte == 0xd0;

		power_on(CFI_OVMF);
		W(0, CFI_CMD_LOCK_SETUP, byte);
		ck_assert_uint_eq(r(0), known ? 0x80 : 0xb0);
		ck_assert_int_eq(chip.part[0].state, CFI_STATE_READY);
	}
}
END_TEST

START_TEST(personalities_differ_in_locks)
{
	power_on(CFI_STRICT);
	ck_assert_uint_eq(lock_bits(0), 1);
	ck_assert_uint_eq(lock_bits(SIZE - BLOCK), 1);
	program_byte(0, 0);
	ck_assert_uint_eq(r(0), 0x92);
	power_on(CFI_QEMU);
	W(0, CFI_CMD_LOCK_SETUP, CFI_CMD_LOCK_BLOCK);
	ck_assert_uint_eq(r(0), 0x80);
	ck_assert_uint_eq(lock_bits(0), 0);
	program_byte(0, 0);
	ck_assert_uint_eq(owner.array[0], 0);
}
END_TEST

START_TEST(qemu_clears_all_and_shows_the_array)
{
	power_on(CFI_QEMU);
	program_byte(5, 0x55);
	W(0, CFI_CMD_ERASE, 0);
	w(0, CFI_CMD_CLEAR_STATUS);
	ck_assert_uint_eq(r(5), 0x55);
	ck_assert_uint_eq(owner.commits, 1);
	w(0, CFI_CMD_READ_STATUS);
	ck_assert_uint_eq(r(0), 0);
}
END_TEST

/* --- suspend and resume --- */

START_TEST(an_erase_is_suspended)
{
	memset(owner.array, 0, SIZE);
	W(0x3000, CFI_CMD_ERASE, CFI_CMD_CONFIRM, CFI_CMD_READ_STATUS,
	  CFI_CMD_SUSPEND);
	ck_assert_uint_eq(r(0), 0xc0);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(r(0x3fff), 0xff);
	ck_assert_uint_eq(r(0x4000), 0);
	owner.array[0x4000] = 0xff;
	program_byte(0x4000, 0x12); /* allowed elsewhere */
	ck_assert_uint_eq(r(0), 0xc0);
	program_byte(0x3000, 0x12); /* not allowed in the suspended block */
	ck_assert_uint_eq(r(0), 0xf0);
	w(0, CFI_CMD_CLEAR_STATUS);
	load(0x3000, "\x12", 1);
	w(0, CFI_CMD_CONFIRM);
	ck_assert_uint_eq(r(0), 0xf0);
	W(0, CFI_CMD_CLEAR_STATUS);
	W(0x8000, CFI_CMD_ERASE,
	  CFI_CMD_CONFIRM); /* a second erase is not allowed */
	ck_assert_uint_eq(r(0), 0xf0);
	W(0, CFI_CMD_CLEAR_STATUS);
	W(0x89, CFI_CMD_PROTECT, 0);
	ck_assert_uint_eq(r(0), 0xf0);
	W(0, CFI_CMD_CLEAR_STATUS);
	W(0x8000, CFI_CMD_LOCK_SETUP, CFI_CMD_LOCK_BLOCK);
	ck_assert_uint_eq(r(0), 0xc0);
	w(0, CFI_CMD_RESUME);
	ck_assert_uint_eq(r(0), 0x80);
	ck_assert_uint_eq(owner.erases, 1);
	ck_assert_uint_eq(owner.programs, 1);
	ck_assert_uint_eq(owner.protects, 0);
	w(0, CFI_CMD_SUSPEND); /* suspend again */
	ck_assert_uint_eq(r(0), 0xc0);
	W(0, CFI_CMD_RESUME, CFI_CMD_READ_ARRAY, CFI_CMD_SUSPEND);
	ck_assert_uint_eq(r(0), 0x80); /* the operation is complete */
}
END_TEST

START_TEST(a_program_is_suspended_while_an_erase_is)
{
	W(0x3000, CFI_CMD_ERASE, CFI_CMD_CONFIRM, CFI_CMD_SUSPEND);
	program_byte(0x4000, 0x12);
	w(0, CFI_CMD_SUSPEND);
	ck_assert_uint_eq(r(0), 0xc4);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(r(0x4000), 0x12);
	program_byte(0x5000, 0);
	W(0x5000, CFI_CMD_LOCK_SETUP, CFI_CMD_LOCK_BLOCK);
	ck_assert_uint_eq(r(0), 0xf4);
	ck_assert_uint_eq(owner.array[0x5000], 0xff);
	W(0, CFI_CMD_CLEAR_STATUS, CFI_CMD_RESUME);
	ck_assert_uint_eq(r(0), 0xc0);
	w(0, CFI_CMD_SUSPEND);
	ck_assert_uint_eq(r(0), 0xc4);
	W(0, CFI_CMD_RESUME, CFI_CMD_RESUME);
	ck_assert_uint_eq(r(0), 0x80);
	w(0, CFI_CMD_RESUME);
	ck_assert_uint_eq(r(0), 0x80);
	ck_assert_uint_eq(lock_bits(0x5000), 0);
}
END_TEST

START_TEST(a_failure_is_not_suspended)
{
	owner.fail_erase = -EIO;
	W(0x3000, CFI_CMD_ERASE, CFI_CMD_CONFIRM, CFI_CMD_SUSPEND);
	ck_assert_uint_eq(r(0), 0xa8);
	w(0, CFI_CMD_CLEAR_STATUS);
	w(0, CFI_CMD_SUSPEND); /* no operation to suspend */
	ck_assert_uint_eq(r(0), 0);
	w(0, CFI_CMD_RESUME);
	ck_assert_uint_eq(r(0), 0x80);
}
END_TEST

/* --- the protection register --- */

START_TEST(protection_register_is_programmed_once)
{
	w(0, CFI_CMD_READ_ID);
	ck_assert_uint_eq(r(0x80), 0xfe);
	ck_assert_uint_eq(cfi_read(&chip, 0x81, 8), UINT64_MAX);
	ck_assert_uint_eq(cfi_read(&chip, 0x89, 8), UINT64_MAX);
	ck_assert_uint_eq(r(0x91), 0);
	W(0x89, CFI_CMD_PROTECT, 0x5a);
	ck_assert_uint_eq(r(0), 0x80);
	W(0x89, CFI_CMD_PROTECT, 0xf5);
	W(0x90, CFI_CMD_PROTECT, 0x77);
	w(0, CFI_CMD_READ_ID);
	ck_assert_uint_eq(cfi_read(&chip, 0x89, 8), 0x77ffffffffffff50);
	w(0, CFI_CMD_QUERY);
	ck_assert_uint_eq(r(0x89), 0); /* only in the ID view */
	W(0x80, CFI_CMD_PROTECT, 0xfd);
	W(0x8a, CFI_CMD_PROTECT, 0);
	ck_assert_uint_eq(r(0), 0x92);
	w(0, CFI_CMD_READ_ID);
	ck_assert_uint_eq(r(0x80), 0xfc);
	ck_assert_uint_eq(r(0x8a), 0xff);
	ck_assert_uint_eq(owner.protects, 4);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(owner.commits, 0); /* not part of a burst */
}
END_TEST

START_TEST(protection_register_refuses)
{
	static const uint32_t places[] = { 0x7f, 0x81, 0x88, 0x91, SIZE - 1 };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		power_on(CFI_OVMF);
		W(places[i], CFI_CMD_PROTECT, 0);
		ck_assert_uint_eq(r(0), 0x92);
		ck_assert_uint_eq(owner.protects, 0);
	}
	power_on(CFI_OVMF);
	owner.fail_protect = -EIO;
	W(0x89, CFI_CMD_PROTECT, 0);
	ck_assert_uint_eq(r(0), 0x98);
	ck_assert(cfi_protect_is_new(&chip));
	owner.fail_protect = 0;
	W(0x89, CFI_CMD_PROTECT, 0);
	ck_assert(!cfi_protect_is_new(&chip));
}
END_TEST

/* --- busy --- */

START_TEST(busy_is_shown_where_it_is_asked_for)
{
	struct cfi_config config = chip.config;

	program_byte(0, 0x7f);
	ck_assert_uint_eq(owner.busy, 0x80);
	config.show_busy = true;
	ck_assert_int_eq(cfi_init(&chip, &config), 0);
	program_byte(0, 0x3f);
	ck_assert_uint_eq(owner.busy, 0);
	ck_assert_uint_eq(owner.view[0], 0x80);
	owner.busy = 1;
	W(0, CFI_CMD_ERASE, CFI_CMD_CONFIRM);
	ck_assert_uint_eq(owner.busy, 0);
	ck_assert_uint_eq(owner.view[0], 0x80);
	owner.busy = 1;
	load(0, "ab", 2);
	w(0, CFI_CMD_CONFIRM);
	ck_assert_uint_eq(owner.busy, 0);
	owner.busy = 1;
	W(0x89, CFI_CMD_PROTECT, 0);
	ck_assert_uint_eq(owner.busy, 0);
	ck_assert_uint_eq(r(0), 0x80);
}
END_TEST

/* Random writes must neither break an invariant nor leave the view stale. */
START_TEST(random_traffic)
{
	static const uint8_t likely[] = { 0x10, 0x40, 0x20, 0xd0, 0x50, 0x70,
					  0x90, 0x98, 0xff, 0x00, 0x60, 0x01,
					  0x2f, 0xe8, 0xb0, 0xc0 };
	static uint8_t now[SIZE], before[SIZE];

	srand(1);
	for (unsigned int i = 0; i < 20000; i++) {
		uint64_t off = (uint64_t)rand() % (SIZE + 16);
		uint64_t value = (uint64_t)rand() << 32 ^ (uint64_t)rand();

		if (rand() % 4)
			value = likely[(unsigned int)rand() % sizeof(likely)];
		if (i % 64 == 0) {
			memcpy(before, owner.array, SIZE);
			owner.erases = 0;
		}
		write_chip(off, 1u << rand() % 4, value);
		if (!cfi_verify(&chip))
			ck_abort_msg("step %u broke the chip", i);
		if (i % 64)
			continue;
		cfi_render(&chip, 0, now, SIZE);
		ck_assert_mem_eq(now, owner.view, SIZE);
		for (uint32_t at = 0; at < SIZE && !owner.erases; at++)
			if (owner.array[at] & ~before[at])
				ck_abort_msg("a bit was set at %#x", at);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cfi");
	TCase *tc = tcase_create("chip");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, starts_in_array_view);
	tcase_add_test(tc, program_clears_bits_only);
	tcase_add_test(tc, qemu_personality_overwrites);
	tcase_add_test(tc, program_takes_the_address_of_its_data);
	tcase_add_test(tc, program_data_may_look_like_a_command);
	tcase_add_test(tc, erase_wants_its_confirm);
	tcase_add_test(tc, erase_without_confirm_is_a_sequence_error);
	tcase_add_test(tc, ovmf_finds_a_flash);
	tcase_add_test(tc, strict_keeps_sr7);
	tcase_add_test(tc, sr7_returns_with_the_next_operation);
	tcase_add_test(tc, identifies_itself);
	tcase_add_test(tc, accesses_outside_do_nothing);
	tcase_add_test(tc, wide_accesses_are_bus_cycles);
	tcase_add_test(tc, failures_become_status_bits);
	tcase_add_test(tc, failed_commit_of_an_erase_and_a_program);
	tcase_add_test(tc, late_failure_is_shown);
	tcase_add_test(tc, commit_only_after_a_change);
	tcase_add_test(tc, a_burst_is_shown_twice);
	tcase_add_test(tc, query_describes_the_chip);
	tcase_add_test(tc, buffer_is_programmed_in_one);
	tcase_add_test(tc, words_that_were_not_loaded_are_left);
	tcase_add_test(tc, buffer_clears_bits_only);
	tcase_add_test(tc, buffer_of_every_size_and_place);
	tcase_add_test(tc, bad_loads_are_sequence_errors);
	tcase_add_test(tc, strict_refuses_the_buffer_after_an_error);
	tcase_add_test(tc, locked_blocks_are_left_alone);
	tcase_add_test(tc, lock_down_stays);
	tcase_add_test(tc, other_lock_codes_are_sequence_errors);
	tcase_add_test(tc, personalities_differ_in_locks);
	tcase_add_test(tc, qemu_clears_all_and_shows_the_array);
	tcase_add_test(tc, an_erase_is_suspended);
	tcase_add_test(tc, a_program_is_suspended_while_an_erase_is);
	tcase_add_test(tc, a_failure_is_not_suspended);
	tcase_add_test(tc, protection_register_is_programmed_once);
	tcase_add_test(tc, protection_register_refuses);
	tcase_add_test(tc, busy_is_shown_where_it_is_asked_for);
	tcase_add_test(tc, random_traffic);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
