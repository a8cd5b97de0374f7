/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The open burst lies in memory that outlives the process, and the next one
 * goes on with it: once, and with the journal it was noted for, whoever had the
 * files in between.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pflash/reader.h"
#include "support_store.h"

#define BLOCK 4096u
#define SIZE (2 * BLOCK)
#define LIMIT 8192u

/* What outlives a process. */
static struct {
	struct store_open_burst noted;
	uint8_t burst[STORE_BURST_ROOM(LIMIT)];
} * live;

static const struct store_history none = { .bytes = 0 };
static struct store_config config;
static struct error err;

static void
must(bool condition)
{
	if (!condition)
		_exit(1);
}

static void
program(struct store *store, uint32_t off, const char *text)
{
	must(store_program(store, off, text, (uint32_t)strlen(text)) == 0);
}

/* One process that has the store, does this, and dies. */
static void
life(void (*does)(struct store *))
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		struct store *store;

		must(store_open(&store, &config, NULL, NULL) == 0);
		if (does)
			does(store);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void
note_open_burst(struct store *store)
{
	program(store, 0, "committed");
	must(store_commit(store) == 0);
	program(store, 100, "open");
	store_note_burst(store, &live->noted);
}

static void
commit_noted_burst(struct store *store)
{
	note_open_burst(store);
	must(store_commit(store) == 0);
}

static void
commit_another_burst(struct store *store)
{
	program(store, 0, "of another flash");
	must(store_commit(store) == 0);
}

static void
resume_and_commit(struct store *store)
{
	must(store_resume_burst(store, &live->noted) == 0);
	must(store_pending(store));
	must(store_commit(store) == 0);
}

