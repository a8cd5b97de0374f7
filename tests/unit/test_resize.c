/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_resize(): the new files, the kept ones, a failure of each system call,
 * and a loss of power after each one. A model of the directory holds the synced
 * contents of each file, and the names with the changes that are not yet
 * synced. Every subset of these changes must leave the old or the new flash,
 * whole, and its history in the journal or in the kept files.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pflash/reader.h"

#include "support_store.h"

#define OLD_SIZE 8192u
#define NEW_SIZE 20480u
#define POINTS 3u /* of the history: a snapshot and two bursts */

static struct blob first_vars, first_journal;
static uint8_t old_image[OLD_SIZE], new_image[NEW_SIZE];
static struct error err;
static bool refuse; /* edit() fails */
/* The journal of the new file, when the change is one that undoes another. */
static struct blob new_journal;
static bool undoes;

static int
edit(void *opaque, const struct store *store, uint8_t *image, struct error *why)
{
	ck_assert_ptr_eq(opaque, new_image);
	if (store)
		ck_assert_mem_eq(store_image(store), old_image, OLD_SIZE);
	if (refuse)
		return error_set(why, ENOTTY, "pflash-test refuses");
	memcpy(image, new_image, NEW_SIZE);
	return 1;
}

static int
resize(const struct sys *sys, const char *name, char **kept)
{
	const struct store_config config = {
		.path = scratch_path(name),
		.sys = sys,
	};
	const struct store_resize wanted = {
		.size = NEW_SIZE,
		.suffix = ".2m",
		.edit = edit,
		.opaque = new_image,
		.journal = undoes ? new_journal.data : NULL,
		.journal_len = new_journal.len,
	};

	err.text[0] = '\0';
	return store_resize(&config, &wanted, kept, &err);
}

/* Makes the journal of the file to which an undo returns: two points. */
static void
make_new_journal(void)
{
	struct store_config config = { .sys = &sys_unsynced };
	struct store *store;

	config.path = scratch_path("new");
	memset(new_image, 0x5a, NEW_SIZE);
	blob_write(config.path, new_image, NEW_SIZE);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	memset(new_image + 7, 0, 9);
	ck_assert_int_eq(store_program(store, 7, new_image + 7, 9), 0);
	ck_assert_int_eq(store_close(store), 0);
	new_journal = blob_read(scratch_path("new.journal"));
	ck_assert_int_eq(unlink(scratch_path("new")), 0);
	ck_assert_int_eq(unlink(scratch_path("new.journal")), 0);
}

/* Makes a journal with a burst in VARS, and one that a killed process left. */
static void
setup(void)
{
	struct store_config config = { .sys = &sys_unsynced };
	struct store *store;

	scratch_make();
	config.path = scratch_path("VARS");
	memset(old_image, 0xff, OLD_SIZE);
	refuse = undoes = false;
	make_new_journal();
	blob_write(config.path, old_image, OLD_SIZE);
	for (uint8_t i = 0; i < 2; i++) {
		ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
		memset(old_image + 4000 + 50 * i, i, 100);
		ck_assert_int_eq(store_program(store, 4000u + 50u * i,
					       old_image + 4000 + 50 * i, 100),
				 0);
		ck_assert_int_eq(store_commit(store), 0);
		first_vars = i ? blob_read(config.path) : first_vars;
		first_journal = i ? blob_read(scratch_path("VARS.journal")) :
				    first_journal;
		ck_assert_int_eq(store_close(store), 0);
	}
	ck_assert(!blob_equal(&first_vars, old_image, OLD_SIZE));
}

static void
teardown(void)
{
	scratch_remove();
	blob_free(&first_vars);
	blob_free(&first_journal);
	blob_free(&new_journal);
}

/* Removes all files but VARS and its journal, which get their first state. */
static void
restore(void)
{
	scratch_remove();
	scratch_make();
	blob_write(scratch_path("VARS"), first_vars.data, first_vars.len);
	blob_write(scratch_path("VARS.journal"), first_journal.data,
		   first_journal.len);
}

static bool
exists(const char *name)
{
	return access(scratch_path(name), F_OK) == 0;
}

/* The number of points of the history; the image must be `image`. */
static unsigned int
count_points(const char *name, const uint8_t *image, uint32_t size)
{
	struct reader_point point;
	struct reader *reader;
	unsigned int count = 0;
	size_t cursor = 0;
	int rc = reader_open(&reader, NULL, scratch_path(name), &err);

	ck_assert_msg(rc == 0, "%s: %s", name, err.text);
	ck_assert_uint_eq(reader_size(reader), size);
	ck_assert_mem_eq(reader_image(reader), image, size);
	while (reader_next(reader, &cursor, &point))
		count++;
	reader_close(reader);
	return count;
}

