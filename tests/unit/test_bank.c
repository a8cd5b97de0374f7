/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests banks of several parts: bus cycles, byte lanes, interleaved views, and
 * the saved state.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/cfi/views.h"
#include "support_chip.h"

static const struct {
	uint8_t width, interleave;
} banks[] = { { 1, 1 }, { 2, 1 }, { 2, 2 }, { 4, 2 }, { 4, 4 } };

#define BANKS (sizeof(banks) / sizeof(banks[0]))

static struct geometry
bank(size_t i)
{
	return plain_geometry(banks[i].width, banks[i].interleave);
}

static void
setup(void)
{
	struct geometry g = plain_geometry(4, 2);

	power_on_bank(CFI_OVMF, &g);
}

/* The byte in the lowest byte of every lane, as drivers send commands. */
static uint32_t
on_all(uint8_t byte)
{
	unsigned int lane = geometry_lane(&chip.config.geometry);
	uint32_t value = 0;

	for (unsigned int i = 0; i < chip.config.geometry.width; i += lane)
		value |= (uint32_t)byte << 8 * i;
	return value;
}

static uint32_t
mask(void)
{
	return UINT32_MAX >> 8 * (4 - chip.config.geometry.width);
}

START_TEST(a_word_is_programmed_by_all_parts)
{
	for (size_t i = 0; i < BANKS; i++) {
		struct geometry g = bank(i);

		power_on_bank(CFI_OVMF, &g);
		w(0x100, on_all(CFI_CMD_PROGRAM));
		w(0x100, 0x12345678 & mask());
		ck_assert_uint_eq(owner.programs, 1);
		ck_assert_uint_eq(r(0x55 & ~3u), on_all(0x80));
		w(0, on_all(CFI_CMD_READ_ARRAY));
		ck_assert_uint_eq(owner.commits, 1);
		ck_assert_uint_eq(r(0x100), 0x12345678 & mask());
		W(0x1ffc, on_all(CFI_CMD_ERASE), on_all(CFI_CMD_CONFIRM));
		ck_assert_uint_eq(owner.erases, 1);
		ck_assert_uint_eq(owner.erased, BLOCK);
	}
}
END_TEST

START_TEST(codes_and_query_are_on_every_lane)
{
	for (size_t i = 0; i < BANKS; i++) {
		struct geometry g = bank(i);
		uint32_t width = g.width;

		power_on_bank(CFI_STRICT, &g);
		w(0x55 * width, on_all(CFI_CMD_READ_ID));
		ck_assert_uint_eq(r(0), on_all(0x89));
		ck_assert_uint_eq(r(width), on_all(0x18));
		ck_assert_uint_eq(r(0x3000 + 2 * width), on_all(1));
		ck_assert_uint_eq(r(0x80 * width), geometry_lane(&g) == 2 ?
							   0xfffefffe & mask() :
							   on_all(0xfe));
		w(0x55 * width, on_all(CFI_CMD_QUERY));
		ck_assert_uint_eq(r(0x10 * width), on_all('Q'));
		ck_assert_uint_eq(r(0x12 * width), on_all('Y'));
		ck_assert_uint_eq(1u << (r(0x27 * width) & 0xff),
				  SIZE / g.interleave);
		ck_assert_uint_eq(r(0x28 * width),
				  on_all(geometry_lane(&g) == 2));
		ck_assert_uint_eq(r(0x2f * width),
				  on_all((uint8_t)(BLOCK / g.interleave /
						   256)));
	}
}
END_TEST

