/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Injects a fault at the Nth system call, for every N until no call is left,
 * while a store is opened (with and without a journal to recover), used and
 * closed. The sequence of operations leads through known states, one per burst;
 * each fault must leave one of the allowed states.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_store.h"

#define BLOCK 4096u
#define SIZE (2 * BLOCK)
#define OPERATIONS 15u
#define BURST_LENGTH 3u

struct scenario {
	enum store_sync sync;
	bool journal; /* there is a journal to recover */
	bool history; /* false: every checkpoint makes a new journal */
};

static const struct scenario scenarios[] = {
	{ STORE_SYNC_BURST, false, true },  { STORE_SYNC_BURST, true, true },
	{ STORE_SYNC_OP, false, true },     { STORE_SYNC_OP, true, true },
	{ STORE_SYNC_NONE, false, true },   { STORE_SYNC_NONE, true, true },
	{ STORE_SYNC_BURST, false, false }, { STORE_SYNC_BURST, true, false },
	{ STORE_SYNC_OP, true, false },     { STORE_SYNC_NONE, true, false },
};

#define SCENARIOS ((int)(sizeof(scenarios) / sizeof(scenarios[0])))

/* The initial files of the scenario, and the states that it goes through. */
static struct blob first_vars, first_journal;
static uint8_t states[OPERATIONS + 1][SIZE];
static unsigned int last_state;
static struct error err;

/* Operation number `i`; change_store() does the same to a store. */
static uint32_t
operation(unsigned int i, uint8_t *data, uint32_t *len)
{
	*len = i % 4 == 3 ? BLOCK : 20 + i;
	memset(data, (int)(0x40 + i), *len);
	return i % 4 == 3 ? BLOCK * (i / 4 % 2) : i * 529;
}

static int
change_store(struct store *store, unsigned int i)
{
	uint8_t data[BLOCK];
	uint32_t len, off = operation(i, data, &len);

	if (i % 4 == 3)
		return store_erase(store, off, len);
	return store_program(store, off, data, len);
}

static void
change_image(uint8_t *image, unsigned int i)
{
	uint8_t data[BLOCK];
	uint32_t len, off = operation(i, data, &len);

	if (i % 4 == 3)
		memset(data, 0xff, len);
	memcpy(image + off, data, len);
}

static bool
ends_burst(const struct scenario *scenario, unsigned int i)
{
	return scenario->sync == STORE_SYNC_OP ||
	       i % BURST_LENGTH == BURST_LENGTH - 1;
}

static void
open_store(struct store **store, const struct sys *sys, enum store_sync sync,
	   bool history, int *rc)
{
	const struct store_history none = { .bytes = 0 };
	struct store_config config = {
		.path = scratch_path("VARS"),
		.sync = sync,
		.journal_limit = 500,
		.history = history ? NULL : &none,
		.sys = sys,
	};

	err.text[0] = '\0';
	*rc = store_open(store, &config, NULL, &err);
}

/* Makes a journal with one burst, as a killed process leaves it. */
static void
make_journal(void)
{
	struct store *store;
	int rc;

	open_store(&store, &sys_unsynced, STORE_SYNC_BURST, true, &rc);
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(store_program(store, 4000, "recovered", 9), 0);
	ck_assert_int_eq(store_commit(store), 0);
	first_journal = blob_read(scratch_path("VARS.journal"));
	memcpy(states[0], store_image(store), SIZE);
	ck_assert_int_eq(store_close(store), 0);
}

static void
prepare(const struct scenario *scenario)
{
	memset(states[0], 0xff, SIZE);
	first_vars = blob_copy(states[0], SIZE);
	blob_write(scratch_path("VARS"), first_vars.data, SIZE);
	if (scenario->journal)
		make_journal();
	last_state = 0;
	for (unsigned int i = 0; i < OPERATIONS; i++) {
		if (!i || ends_burst(scenario, i - 1))
			memcpy(states[last_state + 1], states[last_state],
			       SIZE);
		change_image(states[last_state + 1], i);
		last_state += ends_burst(scenario, i);
	}
}

static void
restore(const struct scenario *scenario)
{
	blob_write(scratch_path("VARS"), first_vars.data, first_vars.len);
	(void)unlink(scratch_path("VARS.journal"));
	if (scenario->journal)
		blob_write(scratch_path("VARS.journal"), first_journal.data,
			   first_journal.len);
}

/* Returns the state from..to that the image has; fails the test if none. */
static unsigned int
find_state(const uint8_t *image, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i <= to && i <= last_state; i++)
		if (!memcmp(image, states[i], SIZE))
			return i;
	ck_abort_msg("call %u: the image is none of the states %u to %u",
		     fault.nth, from, to);
	return 0;
}

