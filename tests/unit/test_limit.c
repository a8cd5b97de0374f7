/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the token bucket, with a simulated clock. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "limit.h"

static const struct limit_config config = { .rate = 1000, .burst = 50000 };
static struct limit limit;
static double now;

static void
setup(void)
{
	now = 5000;
	limit_init(&limit, &config, 700, now);
}

START_TEST(full_at_first)
{
	ck_assert(limit_is_quiet(&limit, 700));
	ck_assert(!limit_is_quiet(&limit, 701));
	ck_assert(limit_allows(&limit, 700 + 50000, now));
	ck_assert(limit_is_quiet(&limit, 700 + 50000));
	ck_assert(!limit_allows(&limit, 700 + 50001, now));
	ck_assert(!limit_is_quiet(&limit, 700 + 50001));
}
END_TEST

/*
 * A large write overdraws the bucket; the next one waits for all of the debt.
 */
START_TEST(overdraft_is_waited_for)
{
	ck_assert(!limit_allows(&limit, 700 + 60000, now));
	ck_assert_double_eq_tol(limit_wait(&limit, now), 10, 0.01);
	now += 9;
	ck_assert(!limit_allows(&limit, 700 + 60000, now));
	ck_assert_double_eq_tol(limit_wait(&limit, now), 1, 0.01);
	now += limit_wait(&limit, now);
	ck_assert(limit_allows(&limit, 700 + 60000, now));
	ck_assert_double_eq(limit_wait(&limit, now), 0);
	ck_assert_uint_eq(limit.times, 1);
	ck_assert_double_eq_tol(limit_waited(&limit, now + 5), 10, 0.01);
}
END_TEST

START_TEST(bucket_does_not_overflow)
{
	now += 1e6;
	ck_assert(limit_allows(&limit, 700 + 50000, now));
	ck_assert(!limit_allows(&limit, 700 + 51000, now));
}
END_TEST

/* A guest that writes whenever it may gets the rate, and the burst once. */
START_TEST(rate_in_the_long_run)
{
	uint64_t written = 700;
	double end = now + 1000;

	while (now < end) {
		written += 4096;
		if (!limit_allows(&limit, written, now))
			now += limit_wait(&limit, now);
		else
			now += 0.0001;
		ck_assert(limit_allows(&limit, written, now));
	}
	ck_assert_uint_ge(written - 700, 1000 * 1000);
	ck_assert_uint_le(written - 700, 1000 * 1000 + 50000 + 2 * 4096);
	ck_assert_uint_gt(limit.times, 100);
	ck_assert_double_gt(limit_waited(&limit, now), 900);
}
END_TEST

START_TEST(off_is_no_limit)
{
	struct limit_config off;
	struct error err;

	ck_assert_int_eq(limit_parse(&off, "off", &err), 0);
	limit_init(&limit, &off, 0, now);
	ck_assert(limit_allows(&limit, UINT64_MAX, now));
	ck_assert(limit_is_quiet(&limit, UINT64_MAX));
	ck_assert(limit_is_full(&limit, now));
	ck_assert_uint_eq(limit.times, 0);
}
END_TEST

/* The next process resumes from the level that the previous one left. */
static struct limit
resumed(double units, double when)
{
	const struct limit_level level = { units, when };
	struct limit next;

	limit_init(&next, &config, 33, now);
	limit_resume(&next, &level, now);
	return next;
}

START_TEST(next_process_resumes_the_level)
{
	struct limit next;

	ck_assert(!limit_allows(&limit, 700 + 60000, now));
	/* The process is killed here. */
	now += 4;
	next = resumed(limit.level.units, limit.level.when);
	ck_assert(!limit_is_full(&next, now));
	ck_assert(!limit_allows(&next, 33, now));
	ck_assert_double_eq_tol(limit_wait(&next, now), 6, 0.01);
	now += 7;
	ck_assert(limit_allows(&next, 33, now));
	ck_assert(!limit_is_full(&next, now));
	ck_assert(limit_is_full(&next, now + 1000));
}
END_TEST

