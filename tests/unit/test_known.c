/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records of the VARS files that guests have used: each system call fails
 * alone, or with all later ones, as when the process is killed.  A call that
 * succeeds has synced everything, the record is never torn, and no failure
 * makes a record disappear.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pflash/known.h"
#include "support_store.h"

#define OLD "/srv/vars/old.fd"
#define NEW "/srv/vars/new.fd"

static struct error err;
static const char *parent, *directory;

static void
setup(void)
{
	scratch_make();
	parent = scratch_path("lib");
	directory = scratch_path("lib/known");
	ck_assert_int_eq(setenv("PFLASH_KNOWN_DIR", directory, 1), 0);
}

static void
forget_all(void)
{
	const char *const names[] = { "old.fd", "new.fd", "old.fd%new",
				      "new.fd%new" };
	char path[300];

	for (int i = 0; i < 4; i++) {
		(void)snprintf(path, sizeof(path), "%s/srv-vars-%s", directory,
			       names[i]);
		(void)unlink(path);
	}
	(void)rmdir(directory);
	(void)rmdir(parent);
}

static void
teardown(void)
{
	forget_all();
	scratch_remove();
}

/* The files of the flash OLD or NEW, of which only the path of VARS is used. */
static const struct files *
files_of(const char *vars)
{
	static struct files files[2];
	struct files *of = &files[strcmp(vars, NEW) == 0];

	of->name[FILES_VARS] = vars;
	return of;
}

static bool
is_known(const char *vars)
{
	int rc = known_check(NULL, files_of(vars), &err);

	ck_assert(rc == 0 || rc == -EEXIST);
	return rc == -EEXIST;
}

static bool
is_moved(const char *vars)
{
	return is_known(vars) && strstr(err.text, "was moved to " NEW);
}

/* The operations; each can be repeated after a failure. */

static int
add(const struct sys *sys)
{
	return known_add(sys, files_of(OLD), &err);
}

static int
move(const struct sys *sys)
{
	return known_move(sys, files_of(OLD), files_of(NEW), &err);
}

static int
forget(const struct sys *sys)
{
	bool found;

	return known_forget(sys, files_of(OLD), &found, &err);
}

static void
prepare_nothing(void)
{
}

static void
prepare_record(void)
{
	ck_assert_int_eq(known_add(NULL, files_of(OLD), &err), 0);
}

static void
check_added(bool done)
{
	ck_assert(is_known(OLD) || !done);
	ck_assert(!is_moved(OLD));
}

static void
check_kept(bool done)
{
	(void)done;
	ck_assert(is_known(OLD) && !is_moved(OLD));
}

static void
check_moved(bool done)
{
	ck_assert(is_known(OLD));
	ck_assert(is_moved(OLD) || !done);
	/* The new place is known before the old one names it. */
	ck_assert(is_known(NEW) || !is_moved(OLD));
}

static void
check_forgotten(bool done)
{
	ck_assert(!done || !is_known(OLD));
}

static const struct operation {
	void (*prepare)(void);
	int (*call)(const struct sys *sys);
	void (*check)(bool done);
	unsigned int calls; /* at least */
} operations[] = {
	{ prepare_nothing, add, check_added, 12 },
	{ prepare_record, add, check_kept, 6 },
	{ prepare_record, move, check_moved, 20 },
	{ prepare_record, forget, check_forgotten, 4 },
	{ prepare_nothing, forget, check_forgotten, 2 },
};

#define OPERATIONS ((int)(sizeof(operations) / sizeof(operations[0])))

static void
fail_each_call(const struct operation *operation, bool persistent, int error)
{
	unsigned int n = 0, hits;
	int rc;

	do {
		forget_all();
		operation->prepare();
		fault = (struct fault){ .nth = ++n,
					.error = error,
					.persistent = persistent };
		err.text[0] = '\0';
		rc = operation->call(&sys_faulty);
		hits = fault.hits;
		if (rc < 0)
			ck_assert_str_ne(err.text, "");
		operation->check(rc == 0);
		ck_assert_msg(operation->call(NULL) == 0, "call %u: %s", n,
			      err.text);
		operation->check(true);
	} while (hits);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(n, operation->calls);
}

START_TEST(every_call_fails)
{
	const int errors[] = { EIO, ENOSPC, EACCES };

	for (int i = 0; i < 6; i++)
		fail_each_call(&operations[_i], i % 2, errors[i / 2]);
}
END_TEST

