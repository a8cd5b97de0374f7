/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests when an open burst is committed, when bursts are synced, and when a
 * checkpoint is made.
 */
#include <check.h>
#include <stdlib.h>

#include "pflash/quiet.h"

#define SETTLE 5.0

static const struct quiet_work nothing = { false, 0, false };
static const struct quiet_work open_burst = { true, 0, false };
static const struct quiet_work behind = { false, 0, true };
static struct quiet quiet;

static struct quiet_work
unsynced(uint64_t first)
{
	return (struct quiet_work){ false, first, true };
}

static void
setup(void)
{
	quiet_init(&quiet, SETTLE);
}

static void
expect(struct quiet_due due, bool commit, bool sync)
{
	ck_assert_int_eq(due.commit, commit);
	ck_assert_int_eq(due.sync, sync);
}

static void
expect_wait(double wait, double now)
{
	ck_assert_double_eq_tol(quiet_wait(&quiet, now), wait, 1e-6);
}

START_TEST(without_work_there_is_no_timer)
{
	ck_assert(!quiet_note(&quiet, nothing, 5, 100));
	ck_assert(quiet_wait(&quiet, 100) < 0);
	ck_assert(quiet_note(&quiet, unsynced(7), 6, 100));
	ck_assert(!quiet_note(&quiet, nothing, 7, 100.01));
	ck_assert(quiet_wait(&quiet, 100.01) < 0);
}
END_TEST

START_TEST(open_burst_is_committed_when_the_guest_is_quiet)
{
	ck_assert(quiet_note(&quiet, open_burst, 5, 100));
	expect_wait(1.0, 100);
	ck_assert(!quiet_note(&quiet, open_burst, 6, 100.5));
	expect(quiet_expired(&quiet, 6, false, 101), false, false);
	expect_wait(1.0, 101);
	/* A busy guest waits for an answer: it has not become quiet. */
	expect(quiet_expired(&quiet, 6, true, 102), false, false);
	expect(quiet_expired(&quiet, 6, false, 102.9), false, true);
	expect_wait(0.1, 102.9);
	expect(quiet_expired(&quiet, 6, false, 103), true, true);
}
END_TEST

START_TEST(bursts_are_synced_when_the_guest_is_quiet)
{
	ck_assert(quiet_note(&quiet, unsynced(7), 5, 100));
	expect_wait(0.1, 100);
	expect(quiet_expired(&quiet, 5, false, 100.05), false, false);
	expect_wait(0.05, 100.05);
	expect(quiet_expired(&quiet, 6, false, 100.1), false, false);
	expect_wait(0.1, 100.1);
	expect(quiet_expired(&quiet, 6, false, 100.2), false, true);
	ck_assert(!quiet_note(&quiet, nothing, 6, 100.2));
	ck_assert(quiet_wait(&quiet, 100.2) < 0);
}
END_TEST

/* The guest never stops writing, and may wait for the throttle. */
static void
write_until_the_deadline(bool busy)
{
	double now = 100;
	uint64_t writes = 0;

	ck_assert(quiet_note(&quiet, unsynced(7), writes, now));
	for (unsigned int timers = 1;; timers++) {
		double wait = quiet_wait(&quiet, now);
		struct quiet_due due;

		ck_assert(wait >= 0 && wait <= QUIET_SYNC + 1e-6);
		ck_assert_uint_le(timers,
				  1 + (int)(QUIET_SYNC_LATEST / QUIET_SYNC));
		now += wait;
		writes += !busy;
		due = quiet_expired(&quiet, writes, busy, now);
		ck_assert(!due.commit && !due.checkpoint);
		ck_assert(!quiet_note(&quiet, unsynced(7), writes, now));
		if (due.sync)
			break;
	}
	ck_assert_double_eq_tol(now, 100 + QUIET_SYNC_LATEST, 1e-6);
}

START_TEST(writing_guest_is_synced_at_the_deadline)
{
	write_until_the_deadline(_i);
}
END_TEST

/* A sync in between gives the next burst that waits its own deadline. */
START_TEST(deadline_is_that_of_the_first_unsynced_burst)
{
	ck_assert(quiet_note(&quiet, unsynced(7), 1, 100));
	ck_assert(!quiet_note(&quiet, unsynced(7), 2, 101));
	ck_assert(quiet_note(&quiet, unsynced(9), 3, 101.5));
	expect(quiet_expired(&quiet, 4, false, 102), false, false);
	expect(quiet_expired(&quiet, 5, false, 103.5), false, true);
}
END_TEST

/* The timer of an open burst is too slow for a sync. */
START_TEST(a_burst_to_sync_starts_the_timer_anew)
{
	ck_assert(quiet_note(&quiet, open_burst, 1, 100));
	ck_assert(quiet_note(&quiet, unsynced(7), 9, 100.8));
	expect_wait(0.1, 100.8);
	expect(quiet_expired(&quiet, 9, false, 100.9), false, true);
}
END_TEST

/* Another burst is open all the time: only its commit takes longer. */
START_TEST(both_wait)
{
	const struct quiet_work both = { true, 7, false };

	ck_assert(quiet_note(&quiet, both, 1, 100));
	expect_wait(0.1, 100);
	expect(quiet_expired(&quiet, 1, false, 100.1), false, true);
	ck_assert(!quiet_note(&quiet, open_burst, 1, 100.1));
	expect_wait(0.9, 100.1);
	expect(quiet_expired(&quiet, 1, false, 101), true, true);
	ck_assert(!quiet_note(&quiet, nothing, 1, 101));
	ck_assert(quiet_wait(&quiet, 101) < 0);
}
END_TEST

static void
expect_checkpoint(struct quiet_due due, bool checkpoint)
{
	ck_assert_int_eq(due.checkpoint, checkpoint);
}