START_TEST(buffers_of_all_parts_are_one_program)
{
	for (size_t i = 0; i < BANKS; i++) {
		struct geometry g = bank(i);
		uint32_t width = g.width;
		uint32_t words = CFI_BUFFER_SIZE / geometry_lane(&g);

		power_on_bank(CFI_OVMF, &g);
		W(0x4000, on_all(CFI_CMD_BUFFER), on_all((uint8_t)(words - 1)));
		for (uint32_t k = 0; k < words; k++)
			w(0x4008 + k * width, (k * 0x01030507 + 9) & mask());
		w(0, on_all(CFI_CMD_CONFIRM));
		ck_assert_uint_eq(r(0), on_all(0x80));
		ck_assert_uint_eq(owner.programs, 1);
		w(0, on_all(CFI_CMD_READ_ARRAY));
		for (uint32_t k = 0; k < words; k++)
			ck_assert_uint_eq(r(0x4008 + k * width),
					  (k * 0x01030507 + 9) & mask());
	}
}
END_TEST

/* x16 parts have a 16-bit count; words beyond the buffer are still data. */
START_TEST(too_many_words_are_taken_and_refused)
{
	W(0x4000, on_all(CFI_CMD_BUFFER), 0x00800080); /* 129 words */
	for (uint32_t k = 0; k < 129; k++)
		w(0x4000 + 4 * k, on_all(CFI_CMD_ERASE));
	w(0x4000, on_all(CFI_CMD_CONFIRM));
	ck_assert_uint_eq(r(0x4000), on_all(0xb0));
	ck_assert_uint_eq(owner.programs + owner.erases, 0);
}
END_TEST

START_TEST(parts_know_nothing_of_each_other)
{
	memset(owner.array, 0, SIZE);
	write_chip(0x3000, 2, CFI_CMD_ERASE); /* part 0 only */
	ck_assert_uint_eq(r(0x3000), 0x00000080);
	write_chip(0x3002, 2, CFI_CMD_READ_STATUS);
	ck_assert_uint_eq(r(0), 0);
	ck_assert_uint_eq(r(0x3000), 0x00800080);
	write_chip(2, 2, CFI_CMD_READ_ID);
	ck_assert_uint_eq(r(0), 0x00890000);
	write_chip(0x3000, 2, CFI_CMD_CONFIRM);
	ck_assert_uint_eq(owner.erases, 0);
	w(0, on_all(CFI_CMD_READ_ARRAY));
	for (uint32_t off = 0x3000; off < 0x4000; off += 4)
		if (r(off) != 0x0000ffff)
			ck_abort_msg("%#x is %#x", off, r(off));
	ck_assert_uint_eq(r(0x2ffc), 0);
	ck_assert_uint_eq(r(0x4000), 0);
	/* One part programs, while the other shows its array. */
	write_chip(0x3000, 2, CFI_CMD_PROGRAM);
	write_chip(0x3000, 2, 0x1234);
	ck_assert_uint_eq(r(0x3000), 0x00000080);
	ck_assert_mem_eq(owner.view + 0x3000, "\x80\0\0\0", 4);
	write_chip(0x3002, 2, CFI_CMD_LOCK_SETUP);
	write_chip(0x3002, 2, CFI_CMD_LOCK_BLOCK);
	w(0x3000, on_all(CFI_CMD_READ_ID));
	ck_assert_uint_eq(r(0x3008), 0x00010000);
	W(0x3000, on_all(CFI_CMD_PROGRAM), 0);
	ck_assert_uint_eq(r(0x3000), 0x00920080);
	W(0, on_all(CFI_CMD_CLEAR_STATUS));
	W(0x3000, on_all(CFI_CMD_ERASE), on_all(CFI_CMD_CONFIRM));
	ck_assert_uint_eq(r(0x3000), 0x00a20080);
}
END_TEST

START_TEST(an_erase_of_one_part_can_fail)
{
	owner.fail_program = -EROFS;
	write_chip(0x3002, 2, CFI_CMD_ERASE);
	write_chip(0x3002, 2, CFI_CMD_CONFIRM);
	w(0, on_all(CFI_CMD_READ_STATUS));
	ck_assert_uint_eq(r(0), 0x00a20080);
	ck_assert_uint_eq(owner.programs, 1);
}
END_TEST