/* A write that stops in the middle is no record. */
START_TEST(a_torn_record_is_never_read)
{
	for (int kind = FAULT_TORN; kind <= FAULT_SHORT; kind++) {
		forget_all();
		prepare_record();
		fault = (struct fault){ .nth = 1,
					.only = CALL_WRITE,
					.kind = (enum fault_kind)kind,
					.error = EIO };
		ck_assert_int_lt(known_move(&sys_faulty, files_of(OLD),
					    files_of(NEW), &err),
				 0);
		ck_assert_uint_gt(fault.hits, 0);
		ck_assert(!is_known(NEW));
		check_kept(true);
	}
}
END_TEST

/* A read in parts finds the same record. */
START_TEST(a_record_is_read_whole)
{
	ck_assert_int_eq(known_move(NULL, files_of(OLD), files_of(NEW), &err),
			 0);
	fault = (struct fault){ .nth = 1,
				.kind = FAULT_SHORT,
				.persistent = true };
	ck_assert_int_eq(known_check(&sys_faulty, files_of(OLD), &err),
			 -EEXIST);
	ck_assert_uint_gt(fault.hits, 0);
	ck_assert_ptr_nonnull(strstr(err.text, "was moved to " NEW));
}
END_TEST

/* A record that cannot be read permits no new VARS file. */
START_TEST(a_failed_check_permits_nothing)
{
	unsigned int n = 0;
	int rc;

	prepare_record();
	do {
		fault = (struct fault){ .nth = ++n, .error = EIO };
		rc = known_check(&sys_faulty, files_of(OLD), &err);
		ck_assert_int_lt(rc, 0);
	} while (fault.hits);
	ck_assert_int_eq(rc, -EEXIST);
	ck_assert_uint_gt(n, 3);
}
END_TEST

/* A call that finds its work done must sync: an earlier one may not have. */
START_TEST(every_success_syncs_the_directories)
{
	const struct operation *operation = &operations[_i];

	for (int i = 0; i < 2; i++) {
		forget_all();
		operation->prepare();
		if (i)
			ck_assert_int_eq(operation->call(NULL), 0);
		fault = (struct fault){ .nth = 1,
					.only = CALL_SYNC_DIRECTORY,
					.error = EIO,
					.persistent = true };
		(void)mkdir(parent, 0700);
		(void)mkdir(directory, 0700);
		ck_assert_int_eq(operation->call(&sys_faulty), -EIO);
		ck_assert_uint_gt(fault.hits, 0);
	}
}
END_TEST

START_TEST(a_record_is_synced_before_it_has_its_name)
{
	fault = (struct fault){ .nth = 1, .only = CALL_SYNC, .error = EIO };
	ck_assert_int_eq(add(&sys_faulty), -EIO);
	ck_assert(!is_known(OLD));
}
END_TEST

START_TEST(names_of_the_new_directories_are_synced)
{
	unsigned int n = 0;

	do {
		forget_all();
		fault = (struct fault){ .nth = ++n,
					.only = CALL_SYNC_DIRECTORY,
					.error = EIO };
		(void)add(&sys_faulty);
	} while (fault.hits);
	/* The parent's name, the directory's name, the record's name. */
	ck_assert_uint_eq(n - 1, 3);
}
END_TEST

START_TEST(a_directory_that_cannot_be_made)
{
	blob_write(parent, "a file", 6);
	ck_assert_int_eq(add(NULL), -ENOTDIR);
	ck_assert_ptr_nonnull(strstr(err.text, "lib"));
	ck_assert_int_eq(unlink(parent), 0);
	ck_assert_int_eq(add(NULL), 0);
}
END_TEST

static Suite *
known_suite(void)
{
	Suite *suite = suite_create("known");
	TCase *tc = tcase_create("known");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, every_call_fails, 0, OPERATIONS);
	tcase_add_test(tc, a_torn_record_is_never_read);
	tcase_add_test(tc, a_record_is_read_whole);
	tcase_add_test(tc, a_failed_check_permits_nothing);
	tcase_add_loop_test(tc, every_success_syncs_the_directories, 0,
			    OPERATIONS);
	tcase_add_test(tc, a_record_is_synced_before_it_has_its_name);
	tcase_add_test(tc, names_of_the_new_directories_are_synced);
	tcase_add_test(tc, a_directory_that_cannot_be_made);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(known_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
