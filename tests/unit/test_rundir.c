/* SPDX-License-Identifier: BSD-2-Clause */
/* The files in /run/pflashd, in a mount namespace with its own /run. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pflash/control.h"
#include "pflash/handover.h"
#include "supervisor/rundir.h"
#include "support_mount.h"

#define ID 7u
#define VARS "/run/vars.fd"
#define LOCK PFLASH_RUN_DIR "/7.lock"
#define RECORD PFLASH_RUN_DIR "/7.handover"
#define UNFINISHED RECORD ".new"
#define OLDER PFLASH_RUN_DIR "/7.live"
#define LARGEST (1u << 20)

static struct rundir rundir;
static struct error err;

/* flock() removes this path once before it locks; NULL: none. */
static const char *unlinked_at_flock;

int
flock(int fd, int operation)
{
	if (unlinked_at_flock)
		ck_assert_int_eq(unlink(unlinked_at_flock), 0);
	unlinked_at_flock = NULL;
	return (int)syscall(SYS_flock, fd, operation);
}

static void
write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static bool
is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void
setup(void)
{
	mount_begin();
	mount_memory("/run", "size=2m");
	ck_assert_int_eq(mkdir(PFLASH_RUN_DIR, 0700), 0);
	write_file(VARS, "x", 1);
	rundir = (struct rundir){ .lock = -1 };
	unlinked_at_flock = NULL;
}

static void
open_rundir(void)
{
	ck_assert_int_eq(rundir_open(&rundir, ID, -1, 0, &err), 0);
}

/* SIGKILL to the supervisor: the kernel closes its descriptors. */
static void
die(void)
{
	close(rundir.lock);
	rundir = (struct rundir){ .lock = -1 };
}

