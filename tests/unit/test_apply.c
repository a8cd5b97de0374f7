/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the queue at the start of a guest: each list becomes one point of the
 * history, once, also if the start stops at any call and is repeated; and the
 * lines in the log.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_store.h"
#include "support_vars.h"

#include "pflash/pins.h"
#include "pflash/queue.h"
#include "pflash/reader.h"
#include "worker/apply.h"

static const struct store_history history = { .bytes = 1 << 20 };
static struct error err;
static struct files *files;
static char log_text[4096];
static struct pins *pins; /* NULL: none */

static void
setup(void)
{
	struct vars vars = vars_make("2m");

	scratch_make();
	memset(&fault, 0, sizeof(fault));
	vars_add(&vars, VARIABLE_ADDED, vendor_global, "A", "a");
	ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), vars.image,
				     vars.size, &err),
			 0);
	vars_free(&vars);
	ck_assert_int_eq(files_local(&files, scratch_path("VARS"), NULL,
				     &sys_faulty, &err),
			 0);
}

static void
teardown(void)
{
	files->ops->close(files);
	scratch_remove();
}

/* A list that sets variables of one letter, each to "1". */
static struct changes *
list_of(const char *letters)
{
	struct changes *changes = changes_new();
	uint8_t name[4] = { 0 };

	ck_assert_ptr_nonnull(changes);
	for (; *letters; letters++) {
		const struct edit_value value = {
			.guid = vendor_global,
			.name = name,
			.name_size = sizeof(name),
			.attributes = 7,
			.data = (const uint8_t *)"1",
			.data_size = 1,
		};

		name[0] = (uint8_t)*letters;
		ck_assert_int_eq(changes_set(changes, &value, &err), 0);
	}
	return changes;
}

static void
append(struct changes *changes, const char *text)
{
	const struct queue_item item = {
		.time = UINT64_C(1700000000) * 1000000000u,
		.text = text,
		.changes = changes,
	};

	ck_assert_int_eq(queue_append(files, NULL, &item, &err), 0);
	changes_free(changes);
}