/* Invalid numbers, and times in the future: the bucket starts full. */
START_TEST(invalid_levels_are_ignored)
{
	const struct limit_level bad[] = {
		{ (double)NAN, now },
		{ (double)INFINITY, now },
		{ -(double)INFINITY, now },
		{ -1000, (double)NAN },
		{ -1000, (double)INFINITY },
		{ -1000, -(double)INFINITY },
		{ -1000, -1 },
		{ -1000, now + 0.001 },
		{ -1000, 1e300 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct limit next = resumed(bad[i].units, bad[i].when);

		ck_assert_msg(limit_is_full(&next, now), "level %zu", i);
		ck_assert(limit_allows(&next, 33 + 50000, now));
		ck_assert(!limit_allows(&next, 33 + 50001, now));
	}
}
END_TEST

/* Neither debt nor credit of a resumed level exceeds its bound. */
START_TEST(level_is_bounded)
{
	const double most = (double)LIMIT_DEBT_MOST / 1000;
	struct limit next = resumed(-1e300, now);

	ck_assert(!limit_allows(&next, 33, now));
	ck_assert_double_eq_tol(limit_wait(&next, now), most, 0.01);
	ck_assert(limit_allows(&next, 33, now + most + 1));
	next = resumed(-1e300, 0);
	ck_assert_double_eq_tol(limit_wait(&next, now), most - now, 0.01);
	next = resumed(1e300, now);
	ck_assert(limit_allows(&next, 33 + 50000, now));
	ck_assert(!limit_allows(&next, 33 + 50001, now));
	/* The level of a larger bucket than this one. */
	next = resumed(50001, now);
	ck_assert(limit_is_full(&next, now));
	ck_assert_double_eq(next.level.units, 50000);
}
END_TEST

START_TEST(full_bucket_is_detected)
{
	ck_assert(limit_is_full(&limit, now));
	ck_assert(limit_allows(&limit, 701, now));
	ck_assert(!limit_is_full(&limit, now));
	ck_assert(limit_is_full(&limit, now + 0.002));
	ck_assert(limit_allows(&limit, 701 + 2000, now + 1));
	ck_assert(!limit_is_full(&limit, now + 2));
	ck_assert(limit_is_full(&limit, now + 3.01));
}
END_TEST

START_TEST(texts)
{
	static const struct {
		const char *text;
		uint64_t rate, burst;
	} good[] = {
		{ "off", 0, LIMIT_BURST },
		{ "4096", 4096, LIMIT_BURST },
		{ "128K", 128 << 10, LIMIT_BURST },
		{ "1M,1G", 1 << 20, 1 << 30 },
		{ "1024G,4K", UINT64_C(1) << 40, 4096 },
	};
	static const char *const bad[] = {
		"",
		"0",
		"x",
		"4095",
		"-1",
		"1025G",
		"128K,",
		"128K,x",
		"128KB",
		"1M,1M,1M",
		"128K 1M",
		",1M",
		"99999999999999999999",
		"18014398509481985K",
		"offf",
		"1M,4095",
	};
	struct limit_config got;
	struct error err;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_int_eq(limit_parse(&got, good[i].text, &err), 0);
		ck_assert_uint_eq(got.rate, good[i].rate);
		ck_assert_uint_eq(got.burst, good[i].burst);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(limit_parse(&got, bad[i], &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, bad[i]));
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("limit");
	TCase *tc = tcase_create("bucket");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, full_at_first);
	tcase_add_test(tc, overdraft_is_waited_for);
	tcase_add_test(tc, bucket_does_not_overflow);
	tcase_add_test(tc, rate_in_the_long_run);
	tcase_add_test(tc, off_is_no_limit);
	tcase_add_test(tc, next_process_resumes_the_level);
	tcase_add_test(tc, invalid_levels_are_ignored);
	tcase_add_test(tc, level_is_bounded);
	tcase_add_test(tc, full_bucket_is_detected);
	tcase_add_test(tc, texts);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
