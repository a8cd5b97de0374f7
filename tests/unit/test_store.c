/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the store through its interface: changes, commits, limits, locks,
 * errors.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_store.h"

#define BLOCK 4096u
#define SIZE (4 * BLOCK)

/* Sizes of header and record, and of the two records of a checkpoint. */
#define HEADER 64u
#define RECORD (48u + 4u)
#define FOLD (2 * (RECORD + 4u))

/* A new journal of a blank file: an erasing snapshot and a done record. */
#define FRESH (HEADER + RECORD + 8u + RECORD + 4u)

static uint8_t blank[SIZE];
static struct error err;

static void
setup(void)
{
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

static struct store *
open_with(const struct store_config *config)
{
	struct store *store = NULL;
	int rc = store_open(&store, config, NULL, &err);

	ck_assert_msg(rc == 0, "store_open: %d %s", rc, err.text);
	ck_assert(store_verify(store));
	return store;
}

static struct store *
open_default(void)
{
	struct store_config config = { .path = scratch_path("VARS") };

	return open_with(&config);
}

static size_t
journal_size(void)
{
	struct blob journal = blob_read(scratch_path("VARS.journal"));
	size_t len = journal.len;

	blob_free(&journal);
	return len;
}

static void
program(struct store *store, uint32_t off, const char *text)
{
	ck_assert_int_eq(store_program(store, off, text,
				       (uint32_t)strlen(text)),
			 0);
	ck_assert(store_verify(store));
}

/* Ends the store as a killed process would: the journal stays. */
static void
abandon(struct store *store, struct fault *armed)
{
	armed->nth = armed->calls + 1;
	armed->persistent = true;
	armed->error = EIO;
	(void)store_close(store);
	memset(armed, 0, sizeof(*armed));
}

static struct store *
open_faulty(enum store_sync sync)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.sync = sync,
		.sys = &sys_faulty,
	};

	return open_with(&config);
}

START_TEST(create_is_exclusive)
{
	static const uint8_t zeroes[SIZE];
	struct blob vars;

	ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), zeroes, SIZE,
				     &err),
			 -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS"));
	ck_assert_uint_eq(scratch_entries(), 1);
	vars = blob_read(scratch_path("VARS"));
	ck_assert(blob_equal(&vars, blank, SIZE));
	blob_free(&vars);
}
END_TEST

START_TEST(create_refuses_sizes)
{
	static const uint8_t large[STORE_MAX_SIZE + BLOCK];
	const size_t bad[] = { 0, 1, BLOCK - 1, BLOCK + 1, sizeof(large) };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(create_vars(NULL, scratch_path("new"), large,
					     bad[i], &err),
				 -EINVAL);
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

/*
 * A call that fails leaves no part of the file. Only a temporary file whose own
 * removal fails may stay.
 */
START_TEST(create_fails_whole)
{
	unsigned int n = 0, failures = 0;
	struct blob made;
	int rc;

	do {
		scratch_remove();
		scratch_make();
		fault = (struct fault){ .nth = ++n, .error = ENOSPC };
		rc = create_vars(&sys_faulty, scratch_path("new"), blank, SIZE,
				 &err);
		if (rc) {
			failures++;
			ck_assert_int_eq(rc, -ENOSPC);
			ck_assert_uint_eq(scratch_entries(), 0);
			continue;
		}
		ck_assert_uint_le(scratch_entries(), 1 + fault.hits);
		made = blob_read(scratch_path("new"));
		ck_assert(blob_equal(&made, blank, SIZE));
		blob_free(&made);
	} while (fault.hits);
	ck_assert_uint_eq(failures, 13);
	ck_assert_uint_eq(n, 16);
}
END_TEST

/* An operator may delete only VARS, to start again from a template. */
START_TEST(create_refuses_while_there_is_a_journal)
{
	struct blob journal;

	ck_assert_int_eq(store_close(open_default()), 0);
	journal = blob_read(scratch_path("VARS.journal"));
	ck_assert_int_eq(unlink(scratch_path("VARS")), 0);
	for (size_t len = 0; len <= journal.len; len += journal.len / 2) {
		blob_write(scratch_path("VARS.journal"), journal.data, len);
		ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), blank,
					     SIZE, &err),
				 -EUCLEAN);
		ck_assert_ptr_nonnull(
			strstr(err.text, "VARS.journal: is the journal of an "
					 "earlier "));
		ck_assert_uint_eq(scratch_entries(), 1);
	}
	ck_assert_int_eq(unlink(scratch_path("VARS.journal")), 0);
	ck_assert_int_eq(symlink("nowhere", scratch_path("VARS.journal")), 0);
	ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), blank, SIZE,
				     &err),
			 -ELOOP);
	ck_assert_int_eq(unlink(scratch_path("VARS.journal")), 0);
	ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), blank, SIZE,
				     &err),
			 0);
	blob_free(&journal);
}
END_TEST

static const struct {
	const char *name, *notice;
} leftovers[] = {
	{ "VARS.state", "VARS.state: is the chip's state of an earlier " },
	{ "VARS.next", "VARS.next: has changes for the next start of an "
		       "earlier " },
};

START_TEST(create_refuses_leftovers)
{
	const char *left = scratch_path(leftovers[_i].name);

	ck_assert_int_eq(unlink(scratch_path("VARS")), 0);
	blob_write(left, blank, 1);
	ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), blank, SIZE,
				     &err),
			 -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text, leftovers[_i].notice));
	ck_assert_uint_eq(scratch_entries(), 1);
	ck_assert_int_eq(unlink(left), 0);
	ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), blank, SIZE,
				     &err),
			 0);
}
END_TEST

