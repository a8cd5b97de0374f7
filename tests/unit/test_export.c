/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests store_export(): reading the image without a lock, with and without a
 * concurrent writer.
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pflash/reader.h"

#include "support_store.h"

#define SIZE 65536u
#define HAMMER_SECONDS 2

static uint8_t blank[SIZE];
static struct error err;

static void
setup(void)
{
	scratch_make();
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
open_store(uint32_t journal_limit)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.journal_limit = journal_limit,
	};
	struct store *store = NULL;

	return store_open(&store, &config, NULL, &err) ? NULL : store;
}

static uint8_t *
export_vars(void)
{
	uint8_t *image = NULL;
	size_t size = 0;
	int rc = store_export(NULL, scratch_path("VARS"), &image, &size, &err);

	ck_assert_msg(rc == 0, "export: %d %s", rc, err.text);
	ck_assert_uint_eq(size, SIZE);
	return image;
}

static void
check_export(const uint8_t *expected)
{
	uint8_t *image = export_vars();

	ck_assert_mem_eq(image, expected, SIZE);
	free(image);
}

START_TEST(export_without_a_journal)
{
	check_export(blank);
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

/* An export has the committed bursts only, and changes no file. */
START_TEST(export_has_committed_bursts_only)
{
	struct store *store = open_store(0);
	struct blob vars, journal, now;
	uint8_t committed[SIZE];

	ck_assert_ptr_nonnull(store);
	ck_assert(!store_program(store, 5, "five", 4));
	ck_assert(!store_erase(store, 8192, 4096));
	ck_assert(!store_commit(store));
	memcpy(committed, store_image(store), SIZE);
	ck_assert(!store_program(store, 50, "open", 4));
	vars = blob_read(scratch_path("VARS"));
	journal = blob_read(scratch_path("VARS.journal"));
	check_export(committed);
	now = blob_read(scratch_path("VARS"));
	ck_assert(blob_equal(&now, vars.data, vars.len));
	blob_free(&now);
	now = blob_read(scratch_path("VARS.journal"));
	ck_assert(blob_equal(&now, journal.data, journal.len));
	blob_free(&now);
	ck_assert(!store_commit(store));
	ck_assert(!store_checkpoint(store));
	check_export(store_image(store));
	ck_assert_int_eq(store_close(store), 0);
	blob_free(&vars);
	blob_free(&journal);
}
END_TEST

START_TEST(export_of_a_missing_file)
{
	uint8_t *image = blank;
	size_t size;

	ck_assert_int_eq(store_export(NULL, scratch_path("none"), &image, &size,
				      &err),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "none"));
}
END_TEST