/* Does all operations, up to the first error; counts the bursts answered. */
static int
use_store(struct store *store, const struct scenario *scenario,
	  unsigned int *answered)
{
	int rc = 0;

	for (unsigned int i = 0; !rc && i < OPERATIONS; i++) {
		rc = change_store(store, i);
		if (!rc && ends_burst(scenario, i))
			rc = store_commit(store);
		if (!rc)
			*answered += ends_burst(scenario, i);
		ck_assert(store_verify(store));
	}
	return rc;
}

/* Returns the first state that a reopened store may have. */
static unsigned int
run(const struct scenario *scenario)
{
	unsigned int answered = 0, state;
	struct store *store;
	int rc, closed;

	open_store(&store, &sys_faulty, scenario->sync, scenario->history, &rc);
	if (rc) {
		ck_assert_ptr_nonnull(strstr(err.text, "pflash-test"));
		ck_assert_int_ne(rc, -EUCLEAN);
		return 0;
	}
	rc = use_store(store, scenario, &answered);
	state = find_state(store_image(store), answered, answered + !!rc);
	ck_assert_int_eq(store_failed(store), rc);
	ck_assert_int_eq(!rc, !store_failure(store)[0]);
	closed = store_close(store);
	if (rc)
		ck_assert_int_eq(closed, rc);
	return state;
}

static void
check_reopened(unsigned int from, unsigned int to)
{
	uint8_t *image;
	size_t size;
	struct store *store;
	int rc;

	rc = store_export(NULL, scratch_path("VARS"), &image, &size, &err);
	ck_assert_msg(rc == 0, "call %u: export: %s", fault.nth, err.text);
	open_store(&store, &sys_unsynced, STORE_SYNC_BURST, true, &rc);
	ck_assert_msg(rc == 0, "call %u: %s", fault.nth, err.text);
	find_state(store_image(store), from, to);
	ck_assert_mem_eq(store_image(store), image, SIZE);
	free(image);
	ck_assert_int_eq(store_close(store), 0);
}

static void
fail_each_call(const struct scenario *scenario, const struct fault *template)
{
	unsigned int n = 0, state, hits;

	do {
		restore(scenario);
		fault = *template;
		fault.nth = ++n;
		state = run(scenario);
		hits = fault.hits;
		check_reopened(state, hits ? state + 1 : state);
	} while (hits);
	ck_assert_uint_eq(state, last_state);
	ck_assert_uint_gt(n, 30);
}

static void
setup(void)
{
	scratch_make();
}

static void
teardown(void)
{
	scratch_remove();
	blob_free(&first_vars);
	blob_free(&first_journal);
}

START_TEST(every_call_fails)
{
	const int errors[] = { EIO, ENOSPC, EPERM };

	prepare(&scenarios[_i]);
	for (int i = 0; i < 6; i++) {
		struct fault template = {
			.kind = FAULT_ERROR,
			.error = errors[i / 2],
			.persistent = i % 2,
		};
		fail_each_call(&scenarios[_i], &template);
	}
}
END_TEST

START_TEST(every_write_is_torn)
{
	struct fault template = { .kind = FAULT_TORN, .error = ENOSPC };
	unsigned int n = 0, state;

	prepare(&scenarios[_i]);
	do {
		restore(&scenarios[_i]);
		fault = template;
		fault.nth = ++n;
		state = run(&scenarios[_i]);
		check_reopened(state, state + 1);
	} while (fault.calls >= n);
	ck_assert_uint_eq(state, last_state);
}
END_TEST

/* For disturbances that no caller may notice. */
static void
disturb_each_call(const struct scenario *scenario, enum fault_kind kind)
{
	unsigned int n = 0;

	do {
		restore(scenario);
		fault = (struct fault){ .kind = kind, .nth = ++n };
		ck_assert_uint_eq(run(scenario), last_state);
		check_reopened(last_state, last_state);
	} while (fault.calls >= n);
}

START_TEST(every_transfer_is_short)
{
	prepare(&scenarios[_i]);
	disturb_each_call(&scenarios[_i], FAULT_SHORT);
}
END_TEST

START_TEST(every_call_is_interrupted)
{
	prepare(&scenarios[_i]);
	disturb_each_call(&scenarios[_i], FAULT_EINTR);
}
END_TEST

static Suite *
faults_suite(void)
{
	Suite *suite = suite_create("faults");
	TCase *tc = tcase_create("faults");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_call_fails, 0, SCENARIOS);
	tcase_add_loop_test(tc, every_write_is_torn, 0, SCENARIOS);
	tcase_add_loop_test(tc, every_transfer_is_short, 0, SCENARIOS);
	tcase_add_loop_test(tc, every_call_is_interrupted, 0, SCENARIOS);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(faults_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