START_TEST(create_without_a_random_name)
{
	no_random = true;
	ck_assert_int_eq(create_vars(NULL, scratch_path("new"), blank, SIZE,
				     &err),
			 -ENOSYS);
	no_random = false;
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

START_TEST(open_refuses_sizes)
{
	static const uint8_t bytes[BLOCK + 1];
	const size_t bad[] = { 0, 1, BLOCK - 1, BLOCK + 1 };
	struct store_config config = { .path = scratch_path("odd") };
	struct store *store;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		blob_write(config.path, bytes, bad[i]);
		ck_assert_int_eq(store_open(&store, &config, NULL, &err),
				 -EINVAL);
	}
	ck_assert_int_eq(access(scratch_path("odd.journal"), F_OK), -1);
	ck_assert_int_eq(truncate(config.path, STORE_MAX_SIZE + BLOCK), 0);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EINVAL);
	config.path = scratch_path("none");
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "none: No such file"));
}
END_TEST

START_TEST(changes_survive)
{
	struct store *store = open_default();
	uint8_t expected[SIZE];

	memcpy(expected, blank, SIZE);
	memcpy(expected + 10, "first", 5);
	memcpy(expected + BLOCK - 2, "across", 6);
	program(store, 10, "first");
	program(store, BLOCK - 2, "across");
	program(store, 2 * BLOCK, "gone");
	ck_assert_int_eq(store_erase(store, 2 * BLOCK, BLOCK), 0);
	ck_assert(store_pending(store));
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert(!store_pending(store) && store_verify(store));
	ck_assert_mem_eq(store_image(store), expected, SIZE);
	ck_assert_int_eq(store_close(store), 0);
	store = open_default();
	ck_assert_mem_eq(store_image(store), expected, SIZE);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* store_close() does a checkpoint: VARS alone has the whole image. */
START_TEST(close_leaves_a_raw_image)
{
	struct store *store = open_default();
	struct blob vars;

	program(store, SIZE - 3, "end");
	ck_assert_int_eq(store_close(store), 0);
	vars = blob_read(scratch_path("VARS"));
	ck_assert_uint_eq(vars.len, SIZE);
	ck_assert_mem_eq(vars.data + SIZE - 3, "end", 3);
	ck_assert_mem_eq(vars.data, blank, SIZE - 3);
	ck_assert_uint_eq(journal_size(), FRESH + RECORD + 8 + 3 + FOLD);
	blob_free(&vars);
}
END_TEST

/*
 * A changed byte counts as a block, because a disk wears by blocks; a change
 * across the end of a block counts as two.
 */
START_TEST(written_is_counted_in_blocks)
{
	struct store *store = open_default();
	const struct store_stats *stats = store_stats(store);
	struct store_state kept = { .len = 10 };
	uint64_t before = stats->written, now;

	program(store, 0, "1");
	ck_assert_int_eq(store_commit(store), 0);
	now = stats->written - before;
	ck_assert_uint_ge(now, 4096);
	ck_assert_uint_le(now, 2 * 4096);
	for (unsigned int i = 1; i < 100; i++) {
		program(store, i, "2");
		ck_assert_int_eq(store_commit(store), 0);
	}
	/* A record has 61 bytes, so one in 67 crosses the end of a block. */
	now = stats->written - before;
	ck_assert_uint_ge(now, 101 * 4096);
	ck_assert_uint_le(now, 103 * 4096);
	before = stats->written;
	ck_assert_int_eq(store_checkpoint(store), 0);
	ck_assert_uint_ge(stats->written - before, 3 * 4096);
	before = stats->written;
	ck_assert_int_eq(store_save_state(store, &kept, &err), 0);
	/* the state, and a byte of VARS (vars_hold()) */
	ck_assert_uint_eq(stats->written - before, 2 * 4096);
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_uint_eq(stats->written - before, 2 * 4096);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

START_TEST(journal_replays_after_a_kill)
{
	struct store *store = open_faulty(STORE_SYNC_BURST);
	struct store_config config = { .path = scratch_path("VARS") };
	struct store_recovery found;
	struct blob vars;

	program(store, 0, "one");
	ck_assert_int_eq(store_commit(store), 0);
	program(store, 100, "two");
	ck_assert_int_eq(store_commit(store), 0);
	program(store, 200, "never committed");
	abandon(store, &fault);
	vars = blob_read(scratch_path("VARS"));
	ck_assert(blob_equal(&vars, blank, SIZE));
	blob_free(&vars);
	ck_assert_int_eq(store_open(&store, &config, &found, &err), 0);
	ck_assert_uint_eq(found.bursts, 2);
	ck_assert_uint_eq(found.dropped_bytes, 0);
	ck_assert_mem_eq(store_image(store), "one", 3);
	ck_assert_mem_eq(store_image(store) + 100, "two", 3);
	ck_assert_mem_eq(store_image(store) + 200, blank, 15);
	ck_assert_uint_eq(journal_size(), FRESH + 2 * (RECORD + 8 + 3) + FOLD);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

START_TEST(ranges_are_checked)
{
	struct store *store = open_default();
	const uint32_t bad[][2] = {
		{ SIZE, 1 },       { SIZE - 1, 2 },   { 0, SIZE + 1 },
		{ UINT32_MAX, 1 }, { 1, UINT32_MAX }, { UINT32_MAX, 0 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(store_program(store, bad[i][0], blank,
					       bad[i][1]),
				 -EINVAL);
		ck_assert_int_eq(store_erase(store, bad[i][0], bad[i][1]),
				 -EINVAL);
	}
	ck_assert_int_eq(store_program(store, SIZE, blank, 0), 0);
	ck_assert_int_eq(store_erase(store, 0, 0), 0);
	ck_assert(!store_pending(store));
	ck_assert_int_eq(store_failed(store), 0);
	ck_assert_int_eq(store_erase(store, 0, SIZE), 0);
	ck_assert_int_eq(store_program(store, 0, blank, SIZE), 0);
	ck_assert(store_verify(store));
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/*
 * Consecutive bytes merge into one operation; a gap, a lower offset or an erase
 * ends it.
 */
START_TEST(contiguous_bytes_merge)
{
	struct store *store = open_default();
	size_t expected = FRESH + RECORD;

	for (uint32_t off = 0; off < 500; off++)
		program(store, off, "x");
	expected += 8 + 500;
	program(store, 501, "gap");
	program(store, 504, "joined");
	expected += 8 + 9;
	program(store, 501, "back");
	expected += 8 + 4;
	ck_assert_int_eq(store_erase(store, 505, 3), 0);
	program(store, 505, "again");
	expected += 8 + 8 + 5;
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_uint_eq(journal_size(), expected);
	program(store, 510, "new burst");
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_uint_eq(journal_size(), expected + 48 + 8 + 9 + 4);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

START_TEST(burst_limit_commits)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.burst_limit = 100,
	};
	struct store *store = open_with(&config);

	for (uint32_t off = 0; off < 92; off++)
		program(store, off, "x");
	ck_assert(store_pending(store));
	ck_assert_uint_eq(journal_size(), FRESH);
	program(store, 92, "x");
	ck_assert(!store_pending(store));
	ck_assert_uint_eq(journal_size(), FRESH + RECORD + 8 + 93);
	ck_assert_int_eq(store_program(store, 0, blank, SIZE), 0);
	ck_assert(!store_pending(store) && store_verify(store));
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

START_TEST(journal_limit_makes_a_checkpoint)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.journal_limit = RECORD + 8 + 4,
	};
	struct store *store = open_with(&config);
	struct blob vars;

	program(store, 7, "fold");
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_uint_eq(journal_size(), FRESH + RECORD + 8 + 4);
	program(store, 8000, "fold");
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_uint_eq(journal_size(), FRESH + 2 * (RECORD + 8 + 4) + FOLD);
	vars = blob_read(scratch_path("VARS"));
	ck_assert(blob_equal(&vars, store_image(store), SIZE));
	ck_assert_mem_eq(vars.data + 8000, "fold", 4);
	blob_free(&vars);
	ck_assert(store_verify(store));
	program(store, 9, "more");
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_uint_eq(journal_size(), FRESH + 3 * (RECORD + 8 + 4) + FOLD);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

START_TEST(sync_op_commits_each)
{
	struct store *store = open_faulty(STORE_SYNC_OP);
	unsigned int syncs = fault.syncs;

	program(store, 0, "a");
	program(store, 1, "b");
	ck_assert_int_eq(store_erase(store, BLOCK, BLOCK), 0);
	ck_assert(!store_pending(store));
	ck_assert_uint_eq(fault.syncs, syncs + 3);
	abandon(store, &fault);
	store = open_default();
	ck_assert_mem_eq(store_image(store), "ab", 2);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* Bursts are not synced, but all are synced before VARS is written. */
START_TEST(sync_none_syncs_only_to_fold)
{
	struct store *store = open_faulty(STORE_SYNC_NONE);
	unsigned int syncs = fault.syncs;

	program(store, 0, "a");
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_uint_eq(fault.syncs, syncs);
	ck_assert_uint_gt(journal_size(), FRESH);
	ck_assert_int_eq(store_checkpoint(store), 0);
	ck_assert_uint_eq(fault.syncs, syncs + 2);
	ck_assert_int_eq(store_checkpoint(store), 0);
	ck_assert_uint_eq(fault.syncs, syncs + 2);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

START_TEST(nothing_to_commit_is_free)
{
	struct store *store = open_faulty(STORE_SYNC_BURST);
	unsigned int calls = fault.calls;

	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_int_eq(store_checkpoint(store), 0);
	ck_assert_uint_eq(fault.calls, calls);
	program(store, 0, "no call either");
	ck_assert_uint_eq(fault.calls, calls);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* A failed commit is undone, and every later call returns its errno. */
START_TEST(failure_is_final)
{
	struct store *store = open_faulty(STORE_SYNC_BURST);
	uint8_t committed[SIZE];
	unsigned int calls;

	program(store, 0, "kept");
	ck_assert_int_eq(store_commit(store), 0);
	memcpy(committed, store_image(store), SIZE);
	program(store, 2, "undone");
	ck_assert_int_eq(store_erase(store, 0, 2 * BLOCK), 0);
	program(store, 3, "undone");
	fault = (struct fault){ .nth = 2, .error = EDQUOT };
	ck_assert_int_eq(store_commit(store), -EDQUOT);
	ck_assert_uint_eq(fault.hits, 1);
	ck_assert_mem_eq(store_image(store), committed, SIZE);
	ck_assert(store_verify(store) && !store_pending(store));
	calls = fault.calls;
	ck_assert_int_eq(store_program(store, 0, "x", 1), -EDQUOT);
	ck_assert_int_eq(store_erase(store, 0, BLOCK), -EDQUOT);
	ck_assert_int_eq(store_checkpoint(store), -EDQUOT);
	ck_assert_int_eq(store_failed(store), -EDQUOT);
	ck_assert_ptr_nonnull(strstr(store_failure(store), "VARS.journal"));
	ck_assert_ptr_nonnull(strstr(store_failure(store), strerror(EDQUOT)));
	ck_assert_mem_eq(store_image(store), committed, SIZE);
	ck_assert_uint_eq(fault.calls, calls);
	ck_assert_int_eq(store_close(store), -EDQUOT);
}
END_TEST

static int
open_in_child(void)
{
	struct store_config config = { .path = scratch_path("VARS") };
	struct store *store;
	char expected[64];
	int rc = store_open(&store, &config, NULL, &err);

	(void)snprintf(expected, sizeof(expected), "VARS: in use by pid %d (",
		       (int)getppid());
	return rc == -EBUSY && strstr(err.text, expected) ? 0 : 1;
}

START_TEST(second_writer_is_refused)
{
	struct store *store = open_default();
	int status;
	pid_t child;

	/*
	 * The error must name this process, not its parent, which runs all
	 * tests.
	 */
	ck_assert_int_eq(prctl(PR_SET_NAME, "writer"), 0);
	program(store, 0, "mine");
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child)
		_exit(open_in_child());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(status == 0, "no -EBUSY with the holder's pid");
	ck_assert_int_eq(store_close(store), 0);
	store = open_default();
	ck_assert_mem_eq(store_image(store), "mine", 4);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* A process with this name that locks VARS until it is killed. */
static void
work(const char *name, int ready)
{
	(void)prctl(PR_SET_NAME, name);
	(void)open_default();
	if (write(ready, "", 1) == 1)
		pause();
	_exit(1);
}

/* _i: 0: the worker has its parent's name, 1: another one. */
START_TEST(worker_names_its_supervisor)
{
	const char *const names[] = { "flash", "other" };
	struct store_config config = { .path = scratch_path("VARS") };
	struct store *store;
	char expected[64], byte;
	int ready[2];
	pid_t worker;

	ck_assert_int_eq(prctl(PR_SET_NAME, "flash"), 0);
	ck_assert_int_eq(pipe(ready), 0);
	worker = fork();
	ck_assert_int_ge(worker, 0);
	if (!worker)
		work(names[_i], ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	(void)snprintf(expected, sizeof(expected), "VARS: in use by pid %d (",
		       _i ? (int)worker : (int)getpid());
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EBUSY);
	ck_assert_msg(strstr(err.text, expected), "%s", err.text);
	ck_assert_int_eq(kill(worker, SIGKILL), 0);
	ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
	close(ready[0]);
	close(ready[1]);
}
END_TEST

/* Also after the first store has replaced its journal file. */
START_TEST(one_journal_is_for_one_file)
{
	const struct store_history none = { .bytes = 0 };
	const char *shared = scratch_path("shared.journal");
	struct store_config config = {
		.path = scratch_path("VARS"),
		.journal = shared,
		.history = &none,
	};
	struct store_config other = {
		.path = scratch_path("OTHER"),
		.journal = shared,
		.size = SIZE,
	};
	struct store *store, *second;

	ck_assert_int_eq(create_vars(NULL, other.path, blank, SIZE, &err), 0);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_int_eq(store_open(&second, &other, NULL, &err),
				 -EBUSY);
		ck_assert_ptr_nonnull(strstr(err.text, "shared.journal"));
		program(store, i, "m");
		ck_assert_int_eq(store_checkpoint(store), 0);
	}
	ck_assert_int_eq(store_close(store), 0);
	/*
	 * After the close the journal still belongs to the first file, and
	 * refuses a new one.
	 */
	ck_assert_int_eq(store_open(&second, &other, NULL, &err), -EUCLEAN);
	ck_assert_int_eq(unlink(other.path), 0);
	ck_assert_int_eq(store_create(&other, blank, &err), -EUCLEAN);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_mem_eq(store_image(store), "mmm", 3);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

START_TEST(journal_has_mode_and_owner_of_vars)
{
	struct stat st;

	ck_assert_int_eq(chmod(scratch_path("VARS"), 0640), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(chown(scratch_path("VARS"), 12, 34), 0);
	ck_assert_int_eq(stat(scratch_path("VARS"), &st), 0);
	ck_assert_int_eq(store_close(open_default()), 0);
	ck_assert_int_eq(stat(scratch_path("VARS.journal"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	if (geteuid() == 0)
		ck_assert(st.st_uid == 12 && st.st_gid == 34);
}
END_TEST

START_TEST(created_file_is_private)
{
	struct stat st;

	ck_assert_int_eq(stat(scratch_path("VARS"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_eq(st.st_nlink, 1);
}
END_TEST

START_TEST(journal_lies_beside_the_real_file)
{
	struct store_config config = { .path = scratch_path("link") };

	ck_assert_int_eq(symlink("VARS", config.path), 0);
	ck_assert_int_eq(store_close(open_with(&config)), 0);
	ck_assert_int_eq(access(scratch_path("VARS.journal"), F_OK), 0);
	ck_assert_int_eq(access(scratch_path("link.journal"), F_OK), -1);
}
END_TEST

START_TEST(journal_symlink_is_refused)
{
	struct store_config config = { .path = scratch_path("VARS") };
	struct store *store;

	blob_write(scratch_path("victim"), "precious", 8);
	ck_assert_int_eq(symlink("victim", scratch_path("VARS.journal")), 0);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -ELOOP);
}
END_TEST

START_TEST(journal_that_is_no_file_is_refused)
{
	struct store_config config = { .path = scratch_path("VARS") };
	struct store *store;

	ck_assert_int_eq(mkfifo(scratch_path("VARS.journal"), 0600), 0);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS.journal: not a regular"));
}
END_TEST

/* A copy may have made both files without syncing their names. */
START_TEST(opening_makes_the_names_durable)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.sys = &sys_faulty,
	};
	struct store *store;

	ck_assert_int_eq(store_close(open_default()), 0);
	fault = (struct fault){ .only = CALL_SYNC_DIRECTORY,
				.nth = 1,
				.error = EIO };
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EIO);
	ck_assert_uint_eq(fault.hits, 1);
}
END_TEST

START_TEST(check_free_tells_and_changes_nothing)
{
	struct store_config config = { .path = scratch_path("VARS") };
	struct store *store;

	ck_assert_int_eq(store_check_free(&config, &err), 0);
	ck_assert_uint_eq(scratch_entries(), 1);
	store = open_default();
	ck_assert_int_eq(store_check_free(&config, &err), -EBUSY);
	config.read_only = true;
	ck_assert_int_eq(store_check_free(&config, &err), -EBUSY);
	ck_assert_int_eq(store_close(store), 0);
	config.path = scratch_path("none");
	ck_assert_int_eq(store_check_free(&config, &err), -ENOENT);
}
END_TEST

/* Several readers at once; no change; the journal is replayed in memory. */
START_TEST(read_only_changes_nothing)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.read_only = true,
	};
	struct store *store = open_with(&config), *second, *third;
	struct blob journal, now;

	ck_assert_uint_eq(scratch_entries(), 1);
	second = open_with(&config);
	ck_assert_mem_eq(store_image(second), blank, SIZE);
	ck_assert_int_eq(store_program(store, 0, "x", 1), -EROFS);
	ck_assert_int_eq(store_erase(store, 0, 1), -EROFS);
	ck_assert_int_eq(store_replace(store, blank), -EROFS);
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_int_eq(store_failed(store), -EROFS);
	ck_assert_ptr_nonnull(strstr(store_failure(store), "VARS: read-only"));
	config.read_only = false;
	ck_assert_int_eq(store_open(&third, &config, NULL, &err), -EBUSY);
	ck_assert_int_eq(store_close(store), 0);
	ck_assert_int_eq(store_close(second), 0);

	store = open_faulty(STORE_SYNC_BURST);
	program(store, 9, "only in the journal");
	ck_assert_int_eq(store_commit(store), 0);
	abandon(store, &fault);
	journal = blob_read(scratch_path("VARS.journal"));
	config.read_only = true;
	store = open_with(&config);
	ck_assert_mem_eq(store_image(store) + 9, "only in the journal", 19);
	ck_assert_int_eq(store_close(store), 0);
	now = blob_read(scratch_path("VARS.journal"));
	ck_assert(blob_equal(&now, journal.data, journal.len));
	blob_free(&now);
	now = blob_read(scratch_path("VARS"));
	ck_assert(blob_equal(&now, blank, SIZE));
	blob_free(&now);
	blob_free(&journal);
}
END_TEST

START_TEST(replace_is_one_burst)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.burst_limit = UINT32_MAX,
	};
	struct store *store = open_with(&config);
	uint8_t image[SIZE];
	size_t before = journal_size();

	memset(image, 0xff, SIZE);
	ck_assert_int_eq(store_replace(store, image), 0);
	ck_assert(!store_pending(store));
	/*
	 * Differences that touch; with a gap of 8, which merge; and of 9, which
	 * do not.
	 */
	image[0] = image[1] = image[10] = image[20] = image[SIZE - 1] = 0;
	ck_assert_int_eq(store_replace(store, image), 0);
	ck_assert_mem_eq(store_image(store), image, SIZE);
	ck_assert(store_pending(store) && store_verify(store));
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_uint_eq(journal_size(), before + RECORD + 3 * 8 + 11 + 1 + 1);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

START_TEST(file_of_two_names_is_refused)
{
	struct store_config config = { .path = scratch_path("VARS") };
	struct store *store;

	ck_assert_int_eq(link(config.path, scratch_path("other")), 0);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EMLINK);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS: has 2 names"));
	config.journal = scratch_path("elsewhere");
	ck_assert_int_eq(store_close(open_with(&config)), 0);
	ck_assert_int_eq(access(scratch_path("elsewhere"), F_OK), 0);
	ck_assert_uint_eq(scratch_entries(), 3);
}
END_TEST

START_TEST(expected_size_is_checked)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.size = SIZE + BLOCK,
	};
	struct store *store;

	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "16384 bytes, expected 20480"));
	config.size = SIZE - BLOCK;
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EINVAL);
	config.size = SIZE;
	ck_assert_int_eq(store_close(open_with(&config)), 0);
	config.path = "/dev/null";
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "neither a regular file nor"));
}
END_TEST

