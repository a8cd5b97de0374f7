/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the views of the partitions (docs/chip.md, section 2): which bytes a
 * command changes, in which order the owner learns of them, and the table that
 * lists them for a driver.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/cfi/views.h"
#include "support_chip.h"

#define A 0x3000u
#define B 0x7000u

/* Powers on one x8 part with partitions of `size` bytes; 0: its own. */
static void
power_on_partitions(enum cfi_personality personality, uint32_t size)
{
	struct cfi_config config;

	power_on(personality);
	config = chip.config;
	config.partition = size;
	ck_assert_int_eq(cfi_init(&chip, &config), 0);
	memset(owner.array, 0xa5, SIZE);
	memcpy(owner.view, owner.array, SIZE);
}

START_TEST(a_command_switches_the_block_that_it_addresses)
{
	power_on_partitions(CFI_OVMF, 0);
	w(A + 5, CFI_CMD_READ_STATUS);
	ck_assert_uint_eq(r(A), 0x80);
	ck_assert_uint_eq(r(A + BLOCK - 1), 0x80);
	ck_assert_uint_eq(r(A - 1), 0xa5);
	ck_assert_uint_eq(r(A + BLOCK), 0xa5);
	w(0, CFI_CMD_READ_ID);
	ck_assert_uint_eq(r(0), 0x89);
	ck_assert_uint_eq(r(A), 0x80);
	w(B, CFI_CMD_QUERY);
	ck_assert_uint_eq(r(B), 0);
	ck_assert_uint_eq(r(0), 0x89);
	ck_assert_uint_eq(r(A), 0x80);
}
END_TEST

START_TEST(read_array_ends_all_views_of_ovmf)
{
	power_on_partitions(CFI_OVMF, 0);
	for (uint32_t off = 0; off < SIZE; off += BLOCK)
		w(off, CFI_CMD_READ_STATUS);
	w(B, CFI_CMD_READ_ARRAY);
	for (uint32_t off = 0; off < SIZE; off += BLOCK)
		ck_assert_uint_eq(r(off), 0xa5);
}
END_TEST

