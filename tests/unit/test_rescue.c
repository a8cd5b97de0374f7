/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests store_rescue() and the reader of files that do not agree: from the
 * journal alone, every point of its history comes back, whatever VARS holds;
 * nothing is overwritten that is not kept; a call that fails can be repeated.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pflash/le.h"
#include "pflash/reader.h"

#include "support_store.h"

#define SIZE 8192u
#define POINTS 5u

static const struct store_history all = { .bytes = UINT64_MAX };
static struct error err;
static uint8_t images[POINTS][SIZE]; /* of the points, the oldest first */
static uint64_t numbers[POINTS];
static struct blob journal; /* after an orderly end */

static const char *
vars_path(void)
{
	return scratch_path("VARS");
}

/* Notes the numbers of the points. */
static void
number_points(void)
{
	struct reader_point point;
	struct reader *reader;
	size_t cursor = 0;
	unsigned int n = 0;

	ck_assert(!reader_open(&reader, NULL, vars_path(), &err));
	while (reader_next(reader, &cursor, &point))
		numbers[n++] = point.sequence;
	ck_assert_uint_eq(n, POINTS);
	reader_close(reader);
}

static void
setup(void)
{
	struct store_config config = { 0 };
	struct store *store;

	scratch_make();
	memset(images, 0xff, sizeof(images));
	ck_assert(!create_vars(NULL, vars_path(), images[0], SIZE, &err));
	config.path = vars_path();
	ck_assert(!store_open(&store, &config, NULL, &err));
	for (unsigned int n = 1; n < POINTS; n++) {
		memcpy(images[n], images[n - 1], SIZE);
		memset(images[n] + 100 * n, (int)n, 100);
		ck_assert(!store_program(store, 100 * n, images[n] + 100 * n,
					 100));
		ck_assert(!store_commit(store));
	}
	ck_assert(!store_close(store));
	number_points();
	journal = blob_read(scratch_path("VARS.journal"));
}

static void
teardown(void)
{
	blob_free(&journal);
	scratch_remove();
}

static const uint8_t *newest = images[POINTS - 1];

static int
rescue(const struct sys *sys, const uint8_t *image, uint32_t size,
       struct store_kept *kept)
{
	const struct store_config config = {
		.path = vars_path(),
		.history = &all,
		.sys = sys,
	};

	return store_rescue(&config, image, size, kept, &err);
}

/* Both files are sound, VARS alone has the image. */
static void
check_sound(const uint8_t *image, size_t size)
{
	struct blob vars = blob_read(vars_path());
	struct reader *reader;

	ck_assert(blob_equal(&vars, image, size));
	blob_free(&vars);
	ck_assert_msg(!reader_open(&reader, NULL, vars_path(), &err), "%s",
		      err.text);
	ck_assert_uint_eq(reader_size(reader), size);
	ck_assert_mem_eq(reader_image(reader), image, size);
	reader_close(reader);
}

/* The history has the old points, up to number `last`. */
static void
check_history(unsigned int last)
{
	uint8_t past[SIZE];
	struct reader *reader;

	ck_assert(!reader_open(&reader, NULL, vars_path(), &err));
	for (unsigned int n = 0; n < last; n++) {
		ck_assert(!reader_past(reader, numbers[n], past, &err));
		ck_assert_mem_eq(past, images[n], SIZE);
	}
	reader_close(reader);
}

static void
check_file(const char *path, const void *bytes, size_t len)
{
	struct blob blob = blob_read(path);

	ck_assert(blob_equal(&blob, bytes, len));
	blob_free(&blob);
}

/* The states of VARS.  Sets *len, SIZE_MAX if the file is to be missing. */
#define STATES 6
static void
break_vars(int state, uint8_t *bytes, size_t *len)
{
	memset(bytes, 0, 2 * (size_t)SIZE);
	*len = SIZE;
	switch (state) {
	case 0: *len = SIZE / 2; break;
	case 1: *len = 2 * (size_t)SIZE; break;
	case 2: *len = 0; break;
	case 3: break; /* zeros */
	case 4: *len = 777; break;
	default: *len = SIZE_MAX; break;
	}
	ck_assert(!unlink(vars_path()));
	if (*len != SIZE_MAX)
		blob_write(vars_path(), bytes, *len);
}