/* Each call fails once: an error or the correct image, and no leak. */
START_TEST(export_fails_cleanly)
{
	struct store *store = open_store(0);
	unsigned int n = 0;
	uint8_t *image;
	size_t size;
	int rc;

	ck_assert_ptr_nonnull(store);
	ck_assert(!store_program(store, 5, "five", 4));
	ck_assert(!store_commit(store));
	do {
		fault = (struct fault){ .nth = ++n, .error = EIO };
		rc = store_export(&sys_faulty, scratch_path("VARS"), &image,
				  &size, &err);
		if (rc)
			ck_assert(rc == -EIO && !image);
		else
			ck_assert_mem_eq(image, store_image(store), SIZE);
		free(rc ? NULL : image);
	} while (fault.hits);
	ck_assert_uint_gt(n, 10);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

static uint8_t
export_uniform(const struct sys *sys)
{
	uint8_t *image, value;
	size_t size;
	int rc = store_export(sys, scratch_path("VARS"), &image, &size, &err);

	ck_assert_msg(rc == 0, "export: %d %s", rc, err.text);
	value = image[0];
	ck_assert_msg(!memcmp(image, image + 1, SIZE - 1),
		      "the image mixes two bursts");
	free(image);
	return value;
}

static int
fill_store(struct store *store, uint8_t value)
{
	uint8_t fill[SIZE];

	memset(fill, value, SIZE);
	if (store_erase(store, 0, SIZE) ||
	    store_program(store, SIZE / 2, fill, 1) ||
	    store_program(store, 0, fill, SIZE))
		return 1;
	return store_commit(store);
}

/*
 * The action of the writer before the Nth read (of at most a block) of the
 * export.
 */
enum act { ACT_COMMIT, ACT_FOLD, ACT_FOLD_AND_COMMIT, ACT_FOLD_HALF, ACTS };

static struct store *writer;
static unsigned int reads, writer_turn;
static int writer_act;

static void
write_in_between(void)
{
	ck_assert(!fill_store(writer, 2));
	if (writer_act == ACT_FOLD_HALF) {
		fault = (struct fault){
			.kind = FAULT_TORN,
			.nth = 3,
			.error = EIO,
		};
		ck_assert_int_eq(store_checkpoint(writer), -EIO);
	} else if (writer_act != ACT_COMMIT) {
		ck_assert(!store_checkpoint(writer));
	}
	if (writer_act == ACT_FOLD_AND_COMMIT)
		ck_assert(!fill_store(writer, 3));
}

/* Without history every checkpoint renames a new journal into place. */
static void
open_writer(bool empty_journal, bool history)
{
	const struct store_history none = { .bytes = 0 };
	struct store_config config = {
		.path = scratch_path("VARS"),
		.sys = &sys_faulty,
		.history = history ? NULL : &none,
	};

	fault = (struct fault){ .nth = 0 };
	(void)unlink(scratch_path("VARS.journal"));
	ck_assert_int_eq(store_open(&writer, &config, NULL, &err), 0);
	ck_assert(!fill_store(writer, 1));
	if (empty_journal)
		ck_assert(!store_checkpoint(writer));
}

static ssize_t
interleaved_pread(int fd, void *buf, size_t len, off_t off)
{
	if (++reads == writer_turn)
		write_in_between();
	return pread(fd, buf, len < 4096 ? len : 4096, off);
}

START_TEST(export_between_any_two_reads)
{
	struct sys sys = sys_unsynced;
	uint8_t value;

	sys.pread = interleaved_pread;
	writer_act = _i / 4;
	writer_turn = 0;
	do {
		writer_turn++;
		open_writer(_i % 2, _i / 2 % 2);
		reads = 0;
		value = export_uniform(&sys);
		ck_assert(value >= 1 && value <= 3);
		(void)store_close(writer);
	} while (reads >= writer_turn);
	ck_assert_uint_gt(writer_turn, SIZE / 4096 + 2);
}
END_TEST

/* A writer that replaces the journal at each read of VARS. */
static ssize_t
restless_pread(int fd, void *buf, size_t len, off_t off)
{
	if (len == SIZE) {
		ck_assert(!fill_store(writer, (uint8_t)++reads));
		ck_assert(!store_checkpoint(writer));
	}
	return pread(fd, buf, len, off);
}

START_TEST(export_of_files_that_keep_changing)
{
	struct sys sys = sys_unsynced;
	uint8_t *image;
	size_t size;

	sys.pread = restless_pread;
	open_writer(true, false);
	reads = 0;
	ck_assert_int_eq(store_export(&sys, scratch_path("VARS"), &image, &size,
				      &err),
			 -EAGAIN);
	ck_assert_ptr_null(image);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS: changes too fast"));
	ck_assert_uint_gt(reads, 100);
	ck_assert(!store_close(writer));
	export_uniform(NULL);
}
END_TEST

static ssize_t
counting_pread(int fd, void *buf, size_t len, off_t off)
{
	reads += len == SIZE;
	return pread(fd, buf, len, off);
}

/* Without a lock holder a mismatch is permanent: no further tries. */
START_TEST(export_is_tried_twice_without_a_writer)
{
	struct sys sys = sys_unsynced;
	uint8_t *image, other[SIZE];
	size_t size;

	sys.pread = counting_pread;
	open_writer(true, true);
	ck_assert(!store_close(writer));
	memset(other, 99, SIZE);
	blob_write(scratch_path("VARS"), other, SIZE);
	reads = 0;
	ck_assert_int_eq(store_export(&sys, scratch_path("VARS"), &image, &size,
				      &err),
			 -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS: content differs"));
	ck_assert_uint_eq(reads, 2);
}
END_TEST

static ssize_t
empty_pread(int fd, void *buf, size_t len, off_t off)
{
	(void)fd;
	(void)buf;
	(void)len;
	(void)off;
	return 0;
}

/* A file that is truncated between fstat() and the read. */
START_TEST(export_of_a_truncated_file)
{
	struct sys sys = sys_unsynced;
	uint8_t *image;
	size_t size;

	sys.pread = empty_pread;
	ck_assert_int_eq(store_export(&sys, scratch_path("VARS"), &image, &size,
				      &err),
			 -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS: ends at offset 0, "
					       "expected 65536 bytes"));
}
END_TEST

START_TEST(reader_has_size_and_image)
{
	struct reader *reader;

	open_writer(false, true);
	ck_assert_int_eq(reader_open(&reader, NULL, scratch_path("VARS"), &err),
			 0);
	ck_assert_uint_eq(reader_size(reader), SIZE);
	ck_assert_mem_eq(reader_image(reader), store_image(writer), SIZE);
	reader_close(reader);
	ck_assert(!store_close(writer));
}
END_TEST

static void
hammer(void)
{
	struct store *store = open_store(3 * SIZE);

	for (unsigned int n = 1; store; n++) {
		if (fill_store(store, (uint8_t)n))
			break;
		if (n % 7 == 0 && store_checkpoint(store))
			break;
		if (n % 50)
			continue;
		if (store_close(store))
			break;
		store = open_store(3 * SIZE);
	}
	_exit(1);
}

START_TEST(export_under_a_writer)
{
	unsigned int exports = 0, changes = 0;
	time_t end = time(NULL) + HAMMER_SECONDS;
	uint8_t last = 0, value;
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child)
		hammer();
	while (time(NULL) <= end) {
		value = export_uniform(NULL);
		changes += value != last;
		last = value;
		exports++;
	}
	ck_assert_int_eq(waitpid(child, &status, WNOHANG), 0);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_uint_gt(exports, 20);
	ck_assert_uint_gt(changes, 10);
	export_uniform(NULL);
}
END_TEST

static Suite *
export_suite(void)
{
	Suite *suite = suite_create("export");
	TCase *tc = tcase_create("export");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, export_without_a_journal);
	tcase_add_test(tc, export_has_committed_bursts_only);
	tcase_add_test(tc, export_of_a_missing_file);
	tcase_add_test(tc, export_fails_cleanly);
	tcase_add_loop_test(tc, export_between_any_two_reads, 0, 4 * ACTS);
	tcase_add_test(tc, export_of_files_that_keep_changing);
	tcase_add_test(tc, export_is_tried_twice_without_a_writer);
	tcase_add_test(tc, export_of_a_truncated_file);
	tcase_add_test(tc, reader_has_size_and_image);
	tcase_add_test(tc, export_under_a_writer);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(export_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