static void
opens(const char *name)
{
	struct store_config config = {
		.path = scratch_path(name),
		.sys = &sys_unsynced,
	};
	struct store *store;
	int rc = store_open(&store, &config, NULL, &err);

	ck_assert_msg(rc == 0, "%s: %s", name, err.text);
	ck_assert_int_eq(store_close(store), 0);
}

static bool
is_refused(const char *name)
{
	struct reader *reader;

	if (reader_open(&reader, NULL, scratch_path(name), &err) < 0)
		return true;
	reader_close(reader);
	return false;
}

/*
 * Of an undo: the old flash with its history, or the new one with its history.
 * Or both are refused, and the same call again gives the new one.
 */
static bool
check_undone(const char *name, const char *copy)
{
	struct stat st;
	char *kept;

	if (is_refused(name)) {
		ck_assert_msg(resize(&sys_unsynced, name, &kept) == 0, "%s",
			      err.text);
		ck_assert_ptr_null(kept);
	}
	ck_assert_int_eq(stat(scratch_path(name), &st), 0);
	if (st.st_size != NEW_SIZE) {
		ck_assert_uint_ge(count_points(name, old_image, OLD_SIZE),
				  POINTS);
		return false;
	}
	ck_assert_uint_eq(count_points(name, new_image, NEW_SIZE), 2);
	ck_assert_uint_ge(count_points(copy, old_image, OLD_SIZE), POINTS);
	opens(name);
	return true;
}

/* The old flash, with its history here or in the kept files; or the new one. */
static bool
check_whole(const char *name, const char *copy)
{
	struct stat st;
	bool is_new;

	if (undoes)
		return check_undone(name, copy);
	ck_assert_int_eq(stat(scratch_path(name), &st), 0);
	is_new = st.st_size == NEW_SIZE;
	if (is_new) {
		ck_assert_uint_eq(count_points(name, new_image, NEW_SIZE), 0);
		ck_assert_uint_ge(count_points(copy, old_image, OLD_SIZE),
				  POINTS);
	} else if (count_points(name, old_image, OLD_SIZE) < POINTS) {
		ck_assert_uint_ge(count_points(copy, old_image, OLD_SIZE),
				  POINTS);
	}
	opens(name);
	return is_new;
}

START_TEST(keeps_the_old_files)
{
	struct stat before, after, copy;
	char *kept;

	restore();
	ck_assert_int_eq(chmod(scratch_path("VARS"), 0640), 0);
	if (geteuid() == 0)
		ck_assert(!chown(scratch_path("VARS"), 12345, 23456));
	ck_assert_int_eq(stat(scratch_path("VARS"), &before), 0);
	ck_assert_msg(resize(NULL, "VARS", &kept) == 0, "%s", err.text);
	ck_assert_str_eq(kept, scratch_path("VARS.2m"));
	free(kept);
	ck_assert_int_eq(stat(scratch_path("VARS"), &after), 0);
	ck_assert_int_eq(stat(scratch_path("VARS.2m"), &copy), 0);
	ck_assert_int_eq(after.st_mode, before.st_mode);
	ck_assert_int_eq(copy.st_mode, before.st_mode);
	ck_assert_uint_eq(after.st_uid, before.st_uid);
	ck_assert_uint_eq(copy.st_uid, before.st_uid);
	ck_assert_uint_eq(after.st_gid, before.st_gid);
	ck_assert(!exists("VARS.journal"));
	ck_assert_uint_eq(scratch_entries(), 3);
	ck_assert(check_whole("VARS", "VARS.2m"));
}
END_TEST

START_TEST(the_new_file_has_a_journal)
{
	char *kept;

	restore();
	undoes = true;
	ck_assert_msg(resize(NULL, "VARS", &kept) == 0, "%s", err.text);
	ck_assert_str_eq(kept, scratch_path("VARS.2m"));
	free(kept);
	ck_assert(check_whole("VARS", "VARS.2m"));
	ck_assert_uint_eq(scratch_entries(), 4);
}
END_TEST