START_TEST(every_point_comes_back_without_vars)
{
	const struct store_config config = { .path = vars_path() };
	uint8_t past[SIZE], bytes[2 * SIZE];
	struct reader *reader;
	size_t len;

	break_vars(_i, bytes, &len);
	ck_assert_int_eq(reader_open_rescue(&reader, &config, &err), 1);
	ck_assert_int_eq(reader_source(reader), READER_POINT);
	ck_assert_uint_eq(reader_size(reader), SIZE);
	ck_assert_uint_eq(reader_newest(reader), numbers[POINTS - 1]);
	ck_assert_mem_eq(reader_image(reader), newest, SIZE);
	ck_assert(!reader_vars_may_be_newer(reader));
	for (unsigned int n = 0; n < POINTS; n++) {
		ck_assert(!reader_past(reader, numbers[n], past, &err));
		ck_assert_mem_eq(past, images[n], SIZE);
	}
	reader_close(reader);
}
END_TEST

START_TEST(vars_is_restored_and_the_old_one_is_kept)
{
	uint8_t bytes[2 * SIZE];
	struct store_kept kept;
	size_t len;

	break_vars(_i, bytes, &len);
	ck_assert_int_eq(rescue(NULL, newest, SIZE, &kept), 0);
	check_sound(newest, SIZE);
	check_history(POINTS);
	ck_assert_ptr_null(kept.journal);
	if (len == SIZE_MAX) {
		ck_assert_ptr_null(kept.vars);
	} else {
		ck_assert_str_eq(kept.vars, scratch_path("VARS.kept"));
		check_file(kept.vars, bytes, len);
	}
	ck_assert_uint_eq(scratch_entries(), len == SIZE_MAX ? 2 : 3);
	store_kept_free(&kept);
}
END_TEST

START_TEST(kept_files_are_never_replaced)
{
	uint8_t bytes[2 * SIZE];
	struct store_kept kept;
	size_t len;

	blob_write(scratch_path("VARS.kept"), "a", 1);
	blob_write(scratch_path("VARS.kept.1"), "b", 1);
	break_vars(3, bytes, &len);
	ck_assert_int_eq(rescue(NULL, images[2], SIZE, &kept), 0);
	ck_assert_str_eq(kept.vars, scratch_path("VARS.kept.2"));
	store_kept_free(&kept);
	check_file(scratch_path("VARS.kept"), "a", 1);
	check_file(scratch_path("VARS.kept.1"), "b", 1);
	check_sound(images[2], SIZE);
	check_history(POINTS);
}
END_TEST

/* A missing VARS file gets the mode of its journal. */
START_TEST(mode_is_that_of_the_old_file)
{
	struct store_kept kept;
	struct stat st;

	if (_i) {
		ck_assert(!unlink(vars_path()));
		ck_assert(!chmod(scratch_path("VARS.journal"), 0640));
	} else {
		ck_assert(!truncate(vars_path(), 1));
		ck_assert(!chmod(vars_path(), 0640));
	}
	ck_assert_int_eq(rescue(NULL, newest, SIZE, &kept), 0);
	store_kept_free(&kept);
	ck_assert(!stat(vars_path(), &st));
	ck_assert_int_eq(st.st_mode & 07777, 0640);
}
END_TEST

/* Damage at each offset: the intact points stay, and the journal is kept. */
START_TEST(damaged_journal_is_kept)
{
	const struct store_config config = { .path = vars_path() };
	struct blob damaged = blob_copy(journal.data, journal.len);
	struct store_kept kept;
	struct reader *reader;
	unsigned int points;
	size_t off;

	for (off = 0; off < journal.len - 56; off += 29) {
		damaged.data[off] ^= 4;
		blob_write(scratch_path("VARS.journal"), damaged.data,
			   damaged.len);
		damaged.data[off] ^= 4;
		if (off >= 40 && off < 60)
			continue; /* not examined, but for the checksum */
		ck_assert_int_eq(reader_open_rescue(&reader, &config, &err), 1);
		ck_assert_int_eq(reader_source(reader),
				 off < 64 ? READER_VARS : READER_VARS_FITS);
		ck_assert_mem_eq(reader_image(reader), newest, SIZE);
		points = 0;
		while (points < POINTS &&
		       numbers[points] <= reader_newest(reader))
			points++;
		reader_close(reader);
		ck_assert_int_eq(rescue(NULL, newest, SIZE, &kept), 0);
		ck_assert_ptr_null(kept.vars);
		damaged.data[off] ^= 4;
		check_file(kept.journal, damaged.data, damaged.len);
		damaged.data[off] ^= 4;
		ck_assert(!unlink(kept.journal));
		store_kept_free(&kept);
		check_sound(newest, SIZE);
		check_history(points);
	}
	blob_free(&damaged);
}
END_TEST

