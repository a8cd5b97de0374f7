/* SPDX-License-Identifier: BSD-2-Clause */
/* The token bucket of --write-limit, by a clock of the test's own. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/daemon/limit.h"

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

/* One large write overdraws it; the next one waits for all of that. */
START_TEST(what_is_overdrawn_is_waited_for)
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

START_TEST(no_more_than_full)
{
	now += 1e6;
	ck_assert(limit_allows(&limit, 700 + 50000, now));
	ck_assert(!limit_allows(&limit, 700 + 51000, now));
}
END_TEST

/* Whoever writes whenever it may gets the rate, and the burst once. */
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
	ck_assert_uint_eq(limit.times, 0);
}
END_TEST

START_TEST(another_process_goes_on)
{
	char path[] = "/tmp/test_limit.XXXXXX";
	struct limit next;

	close(mkstemp(path));
	ck_assert_int_eq(limit_keep(&limit, open(path, O_RDWR), now), 0);
	ck_assert(!limit_allows(&limit, 700 + 60000, now));
	/* This one is killed here. */
	now += 4;
	limit_init(&next, &config, 33, now);
	ck_assert_int_eq(limit_keep(&next, open(path, O_RDWR), now), 0);
	ck_assert(!limit_allows(&next, 33, now));
	ck_assert_double_eq_tol(limit_wait(&next, now), 6, 0.01);
	now += 7;
	ck_assert(limit_allows(&next, 33, now));
	ck_assert(!limit_close(&next, now));
	/* A smaller bucket than it was, and then a full one. */
	limit_init(&next, &config, 0, now + 1000);
	ck_assert_int_eq(limit_keep(&next, open(path, O_RDWR), now + 1000), 0);
	ck_assert(limit_close(&next, now + 1000));
	/* Of another clock. */
	limit_init(&next, &config, 0, 10);
	ck_assert_int_eq(limit_keep(&next, open(path, O_RDWR), 10), 0);
	ck_assert(!limit_allows(&next, 60000, 10));
	limit_init(&next, &config, 0, 3);
	ck_assert_int_eq(limit_keep(&next, open(path, O_RDWR), 3), 0);
	ck_assert(limit_allows(&next, 50000, 3));
	ck_assert(!limit_close(&next, 3));
	ck_assert_int_eq(limit_keep(&next, open("/dev/null", O_RDWR), 3),
			 -EINVAL);
	(void)unlink(path);
	limit_close(&limit, now);
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
	tcase_add_test(tc, what_is_overdrawn_is_waited_for);
	tcase_add_test(tc, no_more_than_full);
	tcase_add_test(tc, rate_in_the_long_run);
	tcase_add_test(tc, off_is_no_limit);
	tcase_add_test(tc, another_process_goes_on);
	tcase_add_test(tc, texts);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