/* The next process, this one. */
static struct store *
take_over(void)
{
	struct store *store;
	int rc = store_open(&store, &config, NULL, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(store_resume_burst(store, &live->noted), 0);
	ck_assert(store_verify(store));
	return store;
}

static void
expect(struct store *store, bool open, const char *text)
{
	ck_assert(store_pending(store) == open);
	ck_assert_mem_eq(store_image(store) + 100, text, 4);
	ck_assert_int_eq(store_close(store), 0);
}

static unsigned int
points(void)
{
	struct reader_point point;
	struct reader *reader;
	unsigned int count = 0;
	size_t cursor = 0;

	ck_assert_int_eq(reader_open(&reader, NULL, config.path, &err), 0);
	while (reader_next(reader, &cursor, &point))
		count++;
	reader_close(reader);
	return count;
}

static void
setup(void)
{
	uint8_t image[SIZE];

	scratch_make();
	memset(image, 0xff, sizeof(image));
	live = mmap(NULL, sizeof(*live), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(live != MAP_FAILED);
	config = (struct store_config){
		.path = scratch_path("VARS"),
		.burst = live->burst,
		.burst_limit = LIMIT,
	};
	ck_assert_int_eq(create_vars(NULL, config.path, image, SIZE, &err), 0);
}

static void
teardown(void)
{
	munmap(live, sizeof(*live));
	scratch_remove();
}

/* _i: processes between them, which die when they have opened the store. */
START_TEST(open_burst_goes_on)
{
	life(note_open_burst);
	for (int i = 0; i < _i; i++)
		life(NULL);
	expect(take_over(), true, "open");
	ck_assert_uint_eq(points(), 3);
}
END_TEST

/* Where each checkpoint makes a new journal. */
START_TEST(open_burst_goes_on_without_history)
{
	config.history = &none;
	life(note_open_burst);
	for (int i = 0; i < _i; i++)
		life(NULL);
	expect(take_over(), true, "open");
	ck_assert_uint_eq(points(), 0);
}
END_TEST

/* A torn tail is dropped on the way. */
START_TEST(open_burst_goes_on_behind_a_torn_tail)
{
	const char *path = scratch_path("VARS.journal");
	struct blob journal;

	life(note_open_burst);
	journal = blob_read(path);
	journal.data = realloc(journal.data, journal.len + 20);
	memset(journal.data + journal.len, 0x5a, 20);
	blob_write(path, journal.data, journal.len + 20);
	blob_free(&journal);
	life(NULL);
	expect(take_over(), true, "open");
}
END_TEST

START_TEST(committed_burst_is_left_alone)
{
	life(commit_noted_burst);
	for (int i = 0; i < _i; i++)
		life(NULL);
	expect(take_over(), false, "open");
	ck_assert_uint_eq(points(), 3);
}
END_TEST

START_TEST(burst_is_committed_by_who_took_over)
{
	life(note_open_burst);
	life(NULL);
	life(resume_and_commit);
	life(NULL);
	expect(take_over(), false, "open");
	ck_assert_uint_eq(points(), 3);
}
END_TEST

/* The commit is followed by a checkpoint, which makes a new journal. */
START_TEST(committed_burst_in_no_journal_any_more)
{
	config.history = &none;
	config.journal_limit = 1;
	life(commit_noted_burst);
	for (int i = 0; i < _i; i++)
		life(NULL);
	expect(take_over(), false, "open");
}
END_TEST

/* Of another flash, with records of the same numbers. */
START_TEST(burst_of_another_journal_is_left_alone)
{
	const char *path = scratch_path("VARS.journal");
	struct blob blank = blob_read(config.path), journal;

	life(commit_another_burst);
	journal = blob_read(path);
	ck_assert_int_eq(unlink(path), 0);
	life(note_open_burst);
	blob_write(config.path, blank.data, blank.len);
	blob_write(path, journal.data, journal.len);
	for (int i = 0; i < _i; i++)
		life(NULL);
	expect(take_over(), false, "\xff\xff\xff\xff");
	blob_free(&blank);
	blob_free(&journal);
}
END_TEST

/* Both put back from an earlier time, and changed from there. */
START_TEST(burst_of_a_later_time_is_left_alone)
{
	const char *path = scratch_path("VARS.journal");
	struct blob vars, journal;

	life(commit_another_burst);
	vars = blob_read(config.path);
	journal = blob_read(path);
	life(note_open_burst);
	blob_write(config.path, vars.data, vars.len);
	blob_write(path, journal.data, journal.len);
	life(commit_another_burst);
	expect(take_over(), false, "\xff\xff\xff\xff");
	blob_free(&vars);
	blob_free(&journal);
}
END_TEST

START_TEST(burst_without_its_journal_is_left_alone)
{
	life(note_open_burst);
	ck_assert_int_eq(unlink(scratch_path("VARS.journal")), 0);
	for (int i = 0; i < _i; i++)
		life(NULL);
	expect(take_over(), false, "\xff\xff\xff\xff");
}
END_TEST

START_TEST(journal_that_cannot_be_read_again)
{
	struct store *store;

	life(note_open_burst);
	config.sys = &sys_faulty;
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	fault = (struct fault){ .nth = 1, .error = EIO };
	ck_assert_int_eq(store_resume_burst(store, &live->noted), -EIO);
	ck_assert(store_verify(store) && !store_pending(store));
	ck_assert_int_eq(store_resume_burst(store, &live->noted), 0);
	expect(store, true, "open");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("takeover");
	TCase *tc = tcase_create("takeover");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, open_burst_goes_on, 0, 3);
	tcase_add_loop_test(tc, open_burst_goes_on_without_history, 0, 3);
	tcase_add_test(tc, open_burst_goes_on_behind_a_torn_tail);
	tcase_add_loop_test(tc, committed_burst_is_left_alone, 0, 3);
	tcase_add_test(tc, burst_is_committed_by_who_took_over);
	tcase_add_loop_test(tc, committed_burst_in_no_journal_any_more, 0, 3);
	tcase_add_loop_test(tc, burst_of_another_journal_is_left_alone, 0, 3);
	tcase_add_test(tc, burst_of_a_later_time_is_left_alone);
	tcase_add_loop_test(tc, burst_without_its_journal_is_left_alone, 0, 3);
	tcase_add_test(tc, journal_that_cannot_be_read_again);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