/* Bursts behind the damage count, if VARS is as their done record says. */
START_TEST(bursts_behind_the_damage_are_applied)
{
	const struct store_config config = { .path = vars_path() };
	struct blob vars = blob_read(vars_path()), killed;
	struct store *store;
	struct reader *reader;
	uint8_t image[SIZE];

	ck_assert(!store_open(&store, &config, NULL, &err));
	memset(image, 0x5a, SIZE);
	ck_assert(!store_program(store, 4096, image, 64));
	ck_assert(!store_commit(store));
	memcpy(image, store_image(store), SIZE);
	killed = blob_read(scratch_path("VARS.journal"));
	ck_assert(!store_close(store));
	killed.data[200] ^= 1; /* in the history */
	blob_write(scratch_path("VARS.journal"), killed.data, killed.len);
	blob_write(vars_path(), vars.data, vars.len);
	ck_assert_int_eq(reader_open_rescue(&reader, &config, &err), 1);
	ck_assert_int_eq(reader_source(reader), READER_VARS_FITS);
	ck_assert_mem_eq(reader_image(reader), image, SIZE);
	reader_close(reader);
	vars.data[5000] ^= 1;
	blob_write(vars_path(), vars.data, vars.len);
	ck_assert_int_eq(reader_open_rescue(&reader, &config, &err), 1);
	ck_assert_int_ne(reader_source(reader), READER_VARS_FITS);
	reader_close(reader);
	blob_free(&vars);
	blob_free(&killed);
}
END_TEST

START_TEST(journal_of_another_size_is_kept)
{
	uint8_t large[2 * SIZE];
	struct store_kept kept;

	memset(large, 0x11, sizeof(large));
	blob_write(vars_path(), large, sizeof(large));
	ck_assert_int_eq(rescue(NULL, large, sizeof(large), &kept), 0);
	ck_assert_ptr_null(kept.vars);
	check_file(kept.journal, journal.data, journal.len);
	store_kept_free(&kept);
	check_sound(large, sizeof(large));
}
END_TEST

/* A journal without history has no image: only VARS has. */
START_TEST(without_history_the_journal_has_no_image)
{
	const struct store_history none = { .bytes = 0 };
	const struct store_config config = { .path = vars_path(),
					     .history = &none };
	uint8_t bytes[2 * SIZE];
	struct reader *reader;
	struct store *store;
	size_t len;

	ck_assert(!store_open(&store, &config, NULL, &err));
	ck_assert(!store_program(store, 0, "\0", 1));
	ck_assert(!store_close(store));
	break_vars(_i, bytes, &len);
	ck_assert_int_eq(reader_open_rescue(&reader, &config, &err), 1);
	ck_assert_int_eq(reader_source(reader), _i == 0 || _i == 1 || _i == 3 ?
							READER_VARS :
							READER_NOTHING);
	ck_assert_uint_eq(reader_newest(reader), 0);
	if (reader_source(reader) == READER_NOTHING)
		ck_assert_uint_eq(reader_size(reader), 0);
	reader_close(reader);
}
END_TEST

START_TEST(nothing_to_rescue_is_refused)
{
	const struct store_config config = { .path = vars_path() };
	struct store_kept kept;
	struct reader *reader;

	ck_assert(!unlink(scratch_path("VARS.journal")));
	ck_assert(!unlink(vars_path()));
	ck_assert_int_eq(reader_open_rescue(&reader, &config, &err), -ENOENT);
	ck_assert_int_eq(rescue(NULL, newest, SIZE, &kept), -ENOENT);
	ck_assert_uint_eq(scratch_entries(), 0);
	ck_assert(!mkdir(vars_path(), 0700));
	ck_assert_int_lt(rescue(NULL, newest, SIZE, &kept), 0);
	ck_assert_int_eq(rescue(NULL, newest, 100, &kept), -EINVAL);
	ck_assert_uint_eq(scratch_entries(), 1);
	ck_assert(!rmdir(vars_path()));
}
END_TEST

