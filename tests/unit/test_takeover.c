/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The open burst is in memory that outlives the process, and the next process
 * resumes it: once, and only with the journal that it belongs to, also if other
 * processes have changed the files in between.
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

/* The memory that outlives a process: a part of the handover record. */
static struct {
	struct store_open_burst recorded;
	uint8_t burst[STORE_BURST_ROOM(LIMIT)];
} * shared;

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

/* A process opens the store, calls `act`, and dies; NULL: dies at once. */
static void
run_process(void (*act)(struct store *))
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		struct store *store;

		must(store_open(&store, &config, NULL, NULL) == 0);
		if (act)
			act(store);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void
record_open_burst(struct store *store)
{
	program(store, 0, "committed");
	must(store_commit(store) == 0);
	program(store, 100, "open");
	store_note_burst(store, &shared->recorded);
}

static void
commit_recorded_burst(struct store *store)
{
	record_open_burst(store);
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
	must(store_resume_burst(store, &shared->recorded) == 0);
	must(store_pending(store));
	must(store_commit(store) == 0);
}

/* The test takes over as the next process. */
static struct store *
take_over(void)
{
	struct store *store;
	int rc = store_open(&store, &config, NULL, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(store_resume_burst(store, &shared->recorded), 0);
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
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(shared != MAP_FAILED);
	config = (struct store_config){
		.path = scratch_path("VARS"),
		.burst = shared->burst,
		.burst_limit = LIMIT,
	};
	ck_assert_int_eq(create_vars(NULL, config.path, image, SIZE, &err), 0);
}

static void
teardown(void)
{
	munmap(shared, sizeof(*shared));
	scratch_remove();
}

/* _i processes in between open the store and die. */
START_TEST(open_burst_is_resumed)
{
	run_process(record_open_burst);
	for (int i = 0; i < _i; i++)
		run_process(NULL);
	expect(take_over(), true, "open");
	ck_assert_uint_eq(points(), 3);
}
END_TEST

/* Without history each checkpoint makes a new journal. */
START_TEST(open_burst_is_resumed_without_history)
{
	config.history = &none;
	run_process(record_open_burst);
	for (int i = 0; i < _i; i++)
		run_process(NULL);
	expect(take_over(), true, "open");
	ck_assert_uint_eq(points(), 0);
}
END_TEST

/* A process in between drops a torn tail. */
START_TEST(open_burst_is_resumed_behind_a_torn_tail)
{
	const char *path = scratch_path("VARS.journal");
	struct blob journal;

	run_process(record_open_burst);
	journal = blob_read(path);
	journal.data = realloc(journal.data, journal.len + 20);
	memset(journal.data + journal.len, 0x5a, 20);
	blob_write(path, journal.data, journal.len + 20);
	blob_free(&journal);
	run_process(NULL);
	expect(take_over(), true, "open");
}
END_TEST

START_TEST(committed_burst_is_left_alone)
{
	run_process(commit_recorded_burst);
	for (int i = 0; i < _i; i++)
		run_process(NULL);
	expect(take_over(), false, "open");
	ck_assert_uint_eq(points(), 3);
}
END_TEST

START_TEST(resumed_burst_is_committed)
{
	run_process(record_open_burst);
	run_process(NULL);
	run_process(resume_and_commit);
	run_process(NULL);
	expect(take_over(), false, "open");
	ck_assert_uint_eq(points(), 3);
}
END_TEST

/* A checkpoint follows the commit and makes a new journal. */
START_TEST(committed_burst_in_no_journal_any_more)
{
	config.history = &none;
	config.journal_limit = 1;
	run_process(commit_recorded_burst);
	for (int i = 0; i < _i; i++)
		run_process(NULL);
	expect(take_over(), false, "open");
}
END_TEST

/* The journal of another flash has the same sequence numbers. */
START_TEST(burst_of_another_journal_is_left_alone)
{
	const char *path = scratch_path("VARS.journal");
	struct blob blank = blob_read(config.path), journal;

	run_process(commit_another_burst);
	journal = blob_read(path);
	ck_assert_int_eq(unlink(path), 0);
	run_process(record_open_burst);
	blob_write(config.path, blank.data, blank.len);
	blob_write(path, journal.data, journal.len);
	for (int i = 0; i < _i; i++)
		run_process(NULL);
	expect(take_over(), false, "\xff\xff\xff\xff");
	blob_free(&blank);
	blob_free(&journal);
}
END_TEST

/* Both files are restored from a backup and changed after that. */
START_TEST(burst_of_a_later_time_is_left_alone)
{
	const char *path = scratch_path("VARS.journal");
	struct blob vars, journal;

	run_process(commit_another_burst);
	vars = blob_read(config.path);
	journal = blob_read(path);
	run_process(record_open_burst);
	blob_write(config.path, vars.data, vars.len);
	blob_write(path, journal.data, journal.len);
	run_process(commit_another_burst);
	expect(take_over(), false, "\xff\xff\xff\xff");
	blob_free(&vars);
	blob_free(&journal);
}
END_TEST

START_TEST(burst_without_its_journal_is_left_alone)
{
	run_process(record_open_burst);
	ck_assert_int_eq(unlink(scratch_path("VARS.journal")), 0);
	for (int i = 0; i < _i; i++)
		run_process(NULL);
	expect(take_over(), false, "\xff\xff\xff\xff");
}
END_TEST

START_TEST(journal_that_cannot_be_read_again)
{
	struct store *store;

	run_process(record_open_burst);
	config.sys = &sys_faulty;
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	fault = (struct fault){ .nth = 1, .error = EIO };
	ck_assert_int_eq(store_resume_burst(store, &shared->recorded), -EIO);
	ck_assert(store_verify(store) && !store_pending(store));
	ck_assert_int_eq(store_resume_burst(store, &shared->recorded), 0);
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
	tcase_add_loop_test(tc, open_burst_is_resumed, 0, 3);
	tcase_add_loop_test(tc, open_burst_is_resumed_without_history, 0, 3);
	tcase_add_test(tc, open_burst_is_resumed_behind_a_torn_tail);
	tcase_add_loop_test(tc, committed_burst_is_left_alone, 0, 3);
	tcase_add_test(tc, resumed_burst_is_committed);
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