/* A regular file that pretends to be a block device. */
static int
block_fstat(int fd, struct stat *st)
{
	int rc = fstat(fd, st);

	if (!rc && st->st_size >= (off_t)(SIZE + BLOCK)) {
		st->st_mode = (st->st_mode & ~(mode_t)S_IFMT) | S_IFBLK;
		st->st_size = 0;
	}
	return rc;
}

static off_t
no_lseek(int fd, off_t off, int whence)
{
	(void)fd;
	(void)off;
	(void)whence;
	errno = ESPIPE;
	return -1;
}

START_TEST(block_device_has_its_journal_elsewhere)
{
	static uint8_t device[SIZE + BLOCK + 100];
	struct sys sys = sys_kernel;
	struct store_config config = { .path = scratch_path("dev"),
				       .sys = &sys };
	struct store *store;
	struct blob now;

	sys.fstat = block_fstat;
	memset(device, 0x11, sizeof(device));
	blob_write(config.path, device, sizeof(device));
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EINVAL);
	ck_assert_ptr_nonnull(
		strstr(err.text, "a block device without room for a journal: "
				 "--journal must say"));
	config.journal = scratch_path("of-dev.journal");
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EINVAL);
	config.size = sizeof(device) + BLOCK;
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EINVAL);
	config.size = SIZE;
	store = open_with(&config);
	ck_assert_uint_eq(store_size(store), SIZE);
	program(store, SIZE - 3, "end");
	ck_assert_int_eq(store_close(store), 0);
	memcpy(device + SIZE - 3, "end", 3);
	now = blob_read(config.path);
	ck_assert(blob_equal(&now, device, sizeof(device)));
	ck_assert_int_eq(access(config.journal, F_OK), 0);
	blob_free(&now);
	sys.lseek = no_lseek;
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -ESPIPE);
}
END_TEST

