/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests store_release() and store_retake(): a file moves from one store to
 * another and back, as when a guest migrates on one host, or fails to arrive.
 * Only one store has the file at a time, and a store that retakes it finds its
 * image unchanged or fails.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_store.h"

#define BLOCK 4096u
#define SIZE (4 * BLOCK)

static struct error err;

static void
setup(void)
{
	static uint8_t blank[SIZE];

	scratch_make();
	memset(blank, 0xff, sizeof(blank));
	ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), blank, SIZE,
				     &err),
			 0);
}

static void
teardown(void)
{
	scratch_remove();
}

static int
try_open(struct store **store, const struct sys *sys, bool read_only)
{
	const struct store_config config = {
		.path = scratch_path("VARS"),
		.sys = sys,
		.read_only = read_only,
	};

	return store_open(store, &config, NULL, &err);
}

static struct store *
open_store(void)
{
	struct store *store;

	ck_assert_int_eq(try_open(&store, &sys_faulty, false), 0);
	return store;
}

static void
program(struct store *store, uint32_t off, const char *text)
{
	ck_assert_int_eq(store_program(store, off, text,
				       (uint32_t)strlen(text)),
			 0);
	ck_assert(store_verify(store));
}

static void
close_store(struct store *store)
{
	ck_assert(store_verify(store));
	ck_assert_int_eq(store_close(store), 0);
}

static void
release(struct store *store)
{
	ck_assert_int_eq(store_release(store, &err), 0);
	ck_assert(store_released(store));
	ck_assert(store_verify(store));
}

/* Returns how many open descriptors are files of the scratch directory. */
static unsigned int
descriptors(void)
{
	char link[300], target[512];
	unsigned int count = 0;
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	ssize_t len;

	while ((entry = readdir(dir))) {
		snprintf(link, sizeof(link), "/proc/self/fd/%s", entry->d_name);
		len = readlink(link, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
		count += strstr(target, "VARS") != NULL;
	}
	closedir(dir);
	return count;
}

static void
keep(struct store *store, const char *tag)
{
	struct store_state kept = { .len = 1 };

	strcpy(kept.tag, tag);
	ck_assert_int_eq(store_save_state(store, &kept, &err), 0);
}

static void
holds(uint32_t off, const char *text)
{
	struct blob vars = blob_read(scratch_path("VARS"));

	ck_assert_uint_eq(vars.len, SIZE);
	ck_assert_mem_eq(vars.data + off, text, strlen(text));
	blob_free(&vars);
}

START_TEST(one_has_it_at_a_time)
{
	struct store *source = open_store(), *target = NULL;

	ck_assert_uint_eq(descriptors(), 2);
	program(source, 10, "committed by the release");
	ck_assert_int_eq(try_open(&target, NULL, false), -EBUSY);
	release(source);
	release(source);
	ck_assert_uint_eq(descriptors(), 0);
	holds(10, "committed by the release");
	ck_assert_int_eq(try_open(&target, NULL, false), 0);
	ck_assert_int_eq(store_retake(source, false, &err), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "in use by"));
	ck_assert(store_released(source) && !store_failed(source));
	close_store(target);
	ck_assert_int_eq(store_retake(source, false, &err), 0);
	ck_assert(!store_released(source));
	ck_assert_uint_eq(descriptors(), 2);
	ck_assert_int_eq(try_open(&target, NULL, false), -EBUSY);
	program(source, 4096, "and on");
	close_store(source);
	holds(4096, "and on");
	close_store(open_store());
}
END_TEST

START_TEST(nothing_is_done_without_it)
{
	struct store *source = open_store();
	unsigned int calls;
	struct store_state kept = { .len = 1 };

	program(source, 0, "x");
	release(source);
	calls = fault.calls;
	ck_assert_int_eq(store_program(source, 1, "y", 1), -EBUSY);
	ck_assert_int_eq(store_erase(source, 0, BLOCK), -EBUSY);
	ck_assert_int_eq(store_commit(source), 0);
	ck_assert_int_eq(store_checkpoint(source), 0);
	ck_assert_int_eq(store_save_state(source, &kept, &err), -EBUSY);
	ck_assert(store_verify(source));
	ck_assert_uint_eq(store_image(source)[0], 'x');
	ck_assert_uint_eq(store_image(source)[1], 0xff);
	ck_assert_int_eq(store_close(source), 0);
	ck_assert_uint_eq(fault.calls, calls);
}
END_TEST

