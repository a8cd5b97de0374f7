/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two hosts share the files of a flash. The first host loses its lock, as on
 * NFS after the lease, and the second host uses the files. The first host must
 * then change nothing, and no process may take over its guest. Both hosts are
 * stores of this process; the system calls of the test play the server of the
 * network file system.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_store.h"

#define BLOCK 4096u
#define SIZE (4 * BLOCK)

static struct error err;
static struct store_trail trail;

/* The first host; `lost`: its locks are lost. */
static struct sys first_host;
static bool lost;
static void (*before_rename)(void);
static unsigned int renames;

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

/* --- what the server does for the first host --- */

static ssize_t
first_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	if (!lost)
		return sys_kernel.pwrite(fd, buf, len, off);
	errno = EIO;
	return -1;
}

static int
first_fdatasync(int fd)
{
	if (!lost)
		return sys_kernel.fdatasync(fd);
	errno = EIO;
	return -1;
}

/* The name of a file does not belong to a lock: the server renames it. */
static int
first_rename(const char *from, const char *to, unsigned int flags)
{
	renames++;
	if (before_rename)
		before_rename();
	return sys_kernel.rename(from, to, flags);
}

/* The second host gets the locks, because the first one has lost them. */
static int
second_lock(int fd, int cmd, struct flock *lock)
{
	if (lost)
		return 0;
	return sys_kernel.lock(fd, cmd, lock);
}

static struct store *
open_on(bool first, bool history, struct store_trail *noted)
{
	static const struct store_history none = { 0 };
	static struct sys second_host;
	struct store_config config = {
		.path = scratch_path("VARS"),
		.sys = first ? &first_host : &second_host,
		.history = history ? NULL : &none,
		.trail = noted,
	};
	struct store *store;

	first_host = second_host = sys_kernel;
	first_host.pwrite = first_pwrite;
	first_host.fdatasync = first_fdatasync;
	first_host.rename = first_rename;
	second_host.lock = second_lock;
	return store_open(&store, &config, NULL, &err) ? NULL : store;
}

static void
program(struct store *store, uint32_t off, const char *text)
{
	ck_assert_int_eq(store_program(store, off, text,
				       (uint32_t)strlen(text)),
			 0);
	ck_assert_int_eq(store_commit(store), 0);
}

static void
holds(uint32_t off, const char *text)
{
	struct store *store = open_on(false, true, NULL);

	ck_assert_msg(store != NULL, "%s", err.text);
	ck_assert_mem_eq(store_image(store) + off, text, strlen(text));
	ck_assert_int_eq(store_close(store), 0);
}

static bool
exists(const char *name)
{
	return access(scratch_path(name), F_OK) == 0;
}

/* --- names of files --- */

static struct store *second;

/* The second host takes the files, and its guest writes. */
static void
second_takes(void)
{
	before_rename = NULL;
	lost = true;
	second = open_on(false, true, NULL);
	ck_assert_msg(second != NULL, "%s", err.text);
	program(second, 0, "second");
}

/* The lock is lost between the last write and the rename of a new journal. */
START_TEST(late_rename_of_a_journal_fails)
{
	struct store *store = open_on(true, false, NULL);

	program(store, BLOCK, "first");
	before_rename = second_takes;
	renames = 0;
	ck_assert_int_eq(store_checkpoint(store), 0);
	ck_assert_uint_eq(renames, 1);
	ck_assert_int_eq(store_program(store, BLOCK, "x", 1), 0);
	ck_assert_int_eq(store_commit(store), -EIO);
	ck_assert_int_ne(store_failed(store), 0);
	program(second, 10, "goes on");
	(void)store_close(store);
	ck_assert_int_eq(store_close(second), 0);
	holds(0, "second");
	holds(10, "goes on");
	holds(BLOCK, "first");
}
END_TEST

START_TEST(late_rename_of_a_state_fails)
{
	const struct store_state state = { .tag = "first", .len = 3 };
	struct store *store = open_on(true, true, NULL);

	before_rename = second_takes;
	renames = 0;
	ck_assert_int_eq(store_save_state(store, &state, &err), -ENOENT);
	ck_assert_uint_eq(renames, 1);
	ck_assert(!exists("VARS.state"));
	(void)store_close(store);
	ck_assert_int_eq(store_close(second), 0);
	holds(0, "second");
}
END_TEST

/* The lock is lost earlier: nothing is renamed, and nothing is removed. */
START_TEST(no_rename_without_the_lock)
{
	const struct store_state state = { .tag = "first", .len = 3 };
	struct store *store = open_on(true, false, NULL);

	program(store, BLOCK, "first");
	second_takes();
	renames = 0;
	lost = false; /* what is written to new files */
	ck_assert_int_eq(store_save_state(store, &state, &err), 0);
	ck_assert_uint_eq(renames, 1);
	lost = true;
	ck_assert_int_eq(store_save_state(store, &state, &err), -EIO);
	ck_assert_uint_eq(renames, 1);
	ck_assert_int_lt(store_close(store), 0);
	ck_assert_int_eq(store_close(second), 0);
	holds(0, "second");
}
END_TEST