START_TEST(file_in_use_is_refused)
{
	const struct store_config config = { .path = vars_path() };
	struct store_kept kept;
	struct store *store;

	ck_assert(!store_open(&store, &config, NULL, &err));
	ck_assert_int_eq(rescue(NULL, newest, SIZE, &kept), -EBUSY);
	if (_i) /* the journal has a lock of its own */
		ck_assert(!unlink(vars_path()));
	ck_assert_int_eq(rescue(NULL, newest, SIZE, &kept), -EBUSY);
	ck_assert(!store_close(store));
}
END_TEST

/* Each call fails: the history is in the directory, and a repetition helps. */
START_TEST(failed_rescue_can_be_repeated)
{
	uint8_t bytes[2 * SIZE];
	unsigned int n = 0, hits;
	struct store_kept kept;
	size_t len;
	int rc;

	do {
		blob_write(scratch_path("VARS.journal"), journal.data,
			   journal.len);
		if (access(vars_path(), F_OK) < 0)
			blob_write(vars_path(), "x", 1);
		break_vars(_i, bytes, &len);
		fault = (struct fault){ .nth = ++n, .error = ENOSPC };
		rc = rescue(&sys_faulty, images[1], SIZE, &kept);
		store_kept_free(&kept);
		hits = fault.hits;
		if (rc < 0) {
			ck_assert_int_eq(rescue(NULL, images[1], SIZE, &kept),
					 0);
			store_kept_free(&kept);
		}
		(void)unlink(scratch_path("VARS.kept"));
		(void)unlink(scratch_path("VARS.kept.1"));
		check_sound(images[1], SIZE);
		check_history(POINTS);
	} while (hits);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(n, 15);
}
END_TEST

static ino_t damaged_inode;
static bool damaged_is_synced;
static unsigned int kept_files;

static int
noting_fdatasync(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	damaged_is_synced |= st.st_ino == damaged_inode;
	return sys_kernel.fdatasync(fd);
}

static int
noting_rename(const char *from, const char *to, unsigned int flags)
{
	struct stat st;

	ck_assert_int_eq(stat(from, &st), 0);
	kept_files += st.st_ino == damaged_inode;
	ck_assert(st.st_ino != damaged_inode || damaged_is_synced);
	return sys_kernel.rename(from, to, flags);
}

/* The program that damaged VARS need not have synced it. */
START_TEST(vars_is_synced_before_it_is_renamed)
{
	struct sys sys = sys_kernel;
	uint8_t bytes[2 * SIZE];
	struct store_kept kept;
	struct stat st;
	size_t len;

	break_vars(_i, bytes, &len);
	if (len != SIZE_MAX)
		ck_assert_int_eq(stat(vars_path(), &st), 0);
	damaged_inode = len != SIZE_MAX ? st.st_ino : 0;
	damaged_is_synced = false;
	kept_files = 0;
	sys.fdatasync = noting_fdatasync;
	sys.rename = noting_rename;
	ck_assert_int_eq(rescue(&sys, newest, SIZE, &kept), 0);
	ck_assert_uint_eq(kept_files, len != SIZE_MAX);
	store_kept_free(&kept);
}
END_TEST

static Suite *
rescue_suite(void)
{
	Suite *suite = suite_create("rescue");
	TCase *tc = tcase_create("rescue");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, every_point_comes_back_without_vars, 0, STATES);
	tcase_add_loop_test(tc, vars_is_restored_and_the_old_one_is_kept, 0,
			    STATES);
	tcase_add_loop_test(tc, vars_is_synced_before_it_is_renamed, 0, STATES);
	tcase_add_test(tc, kept_files_are_never_replaced);
	tcase_add_loop_test(tc, mode_is_that_of_the_old_file, 0, 2);
	tcase_add_test(tc, damaged_journal_is_kept);
	tcase_add_test(tc, bursts_behind_the_damage_are_applied);
	tcase_add_test(tc, journal_of_another_size_is_kept);
	tcase_add_loop_test(tc, without_history_the_journal_has_no_image, 0,
			    STATES);
	tcase_add_test(tc, nothing_to_rescue_is_refused);
	tcase_add_loop_test(tc, file_in_use_is_refused, 0, 2);
	tcase_add_loop_test(tc, failed_rescue_can_be_repeated, 0, STATES);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(rescue_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