/* The source must fail, and must not change the files of the target. */
static void
is_stale(struct store *source)
{
	struct blob before = blob_read(scratch_path("VARS")), after;
	struct blob journal = blob_read(scratch_path("VARS.journal"));

	ck_assert_int_eq(store_retake(source, false, &err), -ESTALE);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS: was changed"));
	ck_assert_str_eq(err.text, store_failure(source));
	ck_assert_int_eq(store_failed(source), -ESTALE);
	ck_assert(store_verify(source) && !store_released(source));
	ck_assert_uint_eq(descriptors(), 0);
	ck_assert_int_eq(store_program(source, 1, "y", 1), -ESTALE);
	ck_assert_int_eq(store_close(source), -ESTALE);
	after = blob_read(scratch_path("VARS"));
	ck_assert(blob_equal(&after, before.data, before.len));
	blob_free(&after);
	after = blob_read(scratch_path("VARS.journal"));
	ck_assert(blob_equal(&after, journal.data, journal.len));
	blob_free(&after);
	blob_free(&before);
	blob_free(&journal);
}

/* _i: 1: the burst is only in the journal, because its process was killed. */
START_TEST(what_another_has_changed_is_not_served)
{
	struct store *source = open_store(), *target;

	release(source);
	target = open_store();
	program(target, 3, "z");
	ck_assert_int_eq(store_commit(target), 0);
	if (_i) {
		fault = (struct fault){ .nth = fault.calls + 1,
					.persistent = true,
					.error = EIO };
		(void)store_close(target);
		memset(&fault, 0, sizeof(fault));
	} else {
		close_store(target);
	}
	is_stale(source);
}
END_TEST

START_TEST(what_another_has_kept_is_not_served)
{
	struct store *source = open_store(), *target;

	keep(source, "first");
	release(source);
	ck_assert_int_eq(store_retake(source, false, &err), 0);
	release(source);
	target = open_store();
	keep(target, "second");
	close_store(target);
	is_stale(source);
}
END_TEST

/* The image is unchanged for the guest; the newer journal is accepted. */
START_TEST(the_same_image_is_served)
{
	struct store *source = open_store(), *target;

	release(source);
	target = open_store();
	program(target, 3, "z");
	ck_assert_int_eq(store_commit(target), 0);
	ck_assert_int_eq(store_erase(target, 0, BLOCK), 0);
	close_store(target);
	ck_assert_int_eq(store_retake(source, false, &err), 0);
	program(source, 5, "on");
	close_store(source);
	target = open_store();
	ck_assert_mem_eq(store_image(target), "\xff\xff\xff\xff\xffon", 7);
	close_store(target);
}
END_TEST

static uint64_t
written_by_a_commit(struct store *store)
{
	uint64_t before = store_stats(store)->written;

	program(store, 0, "x");
	ck_assert_int_eq(store_commit(store), 0);
	return store_stats(store)->written - before;
}

START_TEST(what_is_written_is_counted_on)
{
	struct store *source = open_store();

	ck_assert_uint_eq(written_by_a_commit(source), BLOCK);
	release(source);
	ck_assert_int_eq(store_retake(source, false, &err), 0);
	ck_assert_uint_eq(written_by_a_commit(source), BLOCK);
	close_store(source);
}
END_TEST

START_TEST(the_last_attempt_fails)
{
	struct store *source = open_store(), *target;

	program(source, 0, "known");
	release(source);
	target = open_store();
	ck_assert_int_eq(store_retake(source, true, &err), -EBUSY);
	ck_assert(!store_released(source) && store_verify(source));
	ck_assert_int_eq(store_failed(source), -EBUSY);
	ck_assert_ptr_nonnull(strstr(store_failure(source), "in use by"));
	ck_assert_mem_eq(store_image(source), "known", 5);
	/* The failure is final. */
	close_store(target);
	ck_assert_int_eq(store_retake(source, false, &err), 0);
	ck_assert_int_eq(store_program(source, 0, "x", 1), -EBUSY);
	ck_assert_int_eq(store_close(source), -EBUSY);
}
END_TEST

