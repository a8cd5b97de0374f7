/* SPDX-License-Identifier: BSD-2-Clause */
/* The chip, against an owner that keeps the array and can be told to fail. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/cfi.h"

#define SIZE 0x20000u
#define BLOCK 0x1000u

struct owner {
	uint8_t array[SIZE];
	uint8_t view[SIZE]; /* what was shown last, as a window would hold it */
	struct cfi *chip;
	unsigned int programs, erases, commits, shows;
	unsigned int protects;
	int fail_program, fail_erase, fail_commit, fail_protect; /* -errno */
};

static struct owner owner;
static struct cfi chip;

static int
owner_program(void *opaque, uint32_t off, const uint8_t *bytes, uint32_t len)
{
	struct owner *o = opaque;

	o->programs++;
	ck_assert_uint_le(off + len, SIZE);
	if (o->fail_program)
		return o->fail_program;
	memcpy(o->array + off, bytes, len);
	return 0;
}

static int
owner_erase(void *opaque, uint32_t off, uint32_t len)
{
	struct owner *o = opaque;

	o->erases++;
	ck_assert_uint_eq(off % BLOCK, 0);
	ck_assert_uint_eq(len, BLOCK);
	if (o->fail_erase)
		return o->fail_erase;
	memset(o->array + off, 0xff, len);
	return 0;
}

static int
owner_commit(void *opaque)
{
	struct owner *o = opaque;

	o->commits++;
	return o->fail_commit;
}

static int
owner_protect(void *opaque, const uint8_t *registers, uint32_t len)
{
	struct owner *o = opaque;

	o->protects++;
	ck_assert_uint_eq(len % CFI_PROTECT_SIZE, 0);
	ck_assert_ptr_nonnull(registers);
	return o->fail_protect;
}

static void
owner_show(void *opaque)
{
	struct owner *o = opaque;

	o->shows++;
	cfi_render(o->chip, 0, o->view, SIZE);
}

static const struct cfi_ops ops = {
	.program = owner_program,
	.erase = owner_erase,
	.commit = owner_commit,
	.protect = owner_protect,
	.show = owner_show,
};

static struct cfi_config
config(enum cfi_personality personality)
{
	return (struct cfi_config){
		.array = owner.array,
		.geometry = {
			.size = SIZE,
			.width = 1,
			.interleave = 1,
			.region_count = 1,
			.regions = { { BLOCK, SIZE / BLOCK } },
		},
		.personality = personality,
		.ops = &ops,
		.owner = &owner,
	};
}

static void
power_on(enum cfi_personality personality)
{
	struct cfi_config c = config(personality);

	memset(&owner, 0, sizeof(owner));
	memset(owner.array, 0xff, SIZE);
	owner.chip = &chip;
	ck_assert_int_eq(cfi_init(&chip, &c), 0);
	cfi_render(&chip, 0, owner.view, SIZE);
}

static void
setup(void)
{
	power_on(CFI_OVMF);
}

static void
w(uint64_t off, uint8_t byte)
{
	cfi_write(&chip, off, 1, byte);
	ck_assert(cfi_verify(&chip));
}

static uint8_t
r(uint64_t off)
{
	return (uint8_t)cfi_read(&chip, off, 1);
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
	owner.array[0x10] = 0x8d;
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
			/* up to the end of the address space, not around it */
			uint64_t ones = size == 8 ?
						UINT64_MAX :
						((uint64_t)1 << 8 * size) - 1;

			cfi_write(&chip, starts[i], size, 0x7070707070707070);
			ck_assert_int_eq(chip.part[0].view, CFI_VIEW_ARRAY);
			ck_assert_uint_eq(cfi_read(&chip, starts[i], size),
					  ones);
		}
	memset(owner.array, 0, SIZE);
	ck_assert_uint_eq(cfi_read(&chip, SIZE - 3, 8), 0xffffffffff000000);
	ck_assert_uint_eq(cfi_read(&chip, SIZE - 3, 200), 0xffffffffff000000);
	/* The last byte is inside: program setup, and its data is not. */
	cfi_write(&chip, SIZE - 1, 8, 0x4040);
	ck_assert_int_eq(chip.part[0].state, CFI_STATE_PROGRAM);
	ck_assert_uint_eq(owner.programs, 0);
}
END_TEST

START_TEST(wide_accesses_are_bus_cycles)
{
	/* setup, data, setup, data at ascending addresses */
	cfi_write(&chip, 0x10, 4, 0x22401140);
	ck_assert_uint_eq(owner.programs, 2);
	ck_assert_uint_eq(owner.array[0x11], 0x11);
	ck_assert_uint_eq(owner.array[0x13], 0x22);
	cfi_write(&chip, 0x10, 8, 0x7070707070707070);
	ck_assert_uint_eq(cfi_read(&chip, 3, 8), 0x8080808080808080);
	cfi_write(&chip, 0x1fff, 2, 0xd020); /* across a block boundary */
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
	/* The bits stay until they are cleared. */
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
	cfi_report(&chip, -EIO);
	ck_assert(cfi_verify(&chip));
	ck_assert_uint_eq(owner.view[9], 0x98);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(owner.commits, 0); /* it was committed already */
	w(0, CFI_CMD_CLEAR_STATUS);
	cfi_report(&chip, -EIO); /* nothing of the guest's is lost */
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

/* Whatever is written: no step breaks the chip, and the view is never stale. */
START_TEST(random_traffic)
{
	static const uint8_t likely[] = { 0x10, 0x40, 0x20, 0xd0, 0x50,
					  0x70, 0x90, 0x98, 0xff, 0x00 };
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
		cfi_write(&chip, off, 1u << rand() % 4, value);
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
	tcase_add_test(tc, random_traffic);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