START_TEST(loads_of_different_ranges)
{
	w(0, on_all(CFI_CMD_BUFFER));
	w(0, 0x00010000); /* one word, two words */
	write_chip(0x4000, 2, 0x1111);
	write_chip(0x5002, 2, 0x2222);
	write_chip(0x5006, 2, 0x3333);
	w(0, on_all(CFI_CMD_CONFIRM));
	ck_assert_uint_eq(owner.programs, 2);
	w(0, on_all(CFI_CMD_READ_ARRAY));
	ck_assert_uint_eq(r(0x4000), 0xffff1111);
	ck_assert_uint_eq(r(0x5000), 0x2222ffff);
	ck_assert_uint_eq(r(0x5004), 0x3333ffff);
}
END_TEST

/* A cycle reaches all lanes that it touches; uncovered bytes are ones there. */
START_TEST(narrow_and_unaligned_accesses)
{
	w(0x100, on_all(CFI_CMD_PROGRAM));
	write_chip(0x101, 2,
		   0x3412); /* upper byte of part 0, lower byte of part 1 */
	w(0, on_all(CFI_CMD_READ_ARRAY));
	ck_assert_uint_eq(r(0x100), 0xff3412ff);
	write_chip(0x101, 1, CFI_CMD_ERASE); /* acts as READ ARRAY */
	ck_assert_int_eq(chip.part[0].state, CFI_STATE_READY);
	/* Two cycles: upper half of one word, lower half of the next. */
	write_chip(0x102, 4, 0x00700090);
	ck_assert_uint_eq(r(0), 0x00890080);
	ck_assert_uint_eq(cfi_read(&chip, 2, 4), 0x00800089);
	/* 8 bytes: two complete cycles. */
	write_chip(0x200, 8,
		   (uint64_t)0x12345678 << 32 | on_all(CFI_CMD_PROGRAM));
	ck_assert_mem_eq(owner.array + 0x204, "\x78\x56\x34\x12", 4);
	write_chip(0, 0, 0);
	write_chip(SIZE - 2, 100, UINT64_MAX);
	ck_assert(cfi_verify(&chip));
	ck_assert_int_eq(chip.part[0].view, CFI_VIEW_STATUS);
	ck_assert_int_eq(chip.part[1].view, CFI_VIEW_ARRAY);
}
END_TEST

START_TEST(protection_registers_of_all_parts)
{
	W(0x84 * 4, on_all(CFI_CMD_PROTECT), 0x12345678);
	ck_assert_uint_eq(r(0), on_all(0x92));
	ck_assert_uint_eq(owner.protects, 0);
	W(0x85 * 4, on_all(CFI_CMD_PROTECT), 0x12345678);
	ck_assert_uint_eq(owner.protects, 1);
	w(0, on_all(CFI_CMD_READ_ID));
	ck_assert_uint_eq(r(0x85 * 4), 0x12345678);
	ck_assert_uint_eq(r(0x89 * 4), 0);
}
END_TEST

/* --- several regions --- */

