/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cuts the power after every system call. A model of the disk holds the synced
 * contents and the changes that are not yet synced: writes, truncations, and
 * renames of a new journal file. After each call every subset of these changes,
 * and each with its last change torn, is written to separate files, and the
 * store that opens there must have one of the states allowed at that moment.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_store.h"

#define BLOCK 4096u
#define SIZE (3 * BLOCK)
#define BURSTS 8u
#define MAX_WRITES 12u
#define MAX_FILE 65536u

/* VARS and every journal file so far, only one of which has the name. */
enum { NO_FILE, VARS, JOURNAL, FILES = 24 };

struct content {
	uint8_t data[MAX_FILE];
	size_t len;
};

/* A change that is not yet synced. */
struct change {
	enum { WRITE, TRUNCATE, RENAME } kind;
	int file; /* of a rename: the file that becomes the journal */
	struct blob data;
	size_t off;
};

static struct content disk[FILES];
static int disk_journal; /* the file that has the name */
static int new_journal;  /* the file being made */
static int last_file = VARS;
static struct change changes[MAX_WRITES];
static unsigned int change_count;
static int fds[FILES];
static struct store_history history = { .bytes = STORE_HISTORY_BYTES };

/* After a crash the image must be states[i], floor_state <= i <= ceiling. */
static uint8_t states[BURSTS + 1][SIZE];
static unsigned int floor_state, ceiling, lowest;
static bool watching;
static unsigned int crashes;
static struct error err;

static void
content_apply(struct content *content, const struct change *change, size_t len)
{
	if (change->kind == TRUNCATE) {
		if (change->off < content->len)
			memset(content->data + change->off, 0,
			       content->len - change->off);
		content->len = change->off;
		return;
	}
	ck_assert_uint_le(change->off + len, MAX_FILE);
	memcpy(content->data + change->off, change->data.data, len);
	if (change->off + len > content->len)
		content->len = change->off + len;
}

/* The name of an unfinished journal file may exist or not. */
static void
put_crash(const struct content *after, int journal)
{
	const char *path = scratch_path("CRASH.journal");

	blob_write(scratch_path("CRASH"), after[VARS].data, after[VARS].len);
	(void)unlink(path);
	if (journal != NO_FILE)
		blob_write(path, after[journal].data, after[journal].len);
	if (crashes % 2)
		blob_write(scratch_path("CRASH.journal.new"), "half", 4);
}

static void
check_crash(const struct content *after, int journal)
{
	struct store_config config = {
		.path = scratch_path("CRASH"),
		.history = &history,
		.sys = &sys_unsynced,
	};
	struct store *store;
	unsigned int i = floor_state;
	int rc;

	put_crash(after, journal);
	rc = store_open(&store, &config, NULL, &err);
	ck_assert_msg(rc == 0, "crash %u: %s", crashes, err.text);
	while (i <= ceiling && memcmp(store_image(store), states[i], SIZE))
		i++;
	ck_assert_msg(i <= ceiling, "crash %u: none of the states %u to %u",
		      crashes, floor_state, ceiling);
	if (i < lowest)
		lowest = i;
	ck_assert_int_eq(store_close(store), 0);
	crashes++;
}

/*
 * Applies the changes of `subset`, and cuts the last of all changes to `cut`
 * bytes.
 */
static void
crash_with(unsigned int subset, size_t cut)
{
	static struct content after[FILES];
	int journal = disk_journal;

	memcpy(after, disk, sizeof(after[0]) * (size_t)(last_file + 1));
	for (unsigned int i = 0; i < change_count; i++) {
		const struct change *change = &changes[i];
		size_t len = change->data.len;

		if (i == change_count - 1 && cut < len)
			len = cut;
		if (!(subset & (1u << i)))
			continue;
		if (change->kind == RENAME)
			journal = change->file;
		else
			content_apply(&after[change->file], change, len);
	}
	check_crash(after, journal);
}

