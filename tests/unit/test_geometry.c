/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the geometry of a bank: invalid ones, parsing, and the block of an
 * offset.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "pflash/cfi.h"

static struct error err;

static const struct geometry good = {
	.size = 0x84000,
	.width = 1,
	.interleave = 1,
	.region_count = 1,
	.regions = { { 0x1000, 0x84 } },
};

START_TEST(bad_geometries_are_refused)
{
	static const struct geometry bad[] = {
		{ 0x1000, 0, 1, 1, { { 0x1000, 1 } } },
		{ 0x1000, 3, 1, 1, { { 0x1000, 1 } } },
		{ 0x1000, 8, 4, 1, { { 0x1000, 1 } } },
		{ 0x1000, 1, 0, 1, { { 0x1000, 1 } } },
		{ 0x1000, 4, 3, 1, { { 0x1000, 1 } } },
		{ 0x1000, 4, 1, 1, { { 0x1000, 1 } } }, /* x32 */
		{ 0x1000,
		  2,
		  4,
		  1,
		  { { 0x1000, 1 } } }, /* half a byte per part */
		{ 0x1000, 4, 8, 1, { { 0x1000, 1 } } },
		{ 0x1000, 1, 1, 0, { { 0x1000, 1 } } },
		{ 0x1000, 1, 1, 5, { { 0x1000, 1 } } },
		{ 0x1000, 1, 1, 1, { { 0x0800, 2 } } },
		{ 0x3000, 1, 1, 1, { { 0x3000, 1 } } },
		{ 0x200000, 1, 1, 1, { { 0x200000, 1 } } },
		{ 0x1000, 1, 1, 1, { { 0x1000, 0 } } },
		{ 0x1001, 1, 1, 1, { { 0x1000, 1 } } },
		{ 0, 1, 1, 1, { { 0, 0 } } },
		{ 0x1001000, 1, 1, 1, { { 0x1000, 4097 } } },
		{ 0x3000, 1, 1, 2, { { 0x1000, 1 }, { 0x2000, 1 } } },
		/* the sum is correct only modulo 4 GiB */
		{ 0, 1, 1, 1, { { 0x100000, 4096 } } },
	};
	struct cfi chip;

	ck_assert_int_eq(geometry_check(&good, &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct cfi_config config = { .geometry = bad[i] };

		err.text[0] = '\0';
		if (geometry_check(&bad[i], &err) != -EINVAL)
			ck_abort_msg("number %zu was accepted", i);
		ck_assert_str_ne(err.text, "");
		ck_assert_int_eq(cfi_init(&chip, &config), -EINVAL);
	}
}
END_TEST

START_TEST(lists_of_blocks)
{
	struct geometry g;

	ck_assert_int_eq(geometry_parse(&g, 0x84000, 1, 0, "4096", &err), 0);
	ck_assert_int_eq(memcmp(&g, &good, sizeof(g)), 0);
	ck_assert_int_eq(geometry_parse(&g, 0x84000, 1, 1, "0x1000x0x84", &err),
			 0);
	ck_assert_int_eq(memcmp(&g, &good, sizeof(g)), 0);
	ck_assert_int_eq(geometry_parse(&g, 1u << 24, 4, 0,
					"32Kx4,128kx15,1Mx13,4K", &err),
			 0);
	ck_assert_uint_eq(g.interleave, 2);
	ck_assert_uint_eq(g.region_count, 4);
	ck_assert_uint_eq(g.regions[1].count, 15);
	ck_assert_uint_eq(g.regions[2].block_size, 1u << 20);
	ck_assert_uint_eq(g.regions[3].count, 0x100);
	ck_assert_uint_eq(geometry_blocks(&g), 4 + 15 + 13 + 0x100);
	ck_assert_int_eq(geometry_parse(&g, 0x20000, 2, 0, "4K", &err), 0);
	ck_assert_uint_eq(g.interleave, 1);
	ck_assert_uint_eq(geometry_lane(&g), 2);
}
END_TEST

START_TEST(malformed_lists)
{
	static const char *const bad[] = {
		"",
		"x",
		"4Kx",
		"4Kx0",
		"4K,",
		",4K",
		"4Kx8x8",
		"4K 8",
		"4Kx8;4K",
		"-4K",
		"+4K",
		" 4K",
		"4T",
		"4KK",
		"4097",
		"4Kx8",
		"64K,64K",
		"0",
		"4Kx33",
		"8Kx16,64Kx2",
		"5000M",
		"4294967296",
		"99999999999999999999",
		"4Kx1,4Kx1,4Kx1,4Kx1,4K",
		"4096M",
		"4Kx32,4K",
	};
	struct geometry g;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		if (geometry_parse(&g, 0x20000, 1, 1, bad[i], &err) != -EINVAL)
			ck_abort_msg("'%s' was accepted", bad[i]);
		ck_assert_str_ne(err.text, "");
	}
	ck_assert_int_eq(geometry_parse(&g, 0x20000, 257, 1, "4K", &err),
			 -EINVAL);
	ck_assert_int_eq(geometry_parse(&g, 0x20000, 1, 257, "4K", &err),
			 -EINVAL);
}
END_TEST

START_TEST(every_offset_is_in_its_block)
{
	struct geometry g;
	uint32_t index = 0, first = 0;

	ck_assert_int_eq(geometry_parse(&g, 0x120000, 1, 1,
					"16Kx4,4Kx16,128Kx7,64K", &err),
			 0);
	while (first < g.size) {
		struct geometry_block block = geometry_block_number(&g, index);
		const uint32_t offs[] = { first, first + 1,
					  first + block.size - 1 };

		ck_assert_uint_eq(block.index, index);
		ck_assert_uint_eq(block.first, first);
		for (unsigned int i = 0; i < 3; i++) {
			struct geometry_block at = geometry_block_at(&g,
								     offs[i]);

			ck_assert_int_eq(memcmp(&at, &block, sizeof(at)), 0);
		}
		first += block.size;
		index++;
	}
	ck_assert_uint_eq(index, geometry_blocks(&g));
	ck_assert_uint_eq(index, 29);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("geometry");
	TCase *tc = tcase_create("geometry");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, bad_geometries_are_refused);
	tcase_add_test(tc, lists_of_blocks);
	tcase_add_test(tc, malformed_lists);
	tcase_add_test(tc, every_offset_is_in_its_block);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