/* Applies the queue as the worker does at a start; the log is in log_text. */
static int
start(void)
{
	const struct store_config config = {
		.files = files,
		.history = &history,
		.sys = &sys_faulty,
	};
	int saved = dup(STDERR_FILENO), rc;
	int fd = open(scratch_path("log"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	ssize_t len;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	rc = apply_queue(&config, pins, &err);
	fflush(stderr);
	ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	len = pread(fd, log_text, sizeof(log_text) - 1, 0);
	ck_assert_int_ge(len, 0);
	log_text[len] = '\0';
	close(fd);
	close(saved);
	return rc;
}

static void
logged(const char *text)
{
	ck_assert_msg(strstr(log_text, text) != NULL, "%s, not %s", log_text,
		      text);
}

static bool
exists(const char *name)
{
	struct stat st;

	return lstat(scratch_path(name), &st) == 0;
}

/* The live variables of one letter: "A=a B=1 ". */
static void
variables_are(const char *wanted)
{
	const struct store_config config = { .path = scratch_path("VARS") };
	struct reader *reader;
	struct varstore store;
	struct variable v = { 0 };
	char all[256] = "", name[16];

	ck_assert_int_eq(reader_open_files(&reader, &config, &err), 0);
	ck_assert_int_eq(varstore_open(&store, reader_image(reader),
				       reader_size(reader), &err),
			 0);
	while (varstore_next(&store, &v) > 0) {
		if (!v.live)
			continue;
		variable_name(&v, name, sizeof(name));
		strcat(strcat(all, name), "=");
		strncat(all, (const char *)v.data, v.data_size);
		strcat(all, " ");
	}
	ck_assert_str_eq(all, wanted);
	reader_close(reader);
}

/* The points of the history, without its beginning. */
static unsigned int
points(void)
{
	const struct store_config config = { .path = scratch_path("VARS") };
	struct reader_point point;
	struct reader *reader;
	unsigned int count = 0;
	size_t cursor = 0;

	ck_assert_int_eq(reader_open_files(&reader, &config, &err), 0);
	while (reader_next(reader, &cursor, &point))
		count += !point.oldest;
	reader_close(reader);
	return count;
}

START_TEST(each_list_is_one_point)
{
	append(list_of("BC"), "vars set B C");
	append(list_of("AD"), "vars set A D\nforged");
	ck_assert_int_eq(start(), 0);
	variables_are("B=1 C=1 A=1 D=1 ");
	ck_assert_uint_eq(points(), 2);
	ck_assert(!exists("VARS.next"));
	logged("applied at start: vars set B C (queued at 2023-11-14 22:13:20 "
	       "UTC)\n");
	logged("applied at start: vars set A D?forged (queued at");
	ck_assert_int_eq(start(), 0);
	ck_assert_str_eq(log_text, "");
	ck_assert_uint_eq(points(), 2);
}
END_TEST

START_TEST(list_that_cannot_be_applied_is_dropped)
{
	struct changes *stale = list_of("AB");
	struct vars other = vars_make("2m");
	struct varstore store;

	ck_assert_int_eq(varstore_open(&store, other.image, other.size, &err),
			 0);
	ck_assert_int_eq(changes_expect(stale, &store, &err), 0);
	append(stale, "vars set A B");
	append(list_of("C"), "vars set C");
	ck_assert_int_eq(start(), 0);
	variables_are("A=a C=1 ");
	ck_assert_uint_eq(points(), 1);
	logged("dropped at start: vars set A B (queued at ");
	logged("): the variable A of vendor ");
	logged(" has changed since the change of it was planned");
	logged("applied at start: vars set C");
	ck_assert(!exists("VARS.next"));
	vars_free(&other);
}
END_TEST

START_TEST(damaged_queue_is_kept)
{
	blob_write(scratch_path("VARS.next"), "damaged", 7);
	ck_assert_int_eq(start(), 0);
	ck_assert(!exists("VARS.next") && exists("VARS.next.kept"));
	logged("no queued change is applied: ");
	logged("VARS.next: damaged: it has no list of changes; it is kept as ");
	logged("/VARS.next.kept\n");
	variables_are("A=a ");
	ck_assert(!exists("VARS.journal"));
}
END_TEST

START_TEST(queue_that_is_no_file_is_kept)
{
	ck_assert_int_eq(mkdir(scratch_path("VARS.next"), 0700), 0);
	blob_write(scratch_path("VARS.next.kept"), "x", 1);
	ck_assert_int_eq(start(), 0);
	ck_assert(!exists("VARS.next") && exists("VARS.next.kept.1"));
	logged("not a regular file, but a directory; it is kept as ");
}
END_TEST

START_TEST(no_queue)
{
	ck_assert_int_eq(start(), 0);
	ck_assert_str_eq(log_text, "");
	ck_assert(!exists("VARS.journal"));
}
END_TEST

static void
restore(const struct blob *vars)
{
	(void)unlink(scratch_path("VARS.journal"));
	(void)unlink(scratch_path("VARS.next"));
	blob_write(scratch_path("VARS"), vars->data, vars->len);
	append(list_of("B"), "one");
	append(list_of("AC"), "two");
	append(list_of("D"), "three");
}

/*
 * Each call fails in turn, and so do all later ones, as if the process had
 * died; the next start completes the queue, and no list counts twice.
 */
START_TEST(start_stops_at_any_call)
{
	struct blob vars = blob_read(scratch_path("VARS"));
	unsigned int nth = 0, failed = 0;
	bool hit;

	do {
		restore(&vars);
		fault = (struct fault){ .error = EIO,
					.nth = ++nth,
					.persistent = true };
		failed += start() < 0;
		hit = fault.hits > 0;
		memset(&fault, 0, sizeof(fault));
		ck_assert_int_eq(start(), 0);
		ck_assert(!exists("VARS.next"));
		variables_are("B=1 A=1 C=1 D=1 ");
		ck_assert_uint_eq(points(), 3);
	} while (hit);
	ck_assert_uint_gt(nth, 60);
	ck_assert_uint_gt(failed, 50);
	blob_free(&vars);
}
END_TEST

/* --- the record of pinned variables --- */

#define PIN_A "8be4df61-93ca-11d2-aa0d-00e098032b8c:A"

/* As a worker does before it applies the queue. */
static int
start_with_pins(void)
{
	int rc;

	ck_assert_int_eq(pins_parse(&pins, PIN_A, &err), 0);
	rc = pins_read(pins, files, &sys_faulty, &err);
	if (!rc)
		rc = start();
	pins_free(pins);
	pins = NULL;
	return rc;
}

/* The record has A with this value. */
static void
recorded_is(const char *value)
{
	struct changes *record = changes_new();
	const struct change *change;
	struct pins *read;

	ck_assert_int_eq(pins_parse(&read, PIN_A, &err), 0);
	ck_assert_int_eq(pins_read(read, files, NULL, &err), 0);
	ck_assert_int_eq(pins_save(read, record, &err), 0);
	ck_assert_uint_eq(changes_count(record), 1);
	change = changes_at(record, 0);
	ck_assert_int_eq(change->kind, CHANGE_SET);
	ck_assert_uint_eq(change->value.data_size, strlen(value));
	ck_assert_mem_eq(change->value.data, value, strlen(value));
	changes_free(record);
	pins_free(read);
}

/* Writes a record of A's value in VARS. */
static void
make_record(void)
{
	struct blob vars = blob_read(scratch_path("VARS"));
	struct pins *first;

	ck_assert_int_eq(pins_parse(&first, PIN_A, &err), 0);
	ck_assert_int_eq(pins_start(first, vars.data, vars.len, &err), 0);
	ck_assert_int_eq(pins_write(first, files, NULL, &err), 0);
	pins_free(first);
	blob_free(&vars);
	recorded_is("a");
}

START_TEST(record_follows_the_queue)
{
	struct blob vars = blob_read(scratch_path("VARS"));
	unsigned int nth = 0, failed = 0;
	bool hit;

	do {
		restore(&vars);
		make_record();
		fault = (struct fault){ .error = EIO,
					.nth = ++nth,
					.persistent = true };
		failed += start_with_pins() < 0;
		hit = fault.hits > 0;
		memset(&fault, 0, sizeof(fault));
		ck_assert_int_eq(start_with_pins(), 0);
		variables_are("B=1 A=1 C=1 D=1 ");
		recorded_is("1");
	} while (hit);
	ck_assert_uint_gt(failed, 50);
	blob_free(&vars);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("apply");
	TCase *tc = tcase_create("apply");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_list_is_one_point);
	tcase_add_test(tc, list_that_cannot_be_applied_is_dropped);
	tcase_add_test(tc, damaged_queue_is_kept);
	tcase_add_test(tc, queue_that_is_no_file_is_kept);
	tcase_add_test(tc, no_queue);
	tcase_add_test(tc, start_stops_at_any_call);
	tcase_add_test(tc, record_follows_the_queue);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