static void
crash(void)
{
	unsigned int all = (1u << change_count) - 1;
	size_t last;

	if (!watching)
		return;
	for (unsigned int subset = 0; subset <= all; subset++)
		crash_with(subset, SIZE_MAX);
	last = change_count ? changes[change_count - 1].data.len : 0;
	for (int i = 1; i < 8 && last; i++)
		crash_with(all, last * (size_t)i / 8);
}

static int
file_of(int fd)
{
	for (int i = last_file; i > NO_FILE; i--)
		if (fds[i] == fd)
			return i;
	ck_abort_msg("a write to an unknown descriptor");
	return NO_FILE;
}

static void
note_change(struct change change)
{
	ck_assert_uint_lt(change_count, MAX_WRITES);
	changes[change_count++] = change;
	crash();
}

static int
model_open(const char *path, int flags, mode_t mode)
{
	int fd = sys_unsynced.open(path, flags, mode);

	if (fd < 0 || !strstr(path, "VARS"))
		return fd;
	if (flags & O_CREAT)
		new_journal = ++last_file;
	ck_assert_int_lt(last_file, FILES);
	if (flags & O_CREAT)
		fds[new_journal] = fd;
	else
		fds[strstr(path, ".journal") ? disk_journal : VARS] = fd;
	return fd;
}

/* The kernel may reuse the descriptor for another file. */
static int
model_close(int fd)
{
	for (int i = VARS; i < FILES; i++)
		if (fds[i] == fd)
			fds[i] = -1;
	return close(fd);
}

static ssize_t
model_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	ssize_t n = pwrite(fd, buf, len, off);

	note_change((struct change){ WRITE, file_of(fd), blob_copy(buf, len),
				     (size_t)off });
	return n;
}

static int
model_ftruncate(int fd, off_t len)
{
	int rc = ftruncate(fd, len);

	note_change((struct change){
		.kind = TRUNCATE, .file = file_of(fd), .off = (size_t)len });
	return rc;
}

static int
model_rename(const char *from, const char *to, unsigned int flags)
{
	int rc = sys_kernel.rename(from, to, flags);

	if (rc == 0)
		note_change((struct change){ .kind = RENAME,
					     .file = new_journal });
	return rc;
}

/* Applies these changes to the disk, in their order. */
static void
sync_changes(bool renames, int file)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < change_count; i++) {
		struct change *change = &changes[i];

		if (renames ? change->kind != RENAME :
			      change->kind == RENAME || change->file != file) {
			changes[kept++] = *change;
			continue;
		}
		if (change->kind == RENAME)
			disk_journal = change->file;
		else
			content_apply(&disk[file], change, change->data.len);
		blob_free(&change->data);
	}
	change_count = kept;
	crash();
}

/* Syncs the changes of this file only. */
static int
model_fdatasync(int fd)
{
	sync_changes(false, file_of(fd));
	return 0;
}

/* Syncs the directory. */
static int
model_fsync(int fd)
{
	(void)fd;
	sync_changes(true, NO_FILE);
	return 0;
}

static struct sys sys_model;

static void
change_image(uint8_t *image, unsigned int n)
{
	memset(image + (n % 3) * BLOCK, 0xff, BLOCK);
	memset(image + n * 1300, (int)n, 700);
}

static void
change_store(struct store *store, unsigned int n)
{
	uint8_t data[700];

	memset(data, (int)n, sizeof(data));
	ck_assert(!store_erase(store, (n % 3) * BLOCK, BLOCK));
	ck_assert(!store_program(store, n * 1300, data, sizeof(data)));
}

static void
load_disk(int file, const char *path)
{
	struct blob blob = blob_read(path);

	ck_assert_uint_le(blob.len, MAX_FILE);
	memset(&disk[file], 0, sizeof(disk[file]));
	memcpy(disk[file].data, blob.data, blob.len);
	disk[file].len = blob.len;
	if (file == JOURNAL)
		disk_journal = last_file = JOURNAL;
	blob_free(&blob);
}