/* The time of --settle begins with the last write, not with an expiry. */
START_TEST(quiet_guest_gets_a_checkpoint)
{
	ck_assert(quiet_note(&quiet, behind, 5, 100));
	expect_wait(5, 100);
	ck_assert(!quiet_note(&quiet, behind, 6, 103));
	expect_checkpoint(quiet_expired(&quiet, 6, false, 105), false);
	ck_assert(!quiet_note(&quiet, behind, 6, 105));
	expect_wait(3, 105);
	expect_checkpoint(quiet_expired(&quiet, 6, false, 108), true);
	ck_assert(!quiet_note(&quiet, nothing, 6, 108));
	ck_assert(quiet_wait(&quiet, 108) < 0);
}
END_TEST

/* After the last write: a sync, a checkpoint, and no timer after that. */
START_TEST(timer_expires_twice_and_never_again)
{
	double now = 100;

	ck_assert(quiet_note(&quiet, unsynced(7), 5, now));
	now += quiet_wait(&quiet, now);
	expect(quiet_expired(&quiet, 5, false, now), false, true);
	ck_assert(!quiet_note(&quiet, behind, 5, now));
	now += quiet_wait(&quiet, now);
	ck_assert_double_eq_tol(now, 100 + SETTLE, 1e-6);
	expect_checkpoint(quiet_expired(&quiet, 5, false, now), true);
	ck_assert(!quiet_note(&quiet, nothing, 5, now));
	ck_assert(quiet_wait(&quiet, now + 1000) < 0);
}
END_TEST

/* Reads are no writes: they do not put the checkpoint off. */
START_TEST(reading_guest_is_quiet)
{
	ck_assert(quiet_note(&quiet, behind, 5, 100));
	for (unsigned int i = 1; i < 50; i++)
		ck_assert(!quiet_note(&quiet, behind, 5, 100 + i / 10.0));
	expect_checkpoint(quiet_expired(&quiet, 5, false, 105), true);
}
END_TEST

/* The journal's limit alone makes checkpoints then. */
START_TEST(writing_guest_gets_no_checkpoint)
{
	unsigned int timers = 0;
	uint64_t writes = 1;
	double now = 100;

	ck_assert(quiet_note(&quiet, behind, writes, now));
	for (double end = now; now < 3700; timers++) {
		for (end += quiet_wait(&quiet, now); now < end; now += 4)
			(void)quiet_note(&quiet, behind, ++writes, now);
		expect_checkpoint(quiet_expired(&quiet, writes, false, now),
				  false);
		end = now;
	}
	/* The timer is not started anew for a write. */
	ck_assert_uint_le(timers, 3600 / 4 + 1);
}
END_TEST

START_TEST(throttled_guest_gets_no_checkpoint)
{
	ck_assert(quiet_note(&quiet, behind, 5, 100));
	expect_checkpoint(quiet_expired(&quiet, 5, true, 105), false);
	expect_wait(5, 105);
	expect_checkpoint(quiet_expired(&quiet, 5, false, 110), true);
}
END_TEST

/* A burst that begins while a checkpoint waits has its own, shorter time. */
START_TEST(open_burst_is_committed_before_the_checkpoint)
{
	struct quiet_due due;

	ck_assert(quiet_note(&quiet, behind, 5, 100));
	ck_assert(quiet_note(&quiet, open_burst, 6, 102));
	expect_wait(1, 102);
	due = quiet_expired(&quiet, 6, false, 103);
	ck_assert(due.commit && !due.checkpoint);
	ck_assert(!quiet_note(&quiet, behind, 6, 103));
	expect_wait(4, 103);
	expect_checkpoint(quiet_expired(&quiet, 6, false, 107), true);
}
END_TEST

/* The shortest time: the commit and the checkpoint are due at once. */
START_TEST(shortest_time)
{
	struct quiet_due due;

	quiet_init(&quiet, QUIET_SETTLE_LEAST);
	ck_assert(quiet_note(&quiet, open_burst, 6, 102));
	due = quiet_expired(&quiet, 6, false, 103);
	ck_assert(due.commit && due.checkpoint);
}
END_TEST

/* A process that took over counts from its start. */
START_TEST(work_of_an_earlier_process_waits)
{
	ck_assert(quiet_note(&quiet, behind, 0, 100));
	expect_wait(5, 100);
	expect_checkpoint(quiet_expired(&quiet, 0, false, 104.9), false);
	expect_checkpoint(quiet_expired(&quiet, 0, false, 105), true);
}
END_TEST

static Suite *
quiet_suite(void)
{
	Suite *suite = suite_create("quiet");
	TCase *tc = tcase_create("quiet");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, without_work_there_is_no_timer);
	tcase_add_test(tc, open_burst_is_committed_when_the_guest_is_quiet);
	tcase_add_test(tc, bursts_are_synced_when_the_guest_is_quiet);
	tcase_add_loop_test(tc, writing_guest_is_synced_at_the_deadline, 0, 2);
	tcase_add_test(tc, deadline_is_that_of_the_first_unsynced_burst);
	tcase_add_test(tc, a_burst_to_sync_starts_the_timer_anew);
	tcase_add_test(tc, both_wait);
	tcase_add_test(tc, quiet_guest_gets_a_checkpoint);
	tcase_add_test(tc, timer_expires_twice_and_never_again);
	tcase_add_test(tc, reading_guest_is_quiet);
	tcase_add_test(tc, writing_guest_gets_no_checkpoint);
	tcase_add_test(tc, throttled_guest_gets_no_checkpoint);
	tcase_add_test(tc, open_burst_is_committed_before_the_checkpoint);
	tcase_add_test(tc, shortest_time);
	tcase_add_test(tc, work_of_an_earlier_process_waits);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(quiet_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