static int
unknown_holder(int fd, char *command, size_t room)
{
	(void)fd, (void)command, (void)room;
	return 0;
}

/* _i: 0: the files cannot find the holder of a lock, 1: they find none. */
START_TEST(holder_without_a_name)
{
	struct store_config config = { .path = scratch_path("VARS") };
	struct store *store = open_default(), *second;
	struct files_ops ops;

	ck_assert_int_eq(files_local(&config.files, config.path, NULL, NULL,
				     &err),
			 0);
	ops = *config.files->ops;
	ops.holder = _i ? unknown_holder : NULL;
	config.files->ops = &ops;
	ck_assert_int_eq(store_open(&second, &config, NULL, &err), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "in use by another process"));
	ops.close(config.files);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

static int lock_error;

static int
refused_lock(int fd, int cmd, struct flock *lock)
{
	(void)fd, (void)cmd, (void)lock;
	errno = lock_error;
	return -1;
}

/* Another host holds the lock, or the server of NFS gives no locks. */
START_TEST(lock_of_a_network_file_system)
{
	static const struct {
		int error, ret;
		const char *why;
	} cases[] = {
		{ EAGAIN, -EBUSY, "if hosts share the file, end its user on " },
		{ EACCES, -EBUSY, "which /proc of this host does not show" },
		{ ENOLCK, -ENOLCK, "start rpc.statd, or mount with vers=4.2" },
		{ EOPNOTSUPP, -EOPNOTSUPP, "VARS: lock: " },
	};
	struct sys sys = sys_kernel;
	struct store_config config = { .path = scratch_path("VARS"),
				       .sys = &sys };
	struct store *store;

	sys.lock = refused_lock;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lock_error = cases[i].error;
		ck_assert_int_eq(store_open(&store, &config, NULL, &err),
				 cases[i].ret);
		ck_assert_msg(strstr(err.text, cases[i].why), "%s", err.text);
		ck_assert_int_eq(store_check_free(&config, &err), cases[i].ret);
	}
}
END_TEST