START_TEST(read_array_of_strict_ends_one_view)
{
	power_on_partitions(CFI_STRICT, BLOCK);
	w(A, CFI_CMD_READ_STATUS);
	w(B, CFI_CMD_READ_STATUS);
	w(B, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(r(B), 0xa5);
	ck_assert_uint_eq(r(A), 0x80);
	w(A, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(r(A), 0xa5);
}
END_TEST

/* One driver polls the status of A while another one reads and writes B. */
START_TEST(two_partitions_are_used_at_once)
{
	power_on_partitions(CFI_STRICT, BLOCK);
	W(A, CFI_CMD_LOCK_SETUP, CFI_CMD_CONFIRM);
	W(B, CFI_CMD_LOCK_SETUP, CFI_CMD_CONFIRM);
	W(A, CFI_CMD_ERASE, CFI_CMD_CONFIRM);
	w(B, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(r(B), 0xa5);
	ck_assert_uint_eq(r(A), 0x80); /* not the array's 0xff */
	W(B, CFI_CMD_PROGRAM, 0x21);
	ck_assert_uint_eq(r(B), 0x80);
	w(A, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(r(A), 0xff);
	ck_assert_uint_eq(r(B), 0x80);
	w(B, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(r(B), 0x21);
}
END_TEST

START_TEST(whole_bank_is_one_partition)
{
	static const enum cfi_personality whole[] = { CFI_STRICT, CFI_QEMU };

	for (unsigned int i = 0; i < 2; i++) {
		power_on_partitions(whole[i], 0);
		w(A, CFI_CMD_READ_STATUS);
		ck_assert_uint_eq(r(0), 0x80);
		ck_assert_uint_eq(r(SIZE - 1), 0x80);
		w(B, CFI_CMD_READ_ARRAY);
		ck_assert_uint_eq(r(A), 0xa5);
	}
}
END_TEST

START_TEST(a_partition_shows_the_status_of_its_last_cycle)
{
	power_on_partitions(CFI_OVMF, 0);
	W(A, CFI_CMD_ERASE, 0); /* a sequence error */
	ck_assert_uint_eq(r(A), 0xb0);
	w(B, CFI_CMD_CLEAR_STATUS);
	ck_assert_uint_eq(r(A), 0xb0);
	ck_assert_uint_eq(r(B), 0xa5); /* the view of B stays */
	w(A, CFI_CMD_READ_STATUS);
	ck_assert_uint_eq(r(A), 0);
}
END_TEST

START_TEST(second_cycle_shows_the_status_where_it_goes)
{
	power_on_partitions(CFI_OVMF, 0);
	w(A, CFI_CMD_PROGRAM);
	w(B, 0x21);
	ck_assert_uint_eq(owner.array[B], 0x21);
	ck_assert_uint_eq(r(A), 0x80);
	ck_assert_uint_eq(r(B), 0x80);
	w(A, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(r(B), 0x21);
}
END_TEST

/* A write that crosses two partitions is a cycle in each. */
START_TEST(wide_write_switches_two_partitions)
{
	power_on_partitions(CFI_OVMF, 0);
	write_chip(A - 1, 2, 0x9070);
	ck_assert_uint_eq(r(A - 1), 0x80);
	ck_assert_uint_eq(r(A + 1), 0); /* the ID codes of block A */
}
END_TEST

/* --- what the owner is told --- */

static unsigned int
changes(uint32_t *seen, uint32_t *bytes)
{
	unsigned int count = 0;
	uint32_t off, len;

	for (*bytes = 0; cfi_next_change(&chip, seen, &off, &len); count++) {
		ck_assert_uint_le(off, SIZE - len);
		*bytes += len;
	}
	return count;
}

START_TEST(owner_fills_only_the_changed_partitions)
{
	uint32_t seen = 0, bytes;

	power_on_partitions(CFI_OVMF, 0);
	ck_assert_uint_eq(changes(&seen, &bytes), 1);
	ck_assert_uint_eq(bytes, SIZE); /* at first the whole bank */
	ck_assert_uint_eq(changes(&seen, &bytes), 0);
	W(A, CFI_CMD_PROGRAM, 1);
	ck_assert_uint_eq(changes(&seen, &bytes), 1);
	ck_assert_uint_eq(bytes, BLOCK);
	W(A + 1, CFI_CMD_PROGRAM, 1);
	ck_assert_uint_eq(changes(&seen, &bytes), 0);
	W(B, CFI_CMD_PROGRAM, 1);
	ck_assert_uint_eq(changes(&seen, &bytes), 1);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(changes(&seen, &bytes), 2);
	ck_assert_uint_eq(bytes, 2 * BLOCK);
}
END_TEST

START_TEST(owner_that_looks_too_late_fills_everything)
{
	uint32_t seen = 0, bytes;

	power_on_partitions(CFI_OVMF, 0);
	(void)changes(&seen, &bytes);
	for (unsigned int i = 0; i < CFI_MAX_VIEWS / 2; i++)
		W(A, CFI_CMD_READ_STATUS, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(changes(&seen, &bytes), CFI_MAX_VIEWS);
	for (unsigned int i = 0; i <= CFI_MAX_VIEWS / 2; i++)
		W(A, CFI_CMD_READ_STATUS, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(changes(&seen, &bytes), 1);
	ck_assert_uint_eq(bytes, SIZE);
}
END_TEST

START_TEST(count_of_changes_wraps)
{
	uint32_t seen, bytes;

	power_on_partitions(CFI_OVMF, 0);
	chip.changes = seen = UINT32_MAX;
	w(A, CFI_CMD_READ_STATUS);
	ck_assert_uint_eq(changes(&seen, &bytes), 1);
	ck_assert_uint_eq(bytes, SIZE);
	seen = 0;
	ck_assert_uint_eq(changes(&seen, &bytes), 1);
	ck_assert_uint_eq(bytes, SIZE);
}
END_TEST

/*
 * No sequence of accesses makes the owner fill more partitions than the guest
 * has sent cycles.
 */
START_TEST(no_access_costs_more_than_the_guest_has_paid)
{
	uint32_t seen = 0, bytes, filled = 0, sent = 0;

	srand(7);
	power_on_partitions(CFI_OVMF, 0);
	(void)changes(&seen, &bytes);
	for (unsigned int i = 0; i < 100000; i++) {
		static const uint8_t codes[] = { 0x70, 0x90, 0x98, 0x50,
						 0x20, 0x70, 0xd0, 0xff };
		uint32_t off = (uint32_t)rand() % SIZE;

		(void)cfi_write(&chip, off, 1, codes[rand() % 8]);
		sent++;
		filled += changes(&seen, &bytes);
		ck_assert_uint_le(filled, 2 * sent);
	}
	ck_assert(cfi_verify(&chip));
}
END_TEST

/* --- which sizes are accepted --- */

START_TEST(wrong_list_of_switched_partitions_is_found)
{
	power_on_partitions(CFI_OVMF, 0);
	w(A, CFI_CMD_READ_STATUS);
	w(B, CFI_CMD_READ_STATUS);
	ck_assert_uint_eq(chip.switched_count[0], 2);
	ck_assert(cfi_verify(&chip));
	chip.switched[0] = 0; /* it shows the array */
	ck_assert(!cfi_verify(&chip));
	chip.switched[0] = (uint16_t)chip.partitions;
	ck_assert(!cfi_verify(&chip));
	chip.switched[0] = A / BLOCK;
	ck_assert(cfi_verify(&chip));
	chip.switched_count[0] = 1; /* B is not listed */
	ck_assert(!cfi_verify(&chip));
}
END_TEST

START_TEST(sizes_of_partitions)
{
	static const struct {
		struct geometry geometry;
		enum cfi_personality personality;
		uint32_t partition;
		bool good;
	} cases[] = {
#define PLAIN { SIZE, 1, 1, 1, { { BLOCK, SIZE / BLOCK } } }
#define MIXED                                                                  \
	{                                                                      \
		0x10000, 1, 1, 2,                                              \
		{                                                              \
			{ 0x1000, 8 },                                         \
			{                                                      \
				0x8000, 1                                      \
			}                                                      \
		}                                                              \
	}
		{ PLAIN, CFI_OVMF, 0, true },
		{ PLAIN, CFI_STRICT, 0, true },
		{ PLAIN, CFI_QEMU, 0, true },
		{ PLAIN, CFI_QEMU, BLOCK, false },
		{ PLAIN, CFI_STRICT, BLOCK, true },
		{ PLAIN, CFI_STRICT, SIZE, true },
		{ PLAIN, CFI_STRICT, 2 * SIZE, false },
		{ PLAIN, CFI_STRICT, BLOCK / 2, false },
		{ PLAIN, CFI_STRICT, 3 * BLOCK, false },
		{ MIXED, CFI_STRICT, 0x8000, true },
		{ MIXED, CFI_STRICT, 0x1000, false },
		{ MIXED, CFI_STRICT, 0x10000, false },
		{ { 16u << 20, 4, 4, 1, { { BLOCK, 4096 } } },
		  CFI_STRICT,
		  0x2000,
		  false },
		{ { 16u << 20, 4, 4, 1, { { BLOCK, 4096 } } },
		  CFI_STRICT,
		  0x4000,
		  true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cfi_config config = {
			.geometry = cases[i].geometry,
			.personality = cases[i].personality,
			.partition = cases[i].partition,
		};
		struct error err = { .text = "" };
		int ret = cfi_check_partition(&config.geometry,
					      config.personality,
					      config.partition, &err);

		ck_assert_msg((ret == 0) == cases[i].good, "case %zu: %d", i,
			      ret);
		ck_assert_int_eq(ret == 0, err.text[0] == '\0');
		ck_assert_int_eq(cfi_init(&chip, &config), ret);
	}
}
END_TEST

/* A bank with more views than the table has: partitions of several blocks. */
START_TEST(largest_banks)
{
	static const struct {
		unsigned int parts;
		uint32_t partition;
	} cases[] = { { 1, 0x1000 }, { 2, 0x2000 }, { 4, 0x4000 } };

	for (size_t i = 0; i < 3; i++) {
		const struct cfi_config config = {
			.geometry = { .size = 16u << 20,
				      .width = (uint8_t)cases[i].parts,
				      .interleave = (uint8_t)cases[i].parts,
				      .region_count = 1,
				      .regions = { { BLOCK, 4096 } } },
		};

		ck_assert_int_eq(cfi_init(&chip, &config), 0);
		ck_assert_uint_eq(chip.partitions * cases[i].parts, 4096);
		ck_assert_uint_eq(1u << chip.partition_shift,
				  cases[i].partition);
		ck_assert_uint_le(cfi_state_size(&chip), CFI_STATE_MAX);
	}
}
END_TEST

/* --- the query table --- */

static uint32_t
le16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

/* Reads the table as cfi_intelext_partition_fixup() of Linux does. */
START_TEST(query_lists_the_partitions)
{
	const struct cfi_config config = {
		.array = owner.array,
		.geometry = { .size = SIZE,
			      .width = 1,
			      .interleave = 1,
			      .region_count = 2,
			      .regions = { { 0x1000, 16 }, { 0x8000, 2 } } },
		.personality = CFI_STRICT,
		.partition = 0x8000,
	};
	uint8_t q[CFI_QUERY_SIZE], *pri, *extra;
	uint32_t parts = 0, bytes = 0;

	power_on(CFI_STRICT);
	ck_assert_int_eq(cfi_init(&chip, &config), 0);
	w(0, CFI_CMD_QUERY);
	cfi_render(&chip, 0, q, sizeof(q));
	pri = q + le16(q + 0x15);
	ck_assert_mem_eq(pri, "PRI13", 5);
	ck_assert_uint_ne(pri[6] & 2, 0); /* FeatureSupport, bit 9 */
	ck_assert_uint_eq(pri[0xe], 1);   /* NumProtectionFields */
	extra = pri + 0x13;
	extra += extra[1] + 2; /* burst read */
	ck_assert_uint_eq(*extra, 2);
	for (unsigned int i = *extra++; i > 0; i--) {
		uint32_t count = le16(extra), types = extra[5];

		ck_assert_uint_eq(types, 1);
		parts += count;
		bytes += count * (le16(extra + 6) + 1) * le16(extra + 8) * 256;
		extra += 6 + 8 * types;
	}
	ck_assert_uint_eq(parts, SIZE / 0x8000);
	ck_assert_uint_eq(bytes, SIZE);
	ck_assert(extra <= q + CFI_QUERY_SIZE);
}
END_TEST

START_TEST(query_without_partitions_lists_none)
{
	uint8_t q[CFI_QUERY_SIZE];

	for (int p = CFI_OVMF; p <= CFI_QEMU; p++) {
		power_on((enum cfi_personality)p);
		w(0, CFI_CMD_QUERY);
		cfi_render(&chip, 0, q, sizeof(q));
		ck_assert_mem_eq(q + 0x31, "PRI11", 5);
		ck_assert_uint_eq(q[0x37], 0);
	}
}
END_TEST

/* --- the record of version 0.1 --- */

/* Makes the record that pflashd 0.1 wrote for the chip's state. */
static size_t
old_record(uint8_t *to)
{
	uint8_t record[CFI_STATE_MAX];
	size_t size = cfi_state_size(&chip) - chip.partitions;

	cfi_save(&chip, record);
	memcpy(to, record, 48);
	to[7] = '1';
	memcpy(to + 48, record + 56, size - 56);
	to[chip.parts_at - 8 + 6] = to[chip.parts_at - 8 + 7] = 0;
	return size - 8;
}

START_TEST(old_record_has_one_view_for_all_partitions)
{
	uint8_t record[CFI_STATE_MAX] = { 0 };
	struct cfi_config config;
	size_t len;

	power_on_partitions(CFI_OVMF, 0);
	config = chip.config;
	W(A, CFI_CMD_ERASE, 0);
	len = old_record(record);
	ck_assert_int_eq(cfi_init(&chip, &config), 0);
	ck_assert_int_eq(cfi_restore(&chip, record, len + 1), -EINVAL);
	ck_assert_int_eq(cfi_restore(&chip, record, len - 1), -EINVAL);
	record[chip.parts_at - 8 + 6] = 1; /* a reserved byte */
	ck_assert_int_eq(cfi_restore(&chip, record, len), -EINVAL);
	record[chip.parts_at - 8 + 6] = 0;
	ck_assert_int_eq(cfi_restore(&chip, record, len), 0);
	ck_assert(cfi_verify(&chip));
	for (uint32_t off = 0; off < SIZE; off += BLOCK)
		ck_assert_uint_eq(r(off), 0xb0);
	w(B, CFI_CMD_READ_ARRAY);
	for (uint32_t off = 0; off < SIZE; off += BLOCK)
		ck_assert_uint_eq(r(off), 0xa5);
	/* In the handover record other bytes follow it. */
	ck_assert_int_eq(cfi_init(&chip, &config), 0);
	ck_assert_int_eq(cfi_restore(&chip, record, cfi_state_size(&chip)), 0);
	ck_assert_uint_eq(r(B), 0xb0);
}
END_TEST

START_TEST(old_record_of_protection_registers)
{
	uint8_t record[CFI_STATE_MAX];
	size_t len;

	power_on_partitions(CFI_OVMF, 0);
	W(0x89, CFI_CMD_PROTECT, 0x21);
	len = old_record(record);
	power_on_partitions(CFI_QEMU, 0);
	ck_assert_int_eq(cfi_restore_protect(&chip, record, len), 0);
	w(0, CFI_CMD_READ_ID);
	ck_assert_uint_eq(r(0x89), 0x21);
}
END_TEST

START_TEST(record_of_other_partitions_is_refused)
{
	uint8_t record[CFI_STATE_MAX];
	size_t len;

	power_on_partitions(CFI_STRICT, 2 * BLOCK);
	len = cfi_state_size(&chip);
	cfi_save(&chip, record);
	power_on_partitions(CFI_STRICT, 4 * BLOCK);
	ck_assert_int_eq(cfi_restore(&chip, record, len), -EINVAL);
	ck_assert_int_eq(cfi_restore(&chip, record, cfi_state_size(&chip)),
			 -EINVAL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("partition");
	TCase *tc = tcase_create("partition");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_command_switches_the_block_that_it_addresses);
	tcase_add_test(tc, read_array_ends_all_views_of_ovmf);
	tcase_add_test(tc, read_array_of_strict_ends_one_view);
	tcase_add_test(tc, two_partitions_are_used_at_once);
	tcase_add_test(tc, whole_bank_is_one_partition);
	tcase_add_test(tc, a_partition_shows_the_status_of_its_last_cycle);
	tcase_add_test(tc, second_cycle_shows_the_status_where_it_goes);
	tcase_add_test(tc, wide_write_switches_two_partitions);
	tcase_add_test(tc, owner_fills_only_the_changed_partitions);
	tcase_add_test(tc, owner_that_looks_too_late_fills_everything);
	tcase_add_test(tc, count_of_changes_wraps);
	tcase_add_test(tc, no_access_costs_more_than_the_guest_has_paid);
	tcase_add_test(tc, wrong_list_of_switched_partitions_is_found);
	tcase_add_test(tc, sizes_of_partitions);
	tcase_add_test(tc, largest_banks);
	tcase_add_test(tc, query_lists_the_partitions);
	tcase_add_test(tc, query_without_partitions_lists_none);
	tcase_add_test(tc, old_record_has_one_view_for_all_partitions);
	tcase_add_test(tc, old_record_of_protection_registers);
	tcase_add_test(tc, record_of_other_partitions_is_refused);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