/* A conversion has ended when VARS had lost its journal: it gets it back. */
START_TEST(a_lost_journal_returns)
{
	char *kept;

	restore();
	undoes = true;
	ck_assert_int_eq(unlink(scratch_path("VARS.journal")), 0);
	blob_write(scratch_path("VARS"), new_image, NEW_SIZE);
	ck_assert_msg(resize(NULL, "VARS", &kept) == 0, "%s", err.text);
	ck_assert_ptr_null(kept);
	ck_assert_uint_eq(count_points("VARS", new_image, NEW_SIZE), 2);
	ck_assert_uint_eq(scratch_entries(), 2);
}
END_TEST

/* The files of an interrupted call are used by another process. */
START_TEST(only_the_holder_of_the_lock_completes)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct blob after;
	char *kept;
	int fd;

	restore();
	undoes = true;
	blob_write(scratch_path("VARS.journal"), new_journal.data,
		   new_journal.len);
	fd = open(scratch_path("VARS"), O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
	ck_assert_int_eq(resize(NULL, "VARS", &kept), -EBUSY);
	after = blob_read(scratch_path("VARS"));
	ck_assert(blob_equal(&after, first_vars.data, first_vars.len));
	blob_free(&after);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(resize(NULL, "VARS", &kept), 0);
	ck_assert_uint_eq(count_points("VARS", new_image, NEW_SIZE), 2);
}
END_TEST

START_TEST(takes_a_free_name)
{
	char *kept;

	restore();
	blob_write(scratch_path("VARS.2m"), "x", 1);
	blob_write(scratch_path("VARS.2m.2.journal"), "y", 1);
	blob_write(scratch_path("VARS.2m.3.state"), "z", 1);
	ck_assert_int_eq(symlink("nothing", scratch_path("VARS.2m.4.journal")),
			 0);
	ck_assert_int_eq(resize(NULL, "VARS", &kept), 0);
	ck_assert_str_eq(kept, scratch_path("VARS.2m.5"));
	free(kept);
	ck_assert(check_whole("VARS", "VARS.2m.5"));
}
END_TEST

/* The saved state has the protection registers, which stay. */
START_TEST(keeps_the_saved_state)
{
	struct blob state = blob_copy("state", 5), after;
	char *kept;

	restore();
	blob_write(scratch_path("VARS.state"), state.data, state.len);
	ck_assert_int_eq(resize(NULL, "VARS", &kept), 0);
	free(kept);
	after = blob_read(scratch_path("VARS.state"));
	ck_assert(blob_equal(&after, "state", 5));
	ck_assert(!exists("VARS.2m.state"));
	blob_free(&after);
	blob_free(&state);
}
END_TEST

static void
refuses(int wanted)
{
	char *kept;
	int rc = resize(NULL, "VARS", &kept);

	ck_assert_msg(rc == wanted, "%d: %s", rc, err.text);
	ck_assert_ptr_null(kept);
	ck_assert_uint_gt(strlen(err.text), 10);
	ck_assert(!exists("VARS.2m"));
}

START_TEST(refuses_what_it_cannot_replace)
{
	struct store_config config = { .sys = &sys_unsynced };
	struct store *store;

	restore();
	refuse = true;
	refuses(-ENOTTY);
	ck_assert_uint_eq(scratch_entries(), 2);
	refuse = false;
	config.path = scratch_path("VARS");
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	refuses(-EBUSY);
	ck_assert_int_eq(store_close(store), 0);
	ck_assert_int_eq(link(scratch_path("VARS"), scratch_path("other")), 0);
	refuses(-EMLINK);
	ck_assert_int_eq(unlink(scratch_path("VARS")), 0);
	refuses(-ENOENT);
	ck_assert_int_eq(mkfifo(scratch_path("VARS"), 0600), 0);
	refuses(-EINVAL);
}
END_TEST

static struct sys sys_late;

/* The conversion happens between a process's open(2) and its lock. */
static int
late_lock(int fd, int cmd, struct flock *lock)
{
	static bool done;
	char *kept;

	if (!done) {
		done = true;
		ck_assert_int_eq(resize(NULL, "VARS", &kept), 0);
		free(kept);
	}
	return sys_unsynced.lock(fd, cmd, lock);
}

/* A process that has opened the old file must not use it as VARS. */
START_TEST(a_replaced_file_is_not_opened)
{
	struct store_config config = { .sys = &sys_late };
	struct store *store;

	restore();
	sys_late = sys_unsynced;
	sys_late.lock = late_lock;
	config.path = scratch_path("VARS");
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EBUSY);
	ck_assert(!exists("VARS.journal"));
	ck_assert(check_whole("VARS", "VARS.2m"));
}
END_TEST