START_TEST(blocks_of_several_sizes)
{
	const struct geometry g = {
		.size = SIZE,
		.width = 1,
		.interleave = 1,
		.region_count = 3,
		.regions = { { 0x4000, 2 }, { 0x1000, 8 }, { 0x10000, 1 } },
	};

	power_on_bank(CFI_OVMF, &g);
	memset(owner.array, 0, SIZE);
	W(0x7fff, CFI_CMD_ERASE, CFI_CMD_CONFIRM);
	ck_assert_uint_eq(owner.erased, 0x4000);
	W(0x8fff, CFI_CMD_ERASE, CFI_CMD_CONFIRM);
	ck_assert_uint_eq(owner.erased, 0x1000);
	W(0x12345, CFI_CMD_ERASE, CFI_CMD_CONFIRM, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(owner.erased, 0x10000);
	ck_assert_uint_eq(r(0x3fff), 0);
	ck_assert_uint_eq(r(0x4000), 0xff);
	ck_assert_uint_eq(r(0x8000), 0xff);
	ck_assert_uint_eq(r(0x9000), 0);
	ck_assert_uint_eq(r(0x10000), 0xff);
	/* A partition is as large as the largest block. */
	W(0x9000, CFI_CMD_LOCK_SETUP, CFI_CMD_LOCK_DOWN, CFI_CMD_READ_ID);
	ck_assert_uint_eq(r(0x9002), 3);
	ck_assert_uint_eq(r(0x8002), 0);
	w(0x10000, CFI_CMD_READ_ID);
	ck_assert_uint_eq(r(0x10002), 0);
	w(0, CFI_CMD_QUERY);
	ck_assert_uint_eq(r(0x15), 0x2d + 12);
	ck_assert_uint_eq(r(0x2c), 3);
	ck_assert_uint_eq(cfi_read(&chip, 0x31, 4), 0x00100007);
	ck_assert_uint_eq(r(0x39), 'P');
}
END_TEST

/* --- saved state --- */

/* Saves, powers on another chip and restores: it must be equal. */
static void
replace_chip(void)
{
	uint8_t record[CFI_STATE_MAX];
	size_t size = cfi_state_size(&chip);
	static struct cfi before;

	before = chip;
	ck_assert_uint_le(size, sizeof(record));
	cfi_save(&chip, record);
	memset(&chip, 0x55, sizeof(chip));
	ck_assert_int_eq(cfi_init(&chip, &before.config), 0);
	ck_assert_int_eq(cfi_restore(&chip, record, size), 0);
	ck_assert(cfi_verify(&chip));
	chip.changes = before.changes;
	memcpy(chip.log, before.log, sizeof(chip.log));
	/* A restored list has the same partitions in another order. */
	memcpy(chip.switched, before.switched, sizeof(chip.switched));
	memcpy(chip.word, before.word, sizeof(chip.word)); /* scratch */
	if (memcmp(&before, &chip, sizeof(chip)) != 0)
		ck_abort_msg("the restored chip is another one");
}

/* An access as drivers make it, or any access. */
static void
random_access(void)
{
	static const uint8_t likely[] = { 0x10, 0x40, 0x20, 0xd0, 0x50, 0x70,
					  0x90, 0x98, 0xff, 0x60, 0x01, 0x2f,
					  0xe8, 0xb0, 0xc0, 0x03 };
	uint32_t off = (uint32_t)rand() % SIZE;
	unsigned int kind = (unsigned int)rand() % 8;

	if (kind == 0)
		off = (uint32_t)rand() % 0x400;
	if (kind < 7)
		w(off & ~3u,
		  on_all(likely[(unsigned int)rand() % sizeof(likely)]));
	else
		write_chip(off, 1u << rand() % 4, (uint64_t)rand());
}

/* _i: number of the bank. */
START_TEST(state_is_saved_between_any_two_accesses)
{
	struct geometry g = bank((size_t)_i);

	srand((unsigned int)_i + 1);
	for (int p = CFI_OVMF; p <= CFI_QEMU; p++) {
		power_on_bank((enum cfi_personality)p, &g);
		for (unsigned int i = 0; i < 5000; i++) {
			random_access();
			replace_chip();
		}
	}
}
END_TEST

/*
 * Clears the buffers of parts that are not loading: their content is undefined.
 */
static void
forget_buffers(uint8_t *record, const struct geometry *g)
{
	const size_t part = 24 + CFI_BUFFER_SIZE + CFI_BUFFER_SIZE / 8;
	uint8_t *at = record + chip.parts_at;

	for (unsigned int i = 0; i < g->interleave; i++, at += part)
		if (*at != CFI_STATE_LOAD && *at != CFI_STATE_CONFIRM)
			memset(at + 24, 0, part - 24);
}

/*
 * _i: number of the bank. Updates two records in turn, as the handover record
 * does.
 */
START_TEST(records_are_brought_up_to_date)
{
	struct geometry g = bank((size_t)_i);
	static uint8_t kept[2][CFI_STATE_MAX], now[CFI_STATE_MAX];
	static struct cfi other;
	uint32_t changes[2] = { 0, 0 };

	srand((unsigned int)_i + 1);
	power_on_bank(CFI_STRICT, &g);
	for (unsigned int i = 0; i < 20000; i++) {
		uint8_t *record = kept[i % 2];

		random_access();
		cfi_save_again(&chip, record, &changes[i % 2]);
		cfi_save(&chip, now);
		ck_assert_int_eq(cfi_init(&other, &chip.config), 0);
		ck_assert_int_eq(cfi_restore(&other, record,
					     cfi_state_size(&chip)),
				 0);
		forget_buffers(record, &g);
		forget_buffers(now, &g);
		if (memcmp(record, now, cfi_state_size(&chip)) != 0)
			ck_abort_msg("access %u is not in the record", i);
	}
}
END_TEST

START_TEST(impossible_records_are_refused)
{
	uint8_t record[CFI_STATE_MAX], bad[CFI_STATE_MAX];
	size_t size = cfi_state_size(&chip);
	size_t parts = 56 + 2 * CFI_PROTECT_SIZE + SIZE / BLOCK;
	size_t views = parts + 2 * (24 + CFI_BUFFER_SIZE + CFI_BUFFER_SIZE / 8);
	static struct cfi before;
	const struct {
		size_t at;
		uint8_t value;
	} cases[] = {
		{ 0, 'X' },          /* magic */
		{ 8, CFI_QEMU },     /* personality */
		{ 9, 2 },            /* width */
		{ 10, 4 },           /* interleave */
		{ 13, 1 },           /* size */
		{ 17, 1 },           /* bytes of the factory half */
		{ 49, 0x20 },        /* bytes of a partition */
		{ 58, 0xfe },        /* the factory half must be locked */
		{ 56, 0xff },        /* a lock of a part that does not exist */
		{ 92, 0x04 },        /* locked down but not locked */
		{ 92, 0x10 },        /* locked down, not locked */
		{ parts, 8 },        /* a waiting state, in array view */
		{ parts, 1 },        /* COUNT, not in buffer view */
		{ parts, 5 },        /* loading, but no words pending */
		{ parts, 6 },        /* loading, nothing pending */
		{ parts + 1, 5 },    /* SR.1 without an error bit */
		{ parts + 2, 0x82 }, /* refused buffer, under ovmf */
		{ parts + 1, 2 },    /* last operation, in array view */
		{ parts + 4, 0x40 }, /* last, in array view */
		{ parts + 2, 0x81 }, /* SR.0 */
		{ parts + 3, 0x80 }, /* burst */
		{ parts + 4, 0x80 }, /* two operations at once */
		{ parts + 4, 0x44 }, /* both at once */
		{ parts + 5, 2 },    /* bad */
		{ parts + 6, 32 },   /* partition */
		{ parts + 7, 1 },
		{ views, 1 },     /* STATUS, but the part says ARRAY */
		{ views + 1, 6 }, /* a view that does not exist */
		{ parts + 8, SIZE / BLOCK }, /* erased */
	};

	cfi_save(&chip, record);
	before = chip;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(bad, record, size);
		bad[cases[i].at] = cases[i].value;
		if (cfi_restore(&chip, bad, size) != -EINVAL)
			ck_abort_msg("byte %zu = %#x was taken", cases[i].at,
				     cases[i].value);
		ck_assert_int_eq(memcmp(&before, &chip, sizeof(chip)), 0);
	}
	ck_assert_int_eq(cfi_restore(&chip, record, size - 1), -EINVAL);
	ck_assert_int_eq(cfi_restore(&chip, record, size + 1), -EINVAL);
	ck_assert_int_eq(cfi_restore_protect(&chip, record, 50), -EINVAL);
	ck_assert_int_eq(cfi_restore(&chip, record, size), 0);
}
END_TEST