static struct store *
open_store(const struct sys *sys, enum store_sync sync, uint32_t limit)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.sync = sync,
		.journal_limit = limit,
		.history = &history,
		.sys = sys,
	};
	struct store *store = NULL;
	int rc = store_open(&store, &config, NULL, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
	return store;
}

static void
setup(void)
{
	scratch_make();
	sys_model = sys_unsynced;
	sys_model.open = model_open;
	sys_model.close = model_close;
	sys_model.rename = model_rename;
	sys_model.pwrite = model_pwrite;
	sys_model.ftruncate = model_ftruncate;
	sys_model.fdatasync = model_fdatasync;
	sys_model.fsync = model_fsync;
	for (unsigned int n = 1; n <= BURSTS; n++) {
		memcpy(states[n], states[n - 1], SIZE);
		change_image(states[n], n);
	}
	blob_write(scratch_path("VARS"), states[0], SIZE);
	load_disk(VARS, scratch_path("VARS"));
	lowest = BURSTS;
	watching = true;
}

static void
teardown(void)
{
	for (unsigned int i = 0; i < change_count; i++)
		blob_free(&changes[i].data);
	scratch_remove();
}

/*
 * Commits bursts from..to. An answered burst must not be lost unless sync is
 * none.
 */
static void
run_bursts(struct store *store, enum store_sync sync, unsigned int from,
	   unsigned int to)
{
	for (unsigned int n = from; n <= to; n++) {
		change_store(store, n);
		ceiling = n;
		ck_assert(!store_commit(store));
		if (sync != STORE_SYNC_NONE)
			floor_state = n;
	}
}

static void
run_all(enum store_sync sync, uint32_t limit, int keep)
{
	struct store *store;

	history.bytes = keep ? STORE_HISTORY_BYTES : 0;
	store = open_store(&sys_model, sync, limit);

	run_bursts(store, sync, 1, BURSTS / 2);
	ck_assert(!store_checkpoint(store));
	floor_state = BURSTS / 2;
	run_bursts(store, sync, BURSTS / 2 + 1, BURSTS);
	ck_assert(!store_close(store));
	floor_state = BURSTS;
	crash();
	ck_assert_uint_gt(crashes, 100);
	ck_assert_int_gt(last_file, keep ? VARS : JOURNAL + 1);
}

START_TEST(bursts_are_durable_when_answered)
{
	run_all(STORE_SYNC_BURST, 0, _i);
}
END_TEST

START_TEST(checkpoint_at_the_limit_loses_nothing)
{
	run_all(STORE_SYNC_BURST, 1600, _i);
}
END_TEST

START_TEST(unsynced_bursts_are_whole_and_in_order)
{
	run_all(STORE_SYNC_NONE, 0, _i);
}
END_TEST

START_TEST(unsynced_checkpoint_loses_nothing)
{
	run_all(STORE_SYNC_NONE, 3000, _i);
}
END_TEST

/* Makes the files that a process leaves when it is killed after `bursts`. */
static void
leave_journal(unsigned int bursts, struct blob *vars, struct blob *journal)
{
	struct store *store;

	store = open_store(&sys_unsynced, STORE_SYNC_BURST, 0);
	for (unsigned int n = 1; n <= bursts; n++) {
		change_store(store, n);
		ck_assert(!store_commit(store));
	}
	*vars = blob_read(scratch_path("VARS"));
	*journal = blob_read(scratch_path("VARS.journal"));
	ck_assert(!store_close(store));
	blob_write(scratch_path("VARS"), vars->data, vars->len);
	blob_write(scratch_path("VARS.journal"), journal->data, journal->len);
	load_disk(VARS, scratch_path("VARS"));
	load_disk(JOURNAL, scratch_path("VARS.journal"));
}