/* Returns true if the conversion succeeded. */
static bool
run_faulty(void)
{
	char *kept;
	bool is_new;
	int rc = resize(&sys_faulty, "VARS", &kept);

	if (rc)
		ck_assert_ptr_nonnull(strstr(err.text, "VARS"));
	fault = (struct fault){ .nth = 0, .hits = fault.hits };
	is_new = check_whole("VARS", "VARS.2m");
	if (!undoes)
		ck_assert_int_eq(is_new, kept != NULL);
	if (rc == 0)
		ck_assert(is_new);
	free(kept);
	/* The conversion can be repeated. */
	if (!is_new) {
		ck_assert_msg(resize(&sys_unsynced, "VARS", &kept) == 0, "%s",
			      err.text);
		free(kept);
	}
	return rc == 0;
}

/*
 * The error ends the conversion, as a crash would; _i & 1: all later calls;
 * _i & 2: a change that undoes another.
 */
START_TEST(every_call_fails)
{
	const int errors[] = { EIO, ENOSPC, EPERM };
	unsigned int n = 0, failures = 0, hits;

	undoes = _i & 2;
	do {
		restore();
		fault = (struct fault){
			.kind = FAULT_ERROR,
			.error = errors[_i / 4],
			.persistent = _i % 2,
			.nth = ++n,
		};
		failures += !run_faulty();
		hits = fault.hits;
	} while (hits);
	ck_assert_uint_gt(n, 50);
	ck_assert_uint_gt(failures, 30);
}
END_TEST

START_TEST(every_transfer_is_disturbed)
{
	const enum fault_kind kinds[] = { FAULT_SHORT, FAULT_EINTR };

	undoes = _i & 2;
	for (unsigned int n = 1; n < 120; n++) {
		restore();
		fault = (struct fault){ .kind = kinds[_i & 1], .nth = n };
		ck_assert(run_faulty());
	}
}
END_TEST

/* --- loss of power --- */

#define MAX_INODES 24u
#define MAX_NAMES 24u
#define MAX_CHANGES 8u

static struct {
	ino_t ino;
	struct blob synced;
} inodes[MAX_INODES];
static unsigned int inode_count;

struct name {
	char path[256];
	unsigned int inode; /* MAX_INODES: no file has the name */
};

static struct name names[MAX_NAMES]; /* durable */
static unsigned int name_count;

/* Changes of names that are not yet synced; a rename is one change. */
static struct change {
	struct name from, to; /* from.path "": none */
} changes[MAX_CHANGES];
static unsigned int change_count, crashes, crashes_new;

static unsigned int
inode_of(int fd)
{
	struct stat st;
	unsigned int i = 0;

	ck_assert_int_eq(fstat(fd, &st), 0);
	while (i < inode_count && inodes[i].ino != st.st_ino)
		i++;
	ck_assert_uint_lt(i, MAX_INODES);
	if (i == inode_count) {
		inodes[i].ino = st.st_ino;
		inodes[i].synced = blob_copy("", 0);
		inode_count++;
	}
	return i;
}

static unsigned int
inode_at(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned int inode = inode_of(fd);

	ck_assert_int_eq(close(fd), 0);
	return inode;
}

static void
name_set(struct name *list, unsigned int *count, const struct name *name)
{
	unsigned int i = 0;

	while (i < *count && strcmp(list[i].path, name->path) != 0)
		i++;
	ck_assert_uint_lt(i, MAX_NAMES);
	list[i] = *name;
	*count += i == *count;
}

static void
apply(struct name *list, unsigned int *count, const struct change *change)
{
	name_set(list, count, &change->to);
	if (change->from.path[0])
		name_set(list, count, &change->from);
}

/* Makes the files that a loss of power leaves: the names begin with "C". */
static void
materialize(const struct name *list, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		const char *base = strrchr(list[i].path, '/') + 1;
		char name[300];

		(void)snprintf(name, sizeof(name), "C%s", base);
		(void)unlink(scratch_path(name));
		if (list[i].inode == MAX_INODES)
			continue;
		blob_write(scratch_path(name),
			   inodes[list[i].inode].synced.data,
			   inodes[list[i].inode].synced.len);
	}
}

static void
remove_crashed(void)
{
	static const char *const all[] = { "CVARS", "CVARS.journal", "CVARS.2m",
					   "CVARS.2m.journal",
					   "CVARS.journal.new" };

	for (int i = 0; i < 5; i++)
		(void)unlink(scratch_path(all[i]));
}