/* A load in a record: words, pending, start and bad must be consistent. */
START_TEST(impossible_loads_are_refused)
{
	uint8_t record[CFI_STATE_MAX], bad[CFI_STATE_MAX];
	size_t size = cfi_state_size(&chip);
	size_t part = 56 + 2 * CFI_PROTECT_SIZE + SIZE / BLOCK;
	static const struct {
		size_t at;
		uint8_t value;
	} cases[] = {
		{ 0, 7 },     /* CONFIRM with words pending */
		{ 1, 0 },     /* an operation has just ended */
		{ 4, 0x40 },  /* start outside the bank */
		{ 14, 0xff }, /* start outside of the bank */
		{ 16, 0 },    /* fewer words than pending */
		{ 16, 1 },    /* more words than a count can request */
		{ 18, 2 },    /* more than the buffer holds, but not bad */
		{ 17, 1 },    /* more than the buffer holds, but not bad */
		{ 20, 0 },    /* more pending than words */
		{ 20, 9 },    /* more than all */
	};

	W(0, on_all(CFI_CMD_BUFFER), on_all(3), 0x11111111);
	cfi_save(&chip, record);
	ck_assert_int_eq(cfi_restore(&chip, record, size), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(bad, record, size);
		bad[part + cases[i].at] = cases[i].value;
		if (cfi_restore(&chip, bad, size) != -EINVAL)
			ck_abort_msg("byte %zu = %#x was taken", cases[i].at,
				     cases[i].value);
	}
}
END_TEST

