/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests how pflashctl selftest reads the guest's report, and judges files. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "selftest_report.h"

#define SIZE 0x20000u

static struct report report;
static uint8_t image[SIZE];

static void
setup(void)
{
	memset(&report, 0, sizeof(report));
	memset(image, 0xff, sizeof(image));
}

static void
line(const char *text)
{
	report_line(&report, text, strlen(text));
}

static void
put_round(uint64_t round, unsigned int bytes)
{
	uint8_t *block = image + (round % 2 ? REPORT_ROUND_ODD :
					      REPORT_ROUND_EVEN);

	memset(block, 0xff, REPORT_ROUND_BYTES);
	for (unsigned int i = 0; i < bytes; i++)
		block[i] = (uint8_t)(round + i);
}

START_TEST(words)
{
	line("# ready\r");
	ck_assert(report.ready && !report.ended);
	line("# sizes ok");
	ck_assert(report.sizes_ok);
	line("# measured");
	ck_assert(report.measured);
	line("# end");
	ck_assert(report.ended);
}
END_TEST

START_TEST(rounds)
{
	line("# round 7");
	ck_assert_uint_eq(report.round, 7);
	line("# rounds ok 6");
	ck_assert(!report.rounds_ok);
	line("# rounds ok 7\r");
	ck_assert(report.rounds_ok);
	ck_assert_uint_eq(report.round, 7);
	line("# rounds failed 9");
	ck_assert_uint_eq(report.round, 7);
}
END_TEST

START_TEST(cycles)
{
	line("# cycles write 1200");
	line("# cycles write-p90 1300");
	line("# cycles write-asleep 5000");
	line("# cycles write-asleep-p90 6000");
	line("# cycles array-read 3");
	ck_assert_uint_eq(report.cycles[REPORT_WRITE].median, 1200);
	ck_assert_uint_eq(report.cycles[REPORT_WRITE].p90, 1300);
	ck_assert_uint_eq(report.cycles[REPORT_ASLEEP].median, 5000);
	ck_assert_uint_eq(report.cycles[REPORT_ASLEEP].p90, 6000);
	ck_assert_uint_eq(report.cycles[REPORT_READ].median, 3);
	ck_assert_uint_eq(report.cycles[REPORT_RAM_READ].median, 0);
}
END_TEST

START_TEST(first_failure_is_kept)
{
	line("# failed: a read at 10010 wanted 11 got ff");
	line("# failed: another");
	ck_assert_str_eq(report.failure, "a read at 10010 wanted 11 got ff");
}
END_TEST

START_TEST(exception_is_a_failure)
{
	line("# exception 14 stack 0 1000");
	ck_assert_str_eq(report.failure, "14 stack 0 1000");
}
END_TEST

static const char *const nonsense[] = {
	"",
	"#",
	"# ",
	"ready",
	"# READY",
	"# ready now",
	"# sizes failed",
	"# round",
	"# round ",
	"# round -1",
	"# round 1x",
	"# round 99999999999999999999",
	"# rounds ok",
	"# cycles",
	"# cycles write",
	"# cycles write ",
	"# cycles write x",
	"# cycles write-p90",
	"# cycles writes 5",
	"# cycles unknown 5",
	"# cycles write 18446744073709551616",
	"# ended",
};

START_TEST(other_lines_are_ignored)
{
	static const struct report empty;

	line(nonsense[_i]);
	ck_assert_mem_eq(&report, &empty, sizeof(report));
}
END_TEST

START_TEST(long_line_with_any_bytes)
{
	char text[1000];

	memset(text, 0xfe, sizeof(text));
	memcpy(text, "# failed: ", 10);
	text[20] = '\0';
	report_line(&report, text, sizeof(text));
	ck_assert_uint_eq(strlen(report.failure), sizeof(report.failure) - 1);
}
END_TEST

START_TEST(reported_round_is_kept)
{
	put_round(5, REPORT_ROUND_BYTES);
	put_round(4, REPORT_ROUND_BYTES);
	ck_assert_int_eq(report_judge(image, SIZE, 5), REPORT_KEPT);
	put_round(6, REPORT_ROUND_BYTES);
	ck_assert_int_eq(report_judge(image, SIZE, 5), REPORT_KEPT);
}
END_TEST

START_TEST(first_rounds)
{
	ck_assert_int_eq(report_judge(image, SIZE, 0), REPORT_KEPT);
	put_round(1, REPORT_ROUND_BYTES);
	ck_assert_int_eq(report_judge(image, SIZE, 1), REPORT_KEPT);
}
END_TEST

START_TEST(lost_round)
{
	put_round(4, REPORT_ROUND_BYTES);
	put_round(3, REPORT_ROUND_BYTES);
	ck_assert_int_eq(report_judge(image, SIZE, 5), REPORT_LOST);
	put_round(5, REPORT_ROUND_BYTES - 1);
	ck_assert_int_eq(report_judge(image, SIZE, 5), REPORT_LOST);
}
END_TEST

START_TEST(torn_round)
{
	put_round(5, REPORT_ROUND_BYTES);
	put_round(6, (unsigned int)_i);
	ck_assert_int_eq(report_judge(image, SIZE, 5), REPORT_TORN);
}
END_TEST

START_TEST(small_image_has_no_round)
{
	put_round(4, REPORT_ROUND_BYTES);
	ck_assert(report_has_round(image, SIZE, 4));
	ck_assert(!report_has_round(image, REPORT_ROUND_EVEN + 31, 4));
	ck_assert(!report_has_round(image, 0, 5));
}
END_TEST

START_TEST(measurements_have_names)
{
	for (int i = 0; i < REPORT_CYCLES; i++) {
		ck_assert_uint_gt(strlen(report_cycles_name(i)), 0);
		ck_assert_uint_le(strlen(report_cycles_text(i)), 33);
	}
}
END_TEST

static Suite *
selftest_suite(void)
{
	Suite *suite = suite_create("selftest");
	TCase *tc = tcase_create("report");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, words);
	tcase_add_test(tc, rounds);
	tcase_add_test(tc, cycles);
	tcase_add_test(tc, first_failure_is_kept);
	tcase_add_test(tc, exception_is_a_failure);
	tcase_add_loop_test(tc, other_lines_are_ignored, 0,
			    sizeof(nonsense) / sizeof(nonsense[0]));
	tcase_add_test(tc, long_line_with_any_bytes);
	tcase_add_test(tc, reported_round_is_kept);
	tcase_add_test(tc, first_rounds);
	tcase_add_test(tc, lost_round);
	tcase_add_loop_test(tc, torn_round, 0, REPORT_ROUND_BYTES);
	tcase_add_test(tc, small_image_has_no_round);
	tcase_add_test(tc, measurements_have_names);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(selftest_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