static off_t own_length, other_length;

/* Another host has the lock; the length of this one's lock is noted. */
static int
lock_of_a_host(int fd, int cmd, struct flock *lock)
{
	(void)fd;
	if (cmd == F_OFD_GETLK) {
		lock->l_len = other_length;
		return 0;
	}
	own_length = lock->l_len;
	errno = EAGAIN;
	return -1;
}

static const char *
refusal_by(off_t length)
{
	struct sys sys = sys_kernel;
	struct store_config config = { .path = scratch_path("VARS"),
				       .sys = &sys };
	struct store *store;

	sys.lock = lock_of_a_host;
	other_length = length;
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EBUSY);
	return strstr(err.text, "in use by ");
}

/*
 * The lengths are those of docs/format.md: 2^62, 2^58 for a longer name, and
 * the name in base 38.
 */
START_TEST(lock_names_its_host)
{
	const int64_t named = INT64_C(1) << 62, longer = INT64_C(1) << 58;
	const int64_t ten = INT64_C(6278211847988224); /* 38^10 */
	const char *unknown = "in use by another process, which /proc of this "
			      "host does not show";

	ck_assert_str_eq(refusal_by(named + 1 * ten),
			 "in use by a process on the host a");
	ck_assert_str_eq(refusal_by(named + longer + 26 * ten +
				    37 * (ten / 38) + 36 * (ten / 38 / 38)),
			 "in use by a process on the host z-9");
	ck_assert_str_eq(refusal_by(named + 38 * ten - 1),
			 "in use by a process on the host -----------");
	/* An earlier pflashd, no host, and nonsense. */
	ck_assert_int_eq(strncmp(refusal_by(0), unknown, strlen(unknown)), 0);
	ck_assert_int_eq(strncmp(refusal_by(named), unknown, strlen(unknown)),
			 0);
	ck_assert_int_eq(strncmp(refusal_by(named + 38 * ten), unknown,
				 strlen(unknown)),
			 0);
	ck_assert_int_eq(strncmp(refusal_by(4096), unknown, strlen(unknown)),
			 0);
	/* This host. */
	ck_assert_int_ge(own_length, named);
	ck_assert_int_eq(strncmp(refusal_by(own_length), unknown,
				 strlen(unknown)),
			 0);
}
END_TEST