START_TEST(verify_finds_what_is_broken)
{
	static struct cfi good;

	good = chip;
	chip.config.geometry.width = 3;
	ck_assert(!cfi_verify(&chip));
	chip = good;
	chip.config.personality = (enum cfi_personality)3;
	ck_assert(!cfi_verify(&chip));
	chip = good;
	chip.part[1].view = CFI_VIEW_STATUS; /* but not yet shown */
	ck_assert(!cfi_verify(&chip));
	chip = good;
	chip.shown[views_index(&chip, 1, 0)] = MARK_STATUS;
	ck_assert(!cfi_verify(&chip));
	chip = good;
	chip.protect[CFI_PROTECT_SIZE] = 0xff;
	ck_assert(!cfi_verify(&chip));
	chip = good;
	chip.config.personality = CFI_QEMU;
	chip.locks[3] = 1;
	ck_assert(!cfi_verify(&chip));
	chip = good;
	chip.config.personality = CFI_STRICT;
	chip.part[0].status = 0;
	ck_assert(!cfi_verify(&chip));
	/* An erase cannot end while a program is suspended. */
	chip = good;
	chip.part[0].view = CFI_VIEW_STATUS;
	chip.part[0].status = CFI_SR_READY | CFI_SR_PROGRAM_SUSPENDED;
	(void)views_note(&chip, 0);
	ck_assert(cfi_verify(&chip));
	chip.part[0].last = CFI_SR_ERASE_SUSPENDED;
	ck_assert(!cfi_verify(&chip));
	chip = good;
	ck_assert(cfi_verify(&chip));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("bank");
	TCase *tc = tcase_create("bank");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_word_is_programmed_by_all_parts);
	tcase_add_test(tc, codes_and_query_are_on_every_lane);
	tcase_add_test(tc, buffers_of_all_parts_are_one_program);
	tcase_add_test(tc, too_many_words_are_taken_and_refused);
	tcase_add_test(tc, parts_know_nothing_of_each_other);
	tcase_add_test(tc, an_erase_of_one_part_can_fail);
	tcase_add_test(tc, loads_of_different_ranges);
	tcase_add_test(tc, narrow_and_unaligned_accesses);
	tcase_add_test(tc, protection_registers_of_all_parts);
	tcase_add_test(tc, blocks_of_several_sizes);
	tcase_add_loop_test(tc, state_is_saved_between_any_two_accesses, 0,
			    (int)BANKS);
	tcase_add_loop_test(tc, records_are_brought_up_to_date, 0, (int)BANKS);
	tcase_add_test(tc, impossible_records_are_refused);
	tcase_add_test(tc, impossible_loads_are_refused);
	tcase_add_test(tc, verify_finds_what_is_broken);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