/* Fills /run. */
static void
fill_up(void)
{
	static const char bytes[4096];
	int fd = open("/run/full", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	ck_assert_int_eq(errno, ENOSPC);
	close(fd);
}

/* --- the lock --- */

START_TEST(lock_is_taken_once)
{
	struct rundir second, other;
	struct stat st;

	open_rundir();
	ck_assert_int_eq(stat(LOCK, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(rundir_open(&second, ID, -1, 0, &err), -EBUSY);
	ck_assert_str_eq(err.text, "the guest has a flash already: another "
				   "pflashd holds " LOCK);
	ck_assert_int_eq(rundir_open(&other, ID + 1, -1, 0, &err), 0);
	rundir_close(&other, true);
	rundir_close(&second, true); /* not locked: no effect */
	ck_assert(is_there(LOCK));
	rundir_close(&rundir, true);
	ck_assert(!is_there(LOCK));
	open_rundir();
}
END_TEST

START_TEST(killed_process_leaves_no_lock)
{
	open_rundir();
	die();
	ck_assert(is_there(LOCK));
	open_rundir();
}
END_TEST

/* The last supervisor is about to exit. */
START_TEST(lock_is_waited_for)
{
	pid_t child;
	int status = 0;

	open_rundir();
	child = fork();
	if (child == 0) {
		(void)usleep(300000);
		rundir_close(&rundir, true);
		_exit(0);
	}
	close(rundir.lock);
	ck_assert_int_eq(rundir_open(&rundir, ID, -1, 30, &err), 0);
	ck_assert(is_there(LOCK));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* Otherwise two processes could each lock a file of their own. */
START_TEST(lock_on_a_removed_file_is_repeated)
{
	struct stat locked, named;

	write_file(LOCK, "", 0);
	unlinked_at_flock = LOCK;
	open_rundir();
	ck_assert_ptr_null(unlinked_at_flock);
	ck_assert_int_eq(fstat(rundir.lock, &locked), 0);
	ck_assert_int_eq(stat(LOCK, &named), 0);
	ck_assert_uint_eq(locked.st_ino, named.st_ino);
}
END_TEST

START_TEST(no_lock_through_a_link)
{
	ck_assert_int_eq(symlink("/run/elsewhere", LOCK), 0);
	ck_assert_int_eq(rundir_open(&rundir, ID, -1, 0, &err), -ELOOP);
	ck_assert(!is_there("/run/elsewhere"));
	ck_assert_int_eq(rundir.lock, -ELOOP);
	rundir_close(&rundir, true);
}
END_TEST

START_TEST(no_directory)
{
	ck_assert_int_eq(rmdir(PFLASH_RUN_DIR), 0);
	ck_assert_int_eq(rundir_open(&rundir, ID, -1, 0, &err), -ENOENT);
	ck_assert_str_eq(err.text, LOCK ": No such file or directory");
}
END_TEST

/* The lock stays open over execve(2), and closes at the next one. */
START_TEST(inherited_lock)
{
	struct rundir next;

	open_rundir();
	ck_assert_int_eq(fcntl(rundir.lock, F_SETFD, 0), 0);
	ck_assert_int_eq(rundir_open(&next, ID, rundir.lock, 0, &err), 0);
	ck_assert_int_eq(next.lock, rundir.lock);
	ck_assert_int_eq(fcntl(next.lock, F_GETFD), FD_CLOEXEC);
	rundir_close(&next, true);
	ck_assert(!is_there(LOCK));
}
END_TEST

/* A descriptor of another file is not the lock. */
START_TEST(inherited_descriptor_that_is_no_lock)
{
	struct rundir other;
	int lost;

	ck_assert_int_eq(rundir_open(&other, ID + 1, -1, 0, &err), 0);
	ck_assert_int_eq(rundir_open(&rundir, ID, other.lock, 0, &err), 0);
	ck_assert_int_ne(rundir.lock, other.lock);
	rundir_close(&rundir, true);
	lost = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(unlink(LOCK), 0);
	ck_assert_int_eq(rundir_open(&rundir, ID, lost, 0, &err), 0);
	ck_assert_int_ne(rundir.lock, lost);
	ck_assert(is_there(LOCK));
	rundir_close(&rundir, true);
	ck_assert_int_eq(rundir_open(&rundir, ID, 999, 0, &err), 0);
}
END_TEST

/* --- the record --- */

static bool
is_zero(const uint8_t *memory, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (memory[i])
			return false;
	return true;
}

static void
prepare(void)
{
	ck_assert_int_eq(rundir_prepare(&rundir, &err), 0);
	ck_assert_ptr_nonnull(rundir.record);
	ck_assert(is_zero(rundir.record, HANDOVER_SIZE));
}

/* A worker that fills and installs its record. */
static void
install_record(const char *text)
{
	prepare();
	strcpy(rundir.record, text);
	ck_assert_int_eq(rundir_install(&rundir), 0);
}

static void
assert_old_record(const char *text)
{
	ck_assert_ptr_nonnull(rundir.old_record);
	ck_assert_str_eq(rundir.old_record, text);
}

START_TEST(record_of_the_first_worker)
{
	struct stat st;

	open_rundir();
	ck_assert(!rundir.had_record);
	prepare();
	ck_assert_ptr_null(rundir.old_record);
	ck_assert(!is_there(RECORD));
	ck_assert_int_eq(stat(UNFINISHED, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(st.st_size, HANDOVER_SIZE);
	/* All pages are allocated before the worker writes them. */
	ck_assert_int_ge(st.st_blocks * 512, HANDOVER_SIZE);
	ck_assert_int_eq(rundir_install(&rundir), 0);
	ck_assert(is_there(RECORD) && !is_there(UNFINISHED));
	ck_assert_int_eq(rundir_install(&rundir), -ENOENT);
}
END_TEST

START_TEST(record_of_the_worker_before)
{
	open_rundir();
	install_record("first");
	prepare();
	assert_old_record("first");
	ck_assert_uint_eq(rundir.old_record_size, HANDOVER_SIZE);
	/* A worker that dies before it installs its record changes nothing. */
	strcpy(rundir.record, "unfinished");
	prepare();
	assert_old_record("first");
	install_record("second");
	prepare();
	assert_old_record("second");
}
END_TEST

START_TEST(record_outlives_the_supervisor)
{
	open_rundir();
	install_record("first");
	prepare();
	die();
	open_rundir();
	ck_assert(rundir.had_record);
	prepare();
	assert_old_record("first");
	rundir_close(&rundir, false);
	ck_assert(is_there(RECORD) && !is_there(UNFINISHED));
	open_rundir();
	ck_assert(rundir.had_record);
	prepare();
	rundir_close(&rundir, true);
	ck_assert(!is_there(RECORD) && !is_there(UNFINISHED));
	open_rundir();
	ck_assert(!rundir.had_record);
}
END_TEST

/* The next worker must not change the old record. */
START_TEST(old_record_is_read_only)
{
	int status = 0;
	pid_t child;

	open_rundir();
	install_record("first");
	prepare();
	child = fork();
	if (child == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		*(volatile char *)rundir.old_record = 'x';
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	assert_old_record("first");
}
END_TEST

START_TEST(no_room_for_a_record)
{
	open_rundir();
	install_record("first");
	fill_up();
	ck_assert_int_eq(rundir_prepare(&rundir, &err), 0);
	ck_assert_ptr_null(rundir.record);
	ck_assert_str_eq(err.text, UNFINISHED ": No space left on device");
	ck_assert(!is_there(UNFINISHED));
	assert_old_record("first");
	ck_assert_int_eq(rundir_install(&rundir), -ENOENT);
	ck_assert(is_there(RECORD));
	/* The next worker has room again. */
	ck_assert_int_eq(unlink("/run/full"), 0);
	prepare();
	assert_old_record("first");
}
END_TEST

START_TEST(unfinished_record_that_was_left)
{
	ck_assert_int_eq(symlink("/run/elsewhere", UNFINISHED), 0);
	open_rundir();
	install_record("first");
	ck_assert(!is_there("/run/elsewhere"));
}
END_TEST

START_TEST(record_of_another_size)
{
	static uint8_t bytes[LARGEST + 1] = { 'a' };

	open_rundir();
	write_file(RECORD, bytes, LARGEST + 1);
	ck_assert_int_eq(rundir_prepare(&rundir, &err), -EINVAL);
	ck_assert_str_eq(err.text, RECORD ": 1048577 bytes are too many for a "
				   "handover record");
	ck_assert_ptr_null(rundir.old_record);
	/* handover_load() checks the content. */
	write_file(RECORD, bytes, LARGEST);
	prepare();
	ck_assert_uint_eq(rundir.old_record_size, LARGEST);
	write_file(RECORD, bytes, 1);
	prepare();
	assert_old_record("a");
	ck_assert_uint_eq(rundir.old_record_size, 1);
	write_file(RECORD, bytes, 0);
	prepare();
	ck_assert_ptr_null(rundir.old_record);
}
END_TEST

START_TEST(record_that_is_a_link)
{
	open_rundir();
	ck_assert_int_eq(symlink(VARS, RECORD), 0);
	ck_assert_int_eq(rundir_prepare(&rundir, &err), -ELOOP);
	ck_assert_ptr_null(rundir.old_record);
	ck_assert_int_eq(unlink(RECORD), 0);
	ck_assert_int_eq(mkdir(RECORD, 0700), 0);
	ck_assert_int_lt(rundir_prepare(&rundir, &err), 0);
	ck_assert_ptr_null(rundir.old_record);
	ck_assert_int_eq(rmdir(RECORD), 0);
}
END_TEST

/* The record of version 0.1 stays until a worker installs its own. */
START_TEST(record_of_the_older_name)
{
	write_file(OLDER, "PFLASHL1", 9);
	open_rundir();
	prepare();
	assert_old_record("PFLASHL1");
	ck_assert(is_there(OLDER));
	ck_assert_int_eq(rundir_install(&rundir), 0);
	ck_assert(!is_there(OLDER));
}
END_TEST

/* Removes the record of either version. */
START_TEST(record_that_is_removed)
{
	open_rundir();
	install_record("first");
	write_file(OLDER, "PFLASHL1", 9);
	rundir_remove_record(&rundir);
	ck_assert(!is_there(RECORD) && !is_there(OLDER));
	prepare();
	ck_assert_ptr_null(rundir.old_record);
	rundir_remove_record(&rundir);
}
END_TEST

/* --- the recorded pause --- */

START_TEST(pause_is_recorded)
{
	open_rundir();
	ck_assert(!rundir_paused(&rundir));
	ck_assert_int_eq(rundir_set_paused(&rundir, true), 0);
	ck_assert(rundir_paused(&rundir));
	die();
	open_rundir();
	ck_assert(rundir_paused(&rundir));
	ck_assert_int_eq(rundir_set_paused(&rundir, false), 0);
	ck_assert(!rundir_paused(&rundir));
}
END_TEST

/* The next pflashd undoes the pause, if the guest still has a flash. */
START_TEST(pause_outlives_the_supervisor)
{
	open_rundir();
	ck_assert_int_eq(rundir_set_paused(&rundir, true), 0);
	rundir_close(&rundir, false);
	ck_assert(is_there(LOCK));
	open_rundir();
	ck_assert(rundir_paused(&rundir));
	rundir_close(&rundir, true);
	ck_assert(!is_there(LOCK));
	open_rundir();
	ck_assert(!rundir_paused(&rundir));
	rundir_close(&rundir, false);
	ck_assert(!is_there(LOCK));
}
END_TEST

/* An error: the caller must not pause, as nobody would undo it. */
START_TEST(no_room_to_record_a_pause)
{
	open_rundir();
	fill_up();
	ck_assert_int_lt(rundir_set_paused(&rundir, true), 0);
	ck_assert(!rundir_paused(&rundir));
}
END_TEST

/* --- the write limit --- */

static void
level_file(const char *vars, char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(vars, &st), 0);
	(void)snprintf(path, RUNDIR_PATH, PFLASH_RUN_DIR "/%jx-%jx.limit",
		       (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
}

START_TEST(level_is_saved)
{
	const struct limit_level saved = { -1234567, 98765.4321 };
	struct limit_level level = { 0, 0 };
	char path[RUNDIR_PATH];
	struct stat st;

	ck_assert(!rundir_load_level(VARS, &level));
	rundir_save_level(VARS, &saved, false);
	level_file(VARS, path);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 19);
	ck_assert(rundir_load_level(VARS, &level));
	ck_assert_double_eq(level.units, saved.units);
	ck_assert_double_eq_tol(level.when, saved.when, 0.001);
	rundir_save_level(VARS, &(struct limit_level){ 5, 6 }, false);
	ck_assert(rundir_load_level(VARS, &level));
	ck_assert_double_eq(level.units, 5);
	/* A full bucket needs no file. */
	rundir_save_level(VARS, &saved, true);
	ck_assert(!is_there(path));
	ck_assert(!rundir_load_level(VARS, &level));
}
END_TEST

/* The key is the inode: a link to VARS has the same level. */
START_TEST(level_belongs_to_the_file)
{
	const struct limit_level saved = { 5, 6 };
	struct limit_level level;

	rundir_save_level(VARS, &saved, false);
	ck_assert_int_eq(symlink(VARS, "/run/link"), 0);
	ck_assert(rundir_load_level("/run/link", &level));
	write_file("/run/other", "x", 1);
	ck_assert(!rundir_load_level("/run/other", &level));
	ck_assert(!rundir_load_level("/run/missing", &level));
	rundir_save_level("/run/missing", &saved, false);
}
END_TEST

/* The file's text, and the level of a bucket of 50000 that resumes with it. */
static const struct {
	const char *text;
	double units;
} texts[] = {
	{ "", 50000 },
	{ "x", 50000 },
	{ "5", 50000 },
	{ "5 x", 50000 },
	{ "PFLASHW1\x01\x02", 50000 },
	{ "nan 10", 50000 },
	{ "inf 10", 50000 },
	{ "5 nan", 50000 },
	{ "5 -1", 50000 },
	{ "5 1e300", 50000 },
	{ "5 100.001", 50000 },
	{ "1e300 10", 50000 },
	{ "-1e300 10", -(double)LIMIT_DEBT_MOST },
	{ "5 100 and more\n", 5 },
	{ "5 100", 5 },
};

START_TEST(level_of_any_text)
{
	const struct limit_config config = { .rate = 1000, .burst = 50000 };
	struct limit_level level = { 0, -1 };
	struct limit limit;
	char path[RUNDIR_PATH];

	level_file(VARS, path);
	write_file(path, texts[_i].text, strlen(texts[_i].text));
	(void)rundir_load_level(VARS, &level);
	limit_init(&limit, &config, 0, 100);
	limit_resume(&limit, &level, 100);
	ck_assert_double_eq(limit.level.units, texts[_i].units);
}
END_TEST

START_TEST(no_room_for_a_level)
{
	struct limit_level level;

	fill_up();
	rundir_save_level(VARS, &(struct limit_level){ 5, 6 }, false);
	ck_assert(!rundir_load_level(VARS, &level));
}
END_TEST

START_TEST(level_does_not_follow_a_link)
{
	struct limit_level level;
	char path[RUNDIR_PATH];

	level_file(VARS, path);
	ck_assert_int_eq(symlink("/run/elsewhere", path), 0);
	rundir_save_level(VARS, &(struct limit_level){ 5, 6 }, false);
	ck_assert(!is_there("/run/elsewhere"));
	ck_assert(rundir_load_level(VARS, &level));
}
END_TEST

/* --- the suite --- */

START_TEST(no_mounts)
{
	printf("SKIP: files in /run/pflashd: %s\n", mount_refusal());
	(void)fflush(stdout);
}
END_TEST

static void
add_lock(TCase *tc)
{
	tcase_add_test(tc, lock_is_taken_once);
	tcase_add_test(tc, killed_process_leaves_no_lock);
	tcase_add_test(tc, lock_is_waited_for);
	tcase_add_test(tc, lock_on_a_removed_file_is_repeated);
	tcase_add_test(tc, no_lock_through_a_link);
	tcase_add_test(tc, no_directory);
	tcase_add_test(tc, inherited_lock);
	tcase_add_test(tc, inherited_descriptor_that_is_no_lock);
}

static void
add_record(TCase *tc)
{
	tcase_add_test(tc, record_of_the_first_worker);
	tcase_add_test(tc, record_of_the_worker_before);
	tcase_add_test(tc, record_outlives_the_supervisor);
	tcase_add_test(tc, old_record_is_read_only);
	tcase_add_test(tc, no_room_for_a_record);
	tcase_add_test(tc, unfinished_record_that_was_left);
	tcase_add_test(tc, record_of_another_size);
	tcase_add_test(tc, record_that_is_a_link);
	tcase_add_test(tc, record_of_the_older_name);
	tcase_add_test(tc, record_that_is_removed);
	tcase_add_test(tc, pause_is_recorded);
	tcase_add_test(tc, pause_outlives_the_supervisor);
	tcase_add_test(tc, no_room_to_record_a_pause);
}

static void
add_level(TCase *tc)
{
	tcase_add_test(tc, level_is_saved);
	tcase_add_test(tc, level_belongs_to_the_file);
	tcase_add_loop_test(tc, level_of_any_text, 0,
			    sizeof(texts) / sizeof(*texts));
	tcase_add_test(tc, no_room_for_a_level);
	tcase_add_test(tc, level_does_not_follow_a_link);
}

static Suite *
rundir_suite(void)
{
	Suite *suite = suite_create("rundir");
	TCase *tc = tcase_create("rundir");

	suite_add_tcase(suite, tc);
	if (mount_refusal()) {
		tcase_add_test(tc, no_mounts);
		return suite;
	}
	tcase_add_checked_fixture(tc, setup, NULL);
	add_lock(tc);
	add_record(tc);
	add_level(tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(rundir_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