static const char *node_name;

int __real_uname(struct utsname *names);
int __wrap_uname(struct utsname *names);

int
__wrap_uname(struct utsname *names)
{
	int rc = __real_uname(names);

	if (node_name)
		(void)snprintf(names->nodename, sizeof(names->nodename), "%s",
			       node_name);
	return rc;
}

/* The length of a lock has room for the last eleven characters. */
START_TEST(name_of_a_host)
{
	static const struct {
		const char *name, *shown;
	} cases[] = {
		{ "xen2", "xen2" },
		{ "Xen_2.example.org", "xen-2" },
		{ "eleven-char", "eleven-char" },
		{ "compute-rack1-node07", "ack1-node07" },
	};
	char text[64];
	int ends[2];
	off_t length;
	pid_t child;

	(void)snprintf(text, sizeof(text), "in use by a process on the host %s",
		       cases[_i].shown);
	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		node_name = cases[_i].name;
		(void)refusal_by(0);
		_exit(write(ends[1], &own_length, sizeof(own_length)) < 0);
	}
	ck_assert_int_eq(read(ends[0], &length, sizeof(length)),
			 sizeof(length));
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	node_name = "b";
	ck_assert_str_eq(refusal_by(length), text);
}
END_TEST

/* The lock of this process has the name of this host. */
START_TEST(lock_has_the_name_of_this_host)
{
	struct store *store = open_default();
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(scratch_path("VARS"), O_RDWR);
	char name[SYS_HOST_NAME];

	ck_assert_int_ge(fd, 0);
	ck_assert(!sys_find_host(fd, name));
	ck_assert_int_eq(fcntl(fd, F_OFD_GETLK, &lock), 0);
	ck_assert_int_eq(lock.l_type, F_WRLCK);
	(void)refusal_by(0);
	ck_assert_int_eq(lock.l_start, 0);
	ck_assert_int_eq(lock.l_len, own_length);
	close(fd);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

static int
interrupted_lock(int fd, int cmd, struct flock *lock)
{
	if (lock_error--)
		return sys_kernel.lock(fd, cmd, lock);
	errno = EINTR;
	return -1;
}

START_TEST(lock_is_tried_again_after_a_signal)
{
	struct sys sys = sys_kernel;
	struct store_config config = { .path = scratch_path("VARS"),
				       .sys = &sys };

	sys.lock = interrupted_lock;
	lock_error = 0;
	ck_assert_int_eq(store_close(open_with(&config)), 0);
	ck_assert_int_lt(lock_error, 0);
}
END_TEST

START_TEST(lock_that_cannot_be_had)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.sys = &sys_faulty,
	};
	struct store *second;

	/* Three calls look for a superblock; the third one after them. */
	fault = (struct fault){ .only = CALL_OTHER, .nth = 6, .error = EIO };
	ck_assert_int_eq(store_open(&second, &config, NULL, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS: lock"));
}
END_TEST

/*
 * If an allocation fails, store_open() fails or succeeds, and leaves no damage.
 */
START_TEST(every_allocation_fails)
{
	struct store_config config = { .path = scratch_path("VARS") };
	struct store *store = NULL;
	unsigned int n = 0, failures = 0;
	int rc;

	if (!memory_can_fail())
		return;
	do {
		memory_fault = (struct memory_fault){ .nth = ++n };
		rc = store_open(&store, &config, NULL, &err);
		memory_fault.nth = 0;
		failures += rc != 0;
		if (rc) {
			ck_assert_int_eq(rc, -ENOMEM);
			continue;
		}
		ck_assert(store_verify(store));
		ck_assert_int_eq(store_close(store), 0);
		ck_assert_int_eq(unlink(scratch_path("VARS.journal")), 0);
	} while (memory_fault.hits);
	ck_assert_uint_gt(failures, 10);
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

/*
 * The same for a checkpoint of a store without history: it continues with the
 * old journal.
 */
START_TEST(every_allocation_of_a_checkpoint_fails)
{
	struct store_history none = { .bytes = 0 };
	struct store_config config = {
		.path = scratch_path("VARS"),
		.history = &none,
	};
	struct store *store;
	unsigned int n = 0;
	int rc;

	if (!memory_can_fail())
		return;
	store = open_with(&config);
	do {
		program(store, n * 10 % SIZE, "more");
		memory_fault = (struct memory_fault){ .nth = ++n };
		rc = store_checkpoint(store);
		memory_fault.nth = 0;
		ck_assert_int_eq(rc, 0);
		ck_assert(store_verify(store));
	} while (memory_fault.hits);
	ck_assert_uint_ge(n, 4);
	ck_assert_uint_eq(journal_size(), HEADER + RECORD + 4);
	memory_fault = (struct memory_fault){ .nth = 1 };
	rc = store_verify(store);
	memory_fault.nth = 0;
	ck_assert(rc && memory_fault.hits == 1);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

static struct store *shared;

static int
try_create(void)
{
	int rc = create_vars(NULL, scratch_path("made"), blank, SIZE, &err);

	(void)unlink(scratch_path("made"));
	return rc;
}

static int
try_export(void)
{
	uint8_t *image;
	size_t size;
	int rc = store_export(NULL, scratch_path("VARS"), &image, &size, &err);

	free(image);
	return rc;
}

static int
try_keep(void)
{
	struct store_state kept = { .tag = "tag", .len = 3 };

	return store_save_state(shared, &kept, &err);
}

static int
try_recall(void)
{
	struct store_state kept;

	return store_load_state(shared, &kept, &err);
}

static int
try_forget(void)
{
	struct store_state kept = { .len = 0 };

	return store_save_state(shared, &kept, &err);
}

static int
try_check_busy(void)
{
	struct store_config config = { .path = scratch_path("VARS") };
	int rc = store_check_free(&config, &err);

	return rc == -EBUSY ? 0 : rc;
}

START_TEST(every_allocation_of_others_fails)
{
	int (*const tries[])(void) = {
		try_create,
		try_export,
		try_check_busy,
	};
	unsigned int n, failures;
	int rc;

	if (!memory_can_fail())
		return;
	shared = open_default();
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		n = failures = 0;
		do {
			memory_fault = (struct memory_fault){ .nth = ++n };
			rc = tries[i]();
			memory_fault.nth = 0;
			ck_assert(!rc || rc == -ENOMEM);
			ck_assert(!rc || memory_fault.hits);
			failures += rc != 0;
		} while (memory_fault.hits);
		ck_assert_uint_gt(failures, 0);
	}
	ck_assert_int_eq(store_close(shared), 0);
}
END_TEST

START_TEST(keeping_allocates_nothing)
{
	int (*const tries[])(void) = { try_keep, try_recall, try_forget };

	shared = open_default();
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int rc;

		memory_fault = (struct memory_fault){ .nth = 1 };
		rc = tries[i]();
		memory_fault.nth = 0;
		ck_assert_int_eq(rc, 0);
		ck_assert_uint_eq(memory_fault.hits, 0);
	}
	ck_assert_int_eq(store_close(shared), 0);
}
END_TEST

static void
check_kept(const struct store *store, const struct store_state *expected)
{
	struct store_state kept;

	ck_assert_int_eq(store_load_state(store, &kept, &err), 0);
	ck_assert_uint_eq(kept.len, expected->len);
	ck_assert_str_eq(kept.tag, expected->tag);
	ck_assert_mem_eq(kept.record, expected->record, kept.len);
}

START_TEST(kept_record_survives)
{
	static const struct store_state none;
	struct store_state kept = { .tag = "mine", .len = STORE_STATE_MAX };
	struct store *store = open_default();

	for (size_t i = 0; i < kept.len; i++)
		kept.record[i] = (uint8_t)(i * 3);
	check_kept(store, &none);
	ck_assert_int_eq(store_save_state(store, &none, &err), 0);
	ck_assert_int_eq(store_save_state(store, &kept, &err), 0);
	check_kept(store, &kept);
	kept.len = 7;
	blob_write(scratch_path("VARS.state.new"), "left over", 9);
	ck_assert_int_eq(store_save_state(store, &kept, &err), 0);
	ck_assert_int_eq(store_close(store), 0);
	store = open_default();
	check_kept(store, &kept);
	ck_assert_int_eq(store_save_state(store, &none, &err), 0);
	check_kept(store, &none);
	ck_assert_uint_eq(scratch_entries(), 2);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/*
 * A changed bit, a missing byte, an extra byte, a record that is far too large.
 */
START_TEST(damaged_kept_record_is_refused)
{
	static uint8_t large[2 * STORE_STATE_MAX];
	struct store_state kept = { .tag = "mine", .len = 20 };
	struct store *store = open_default();
	struct blob state;

	ck_assert_int_eq(store_save_state(store, &kept, &err), 0);
	state = blob_read(scratch_path("VARS.state"));
	for (size_t bit = 0; bit < 8 * state.len; bit++) {
		state.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		blob_write(scratch_path("VARS.state"), state.data, state.len);
		ck_assert_int_eq(store_load_state(store, &kept, &err),
				 -EUCLEAN);
		state.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < state.len; len++) {
		blob_write(scratch_path("VARS.state"), state.data, len);
		ck_assert_int_eq(store_load_state(store, &kept, &err),
				 -EUCLEAN);
	}
	memcpy(large, state.data, state.len);
	blob_write(scratch_path("VARS.state"), large, state.len + 1);
	ck_assert_int_eq(store_load_state(store, &kept, &err), -EUCLEAN);
	blob_write(scratch_path("VARS.state"), large, sizeof(large));
	ck_assert_int_eq(store_load_state(store, &kept, &err), -EUCLEAN);
	ck_assert_int_eq(store_close(store), 0);
	blob_free(&state);
}
END_TEST

/* After a failure the old or the new state is there; removal likewise. */
START_TEST(keeping_fails_whole)
{
	struct store_state old = { .tag = "old", .len = 9, .record = "old" };
	struct store_state new = { .tag = "new", .len = 5, .record = "new" };
	struct store_state none = { .len = 0 }, kept;
	const struct store_state *next[] = { &new, &none };
	struct store *store = open_faulty(STORE_SYNC_BURST);
	unsigned int n, hits;

	for (int i = 0; i < 2; i++) {
		n = 0;
		do {
			fault = (struct fault){ .nth = 0 };
			ck_assert_int_eq(store_save_state(store, &old, &err),
					 0);
			fault = (struct fault){ .nth = ++n, .error = EIO };
			(void)store_save_state(store, next[i], &err);
			hits = fault.hits;
			fault = (struct fault){ .nth = 0 };
			ck_assert_int_eq(store_load_state(store, &kept, &err),
					 0);
			ck_assert(!strcmp(kept.tag, old.tag) ||
				  !strcmp(kept.tag, next[i]->tag));
		} while (hits);
		ck_assert_str_eq(kept.tag, next[i]->tag);
		ck_assert_uint_gt(n, 4);
		fault = (struct fault){ .only = CALL_OTHER, .nth = 1 };
		fault.error = EIO;
		(void)store_load_state(store, &kept, &err);
	}
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* Random changes must have the same effect as on a plain array. */
START_TEST(random_changes_match_a_model)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.sys = &sys_unsynced,
		.journal_limit = 5000,
		.burst_limit = 900,
	};
	struct store *store = open_with(&config);
	uint8_t model[SIZE], data[300];

	srandom(1);
	memcpy(model, blank, SIZE);
	for (int step = 0; step < 3000; step++) {
		uint32_t len = (uint32_t)random() % sizeof(data);
		uint32_t off = (uint32_t)random() % (SIZE - len);
		long what = random() % 8;

		memset(data, (int)random(), sizeof(data));
		if (what < 5) {
			memcpy(model + off, data, len);
			ck_assert(!store_program(store, off, data, len));
		} else if (what < 7) {
			memset(model + off, 0xff, len);
			ck_assert(!store_erase(store, off, len));
		} else {
			ck_assert(!store_commit(store));
		}
		if (step % 10 == 0)
			ck_assert(store_verify(store));
		if (step % 500 == 499) {
			ck_assert_int_eq(store_close(store), 0);
			store = open_with(&config);
		}
		ck_assert_mem_eq(store_image(store), model, SIZE);
	}
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

static Suite *
store_suite(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, create_is_exclusive);
	tcase_add_test(tc, create_refuses_sizes);
	tcase_add_test(tc, create_fails_whole);
	tcase_add_test(tc, create_refuses_while_there_is_a_journal);
	tcase_add_loop_test(tc, create_refuses_leftovers, 0, 2);
	tcase_add_test(tc, create_without_a_random_name);
	tcase_add_test(tc, created_file_is_private);
	tcase_add_test(tc, open_refuses_sizes);
	tcase_add_test(tc, changes_survive);
	tcase_add_test(tc, close_leaves_a_raw_image);
	tcase_add_test(tc, written_is_counted_in_blocks);
	tcase_add_test(tc, journal_replays_after_a_kill);
	tcase_add_test(tc, ranges_are_checked);
	tcase_add_test(tc, contiguous_bytes_merge);
	tcase_add_test(tc, burst_limit_commits);
	tcase_add_test(tc, journal_limit_makes_a_checkpoint);
	tcase_add_test(tc, sync_op_commits_each);
	tcase_add_test(tc, sync_none_syncs_only_to_fold);
	tcase_add_test(tc, nothing_to_commit_is_free);
	tcase_add_test(tc, failure_is_final);
	tcase_add_test(tc, second_writer_is_refused);
	tcase_add_test(tc, one_journal_is_for_one_file);
	tcase_add_test(tc, journal_has_mode_and_owner_of_vars);
	tcase_add_test(tc, journal_lies_beside_the_real_file);
	tcase_add_test(tc, journal_symlink_is_refused);
	tcase_add_test(tc, journal_that_is_no_file_is_refused);
	tcase_add_test(tc, opening_makes_the_names_durable);
	tcase_add_test(tc, check_free_tells_and_changes_nothing);
	tcase_add_loop_test(tc, worker_names_its_supervisor, 0, 2);
	tcase_add_loop_test(tc, holder_without_a_name, 0, 2);
	tcase_add_test(tc, lock_of_a_network_file_system);
	tcase_add_test(tc, lock_names_its_host);
	tcase_add_loop_test(tc, name_of_a_host, 0, 4);
	tcase_add_test(tc, lock_has_the_name_of_this_host);
	tcase_add_test(tc, lock_is_tried_again_after_a_signal);
	tcase_add_test(tc, lock_that_cannot_be_had);
	tcase_add_test(tc, read_only_changes_nothing);
	tcase_add_test(tc, replace_is_one_burst);
	tcase_add_test(tc, file_of_two_names_is_refused);
	tcase_add_test(tc, expected_size_is_checked);
	tcase_add_test(tc, block_device_has_its_journal_elsewhere);
	tcase_add_test(tc, every_allocation_fails);
	tcase_add_test(tc, every_allocation_of_a_checkpoint_fails);
	tcase_add_test(tc, every_allocation_of_others_fails);
	tcase_add_test(tc, keeping_allocates_nothing);
	tcase_add_test(tc, kept_record_survives);
	tcase_add_test(tc, damaged_kept_record_is_refused);
	tcase_add_test(tc, keeping_fails_whole);
	tcase_add_test(tc, random_changes_match_a_model);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(store_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