START_TEST(a_file_that_is_gone)
{
	struct store *source = open_store();

	release(source);
	ck_assert_int_eq(rename(scratch_path("VARS"), scratch_path("else")), 0);
	ck_assert_int_eq(store_retake(source, false, &err), -ENOENT);
	ck_assert_int_eq(store_failed(source), -ENOENT);
	ck_assert_int_eq(store_close(source), -ENOENT);
}
END_TEST

START_TEST(a_store_that_had_failed)
{
	struct store *source = open_store(), *target;

	program(source, 0, "x");
	fault = (struct fault){ .nth = 1, .error = ENOSPC };
	ck_assert_int_eq(store_commit(source), -ENOSPC);
	memset(&fault, 0, sizeof(fault));
	release(source);
	target = open_store();
	ck_assert_int_eq(store_retake(source, false, &err), 0);
	ck_assert_int_eq(store_failed(source), -ENOSPC);
	ck_assert_int_eq(store_close(source), -ENOSPC);
	close_store(target);
}
END_TEST

START_TEST(one_that_only_reads)
{
	struct store *source, *target;

	close_store(open_store());
	ck_assert_int_eq(try_open(&source, NULL, true), 0);
	release(source);
	target = open_store();
	ck_assert_int_eq(store_retake(source, false, &err), -EBUSY);
	close_store(target);
	ck_assert_int_eq(store_retake(source, false, &err), 0);
	ck_assert_int_eq(try_open(&target, NULL, false), -EBUSY);
	ck_assert_int_eq(store_program(source, 1, "y", 1), -EROFS);
	ck_assert_int_eq(store_close(source), 0);
}
END_TEST

/*
 * Makes the Nth call of a release or retake fail, for every N. In each case the
 * next store that opens the file must find all committed bursts.
 */
static void
every_call_fails(bool of_retake, enum fault_kind kind)
{
	unsigned int n = 0, calls;

	do {
		struct store *source = open_store();
		char text[16];
		int rc;

		snprintf(text, sizeof(text), "round %u", n);
		ck_assert_int_eq(store_erase(source, 0, BLOCK), 0);
		program(source, 7, text);
		ck_assert_int_eq(store_commit(source), 0);
		if (of_retake)
			release(source);
		fault = (struct fault){ .kind = kind,
					.nth = ++n,
					.error = EIO };
		rc = of_retake ? store_retake(source, false, &err) :
				 store_release(source, &err);
		calls = fault.calls;
		memset(&fault, 0, sizeof(fault));
		ck_assert(store_released(source) == !of_retake);
		ck_assert(store_verify(source));
		if (!of_retake && rc && store_failed(source))
			ck_assert_uint_eq(descriptors(), 0);
		if (of_retake)
			ck_assert(rc == store_failed(source));
		if (rc == 0 && of_retake)
			program(source, 100, "works");
		ck_assert(store_close(source) == 0 || rc);
		source = open_store();
		ck_assert_mem_eq(store_image(source) + 7, text, strlen(text));
		close_store(source);
	} while (calls >= n);
	ck_assert_uint_gt(n, 5);
}

static const enum fault_kind kinds[] = { FAULT_ERROR, FAULT_TORN };

START_TEST(every_call_of_a_release_fails)
{
	for (unsigned int i = 0; i < 2; i++)
		every_call_fails(false, kinds[i]);
}
END_TEST

START_TEST(every_call_of_a_retake_fails)
{
	for (unsigned int i = 0; i < 2; i++)
		every_call_fails(true, kinds[i]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("release");
	TCase *tc = tcase_create("release");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, one_has_it_at_a_time);
	tcase_add_test(tc, nothing_is_done_without_it);
	tcase_add_loop_test(tc, what_another_has_changed_is_not_served, 0, 2);
	tcase_add_test(tc, what_another_has_kept_is_not_served);
	tcase_add_test(tc, the_same_image_is_served);
	tcase_add_test(tc, what_is_written_is_counted_on);
	tcase_add_test(tc, the_last_attempt_fails);
	tcase_add_test(tc, a_file_that_is_gone);
	tcase_add_test(tc, a_store_that_had_failed);
	tcase_add_test(tc, one_that_only_reads);
	tcase_add_test(tc, every_call_of_a_release_fails);
	tcase_add_test(tc, every_call_of_a_retake_fails);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