static void
crash_with(unsigned int subset)
{
	struct name list[MAX_NAMES];
	unsigned int count = name_count;

	memcpy(list, names, sizeof(list));
	for (unsigned int i = 0; i < change_count; i++)
		if (subset & (1u << i))
			apply(list, &count, &changes[i]);
	remove_crashed();
	materialize(list, count);
	crashes_new += check_whole("CVARS", "CVARS.2m");
	crashes++;
}

static void
crash(void)
{
	for (unsigned int subset = 0; subset < 1u << change_count; subset++)
		crash_with(subset);
}

static void
note(const char *from, const char *to, unsigned int inode)
{
	struct change *change = &changes[change_count++];

	ck_assert_uint_le(change_count, MAX_CHANGES);
	memset(change, 0, sizeof(*change));
	(void)snprintf(change->from.path, sizeof(change->from.path), "%s",
		       from);
	change->from.inode = MAX_INODES;
	(void)snprintf(change->to.path, sizeof(change->to.path), "%s", to);
	change->to.inode = inode;
	crash();
}

static int
model_open(const char *path, int flags, mode_t mode)
{
	int fd = sys_unsynced.open(path, flags, mode);

	if (fd >= 0 && flags & O_CREAT)
		note("", path, inode_of(fd));
	return fd;
}

static int
model_fdatasync(int fd)
{
	unsigned int inode = inode_of(fd);
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	blob_free(&inodes[inode].synced);
	inodes[inode].synced.len = (size_t)st.st_size;
	inodes[inode].synced.data = malloc((size_t)st.st_size + 1);
	ck_assert_ptr_nonnull(inodes[inode].synced.data);
	ck_assert_int_eq(pread(fd, inodes[inode].synced.data,
			       (size_t)st.st_size, 0),
			 st.st_size);
	crash();
	return 0;
}

/* Of the directory, which has all files, or of a file. */
static int
model_fsync(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	if (!S_ISDIR(st.st_mode))
		return model_fdatasync(fd);
	for (unsigned int i = 0; i < change_count; i++)
		apply(names, &name_count, &changes[i]);
	change_count = 0;
	crash();
	return 0;
}

static int
model_rename(const char *from, const char *to, unsigned int flags)
{
	unsigned int inode = inode_at(from);
	int rc = sys_unsynced.rename(from, to, flags);

	if (rc == 0)
		note(from, to, inode);
	return rc;
}

static int
model_unlink(const char *path)
{
	int rc = unlink(path);

	if (rc == 0)
		note("", path, MAX_INODES);
	return rc;
}

static void
model_add(const char *name)
{
	struct name entry = { .inode = inode_at(scratch_path(name)) };
	struct blob content = blob_read(scratch_path(name));

	(void)snprintf(entry.path, sizeof(entry.path), "%s",
		       scratch_path(name));
	blob_free(&inodes[entry.inode].synced);
	inodes[entry.inode].synced = content;
	name_set(names, &name_count, &entry);
}

START_TEST(power_is_lost_after_every_call)
{
	struct sys model = sys_unsynced;
	char *kept;

	undoes = _i;
	model.open = model_open;
	model.fdatasync = model_fdatasync;
	model.fsync = model_fsync;
	model.rename = model_rename;
	model.unlink = model_unlink;
	restore();
	model_add("VARS");
	model_add("VARS.journal");
	ck_assert_msg(resize(&model, "VARS", &kept) == 0, "%s", err.text);
	free(kept);
	ck_assert_uint_eq(change_count, 0);
	ck_assert_uint_gt(crashes, 25);
	ck_assert_uint_ge(crashes_new, 2);
	for (unsigned int i = 0; i < inode_count; i++)
		blob_free(&inodes[i].synced);
}
END_TEST

static Suite *
resize_suite(void)
{
	Suite *suite = suite_create("resize");
	TCase *tc = tcase_create("resize");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, keeps_the_old_files);
	tcase_add_test(tc, the_new_file_has_a_journal);
	tcase_add_test(tc, a_lost_journal_returns);
	tcase_add_test(tc, only_the_holder_of_the_lock_completes);
	tcase_add_test(tc, takes_a_free_name);
	tcase_add_test(tc, keeps_the_saved_state);
	tcase_add_test(tc, refuses_what_it_cannot_replace);
	tcase_add_test(tc, a_replaced_file_is_not_opened);
	tcase_add_loop_test(tc, every_call_fails, 0, 12);
	tcase_add_loop_test(tc, every_transfer_is_disturbed, 0, 4);
	tcase_add_loop_test(tc, power_is_lost_after_every_call, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(resize_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