static void
recover_and_go_on(unsigned int state)
{
	struct store *store;

	ceiling = state;
	store = open_store(&sys_model, STORE_SYNC_BURST, 0);
	ck_assert_mem_eq(store_image(store), states[state], SIZE);
	floor_state = state;
	watching = true;
	crash();
	run_bursts(store, STORE_SYNC_BURST, state + 1, state + 2);
	ck_assert(!store_close(store));
	ck_assert_uint_gt(crashes, 20);
}

START_TEST(recovery_can_be_interrupted)
{
	struct blob vars, journal;

	leave_journal(3, &vars, &journal);
	floor_state = 3;
	recover_and_go_on(3);
	blob_free(&vars);
	blob_free(&journal);
}
END_TEST

START_TEST(recovery_with_a_torn_tail_can_be_interrupted)
{
	struct blob vars, journal;

	leave_journal(3, &vars, &journal);
	blob_write(scratch_path("VARS.journal"), journal.data, journal.len - 9);
	load_disk(JOURNAL, scratch_path("VARS.journal"));
	floor_state = 2;
	recover_and_go_on(2);
	blob_free(&vars);
	blob_free(&journal);
}
END_TEST

/*
 * The last record was written and its fsync failed, but the kernel marked the
 * page clean: reads return the record, but it is not on the disk until it is
 * written again.
 */
START_TEST(record_in_the_page_cache_only)
{
	struct blob vars, journal;

	leave_journal(3, &vars, &journal);
	disk[JOURNAL].len = journal.len - 100;
	memset(disk[JOURNAL].data + disk[JOURNAL].len, 0, 100);
	floor_state = 2;
	recover_and_go_on(3);
	ck_assert_uint_eq(lowest, 2);
	blob_free(&vars);
	blob_free(&journal);
}
END_TEST

/* The same for VARS: the fsync of a checkpoint, its fourth call, failed. */
START_TEST(vars_in_the_page_cache_only)
{
	struct store *store = open_store(&sys_faulty, STORE_SYNC_BURST, 0);
	struct blob vars;

	change_store(store, 1);
	ck_assert(!store_commit(store));
	fault = (struct fault){ .error = EIO, .nth = 4 };
	ck_assert_int_eq(store_checkpoint(store), -EIO);
	ck_assert_int_eq(store_close(store), -EIO);
	load_disk(JOURNAL, scratch_path("VARS.journal"));
	vars = blob_read(scratch_path("VARS"));
	ck_assert(blob_equal(&vars, states[1], SIZE));
	ck_assert_mem_eq(disk[VARS].data, states[0], SIZE);
	blob_free(&vars);
	floor_state = 1;
	recover_and_go_on(1);
}
END_TEST

/* VARS was copied without a sync, and is then used. */
START_TEST(copied_vars_is_made_durable)
{
	watching = false;
	memset(disk[VARS].data, 0x5a, SIZE);
	changes[0].kind = WRITE;
	changes[0].file = VARS;
	changes[0].data = blob_copy(states[0], SIZE);
	change_count = 1;
	recover_and_go_on(0);
}
END_TEST

static Suite *
powerloss_suite(void)
{
	Suite *suite = suite_create("powerloss");
	TCase *tc = tcase_create("powerloss");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, bursts_are_durable_when_answered, 0, 2);
	tcase_add_loop_test(tc, checkpoint_at_the_limit_loses_nothing, 0, 2);
	tcase_add_loop_test(tc, unsynced_bursts_are_whole_and_in_order, 0, 2);
	tcase_add_loop_test(tc, unsynced_checkpoint_loses_nothing, 0, 2);
	tcase_add_test(tc, recovery_can_be_interrupted);
	tcase_add_test(tc, recovery_with_a_torn_tail_can_be_interrupted);
	tcase_add_test(tc, record_in_the_page_cache_only);
	tcase_add_test(tc, vars_in_the_page_cache_only);
	tcase_add_test(tc, copied_vars_is_made_durable);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(powerloss_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