START_TEST(unfinished_files_are_removed_at_the_open)
{
	struct store *store;

	blob_write(scratch_path("VARS.journal.new"), "half", 4);
	blob_write(scratch_path("VARS.state.new"), "half", 4);
	store = open_on(false, true, NULL);
	ck_assert_msg(store != NULL, "%s", err.text);
	ck_assert(!exists("VARS.journal.new") && !exists("VARS.state.new"));
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/*
 * The server has renamed the file and then restarted: the client repeats the
 * call, and gets ENOENT.
 */
static int
repeated_rename(const char *from, const char *to, unsigned int flags)
{
	ck_assert_int_eq(sys_kernel.rename(from, to, flags), 0);
	return sys_kernel.rename(from, to, flags);
}

START_TEST(repeated_rename_is_no_failure)
{
	struct store *store = open_on(true, false, NULL);

	first_host.rename = repeated_rename;
	program(store, BLOCK, "one");
	ck_assert_int_eq(store_checkpoint(store), 0);
	program(store, BLOCK, "two");
	/* As if the process were killed here. */
	ck_assert_int_eq(fork() ? 0 : (_exit(0), 0), 0);
	lost = true;
	holds(BLOCK, "two");
}
END_TEST

/* --- who may take over a guest --- */

/*
 * The first host's process dies: its descriptors close. The trail outlives it.
 */
static void
first_dies(struct store *store)
{
	lost = true;
	(void)store_program(store, 2 * BLOCK, "x", 1);
	(void)store_close(store);
	lost = false;
}

START_TEST(unchanged_files_are_taken_over)
{
	struct store *store = open_on(true, true, &trail);

	for (unsigned int i = 0; i < 5; i++) {
		program(store, BLOCK + 8 * i, "first");
		first_dies(store);
		/* Another one looks at them, and changes nothing. */
		if (i == 2)
			ck_assert_int_eq(store_close(open_on(false, true,
							     NULL)),
					 0);
		store = open_on(true, true, &trail);
		ck_assert_msg(store != NULL, "%s", err.text);
	}
	ck_assert_int_eq(store_close(store), 0);
	store = open_on(true, false, &trail);
	ck_assert_msg(store != NULL, "%s", err.text);
	program(store, BLOCK + 100, "first");
	ck_assert_int_eq(store_checkpoint(store), 0); /* a new journal */
	first_dies(store);
	store = open_on(true, true, &trail);
	ck_assert_msg(store != NULL, "%s", err.text);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* _i: 1: the second host also makes a new journal. */
START_TEST(changed_files_are_not_taken_over)
{
	struct store *store = open_on(true, true, &trail), *other;

	program(store, BLOCK, "first");
	first_dies(store);
	other = open_on(false, _i == 0, NULL);
	program(other, 0, "second");
	ck_assert_int_eq(store_close(other), 0);
	ck_assert_ptr_null(open_on(true, true, &trail));
	ck_assert_ptr_nonnull(strstr(err.text, "changed by another process"));
	holds(0, "second");
}
END_TEST

/* Bursts that were in the page cache only are lost with the lock. */
START_TEST(lost_bursts_are_not_taken_over)
{
	struct store *store = open_on(true, true, &trail);
	struct blob journal, vars;

	ck_assert_int_eq(store_close(store), 0);
	journal = blob_read(scratch_path("VARS.journal"));
	vars = blob_read(scratch_path("VARS"));
	store = open_on(true, true, &trail);
	program(store, BLOCK, "first");
	program(store, BLOCK + 10, "first");
	first_dies(store);
	blob_write(scratch_path("VARS.journal"), journal.data, journal.len);
	blob_write(scratch_path("VARS"), vars.data, vars.len);
	ck_assert_ptr_null(open_on(true, true, &trail));
	ck_assert_ptr_nonnull(strstr(err.text, "changed by another process"));
	blob_free(&journal);
	blob_free(&vars);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("split");
	TCase *names = tcase_create("names"), *guests = tcase_create("guests");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(names, setup, teardown);
	tcase_add_test(names, late_rename_of_a_journal_fails);
	tcase_add_test(names, late_rename_of_a_state_fails);
	tcase_add_test(names, no_rename_without_the_lock);
	tcase_add_test(names, unfinished_files_are_removed_at_the_open);
	tcase_add_test(names, repeated_rename_is_no_failure);
	suite_add_tcase(suite, names);
	tcase_add_checked_fixture(guests, setup, teardown);
	tcase_add_test(guests, unchanged_files_are_taken_over);
	tcase_add_loop_test(guests, changed_files_are_not_taken_over, 0, 2);
	tcase_add_test(guests, lost_bursts_are_not_taken_over);
	suite_add_tcase(suite, guests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
