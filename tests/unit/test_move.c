/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stops store_move() at each of its system calls, as a crash does, and lets
 * each of them fail alone.  Afterwards one of the two places must have the
 * whole flash, or each must name the other; and the same call again must
 * complete the move.
 */
#include <check.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pflash/reader.h"
#include "support_store.h"

#define SIZE 8192u

struct scenario {
	bool journal, state; /* OLD has one */
	bool apart;          /* the journals are not beside VARS */
};

static const struct scenario scenarios[] = {
	{ true, true, false },   { true, false, false }, { false, true, false },
	{ false, false, false }, { true, true, true },
};

#define SCENARIOS ((int)(sizeof(scenarios) / sizeof(scenarios[0])))

static const struct scenario *scenario;
static struct blob vars, journal, state; /* of OLD, before the move */
static uint8_t image[SIZE];              /* of the flash */
static struct error err;

static const char *
path_of(bool new, const char *suffix)
{
	char name[64];
	bool apart = scenario->apart && *suffix;

	(void)snprintf(name, sizeof(name), "%s%s%s", new ? "NEW" : "OLD",
		       apart ? "-apart" : "", suffix);
	return scratch_path(name);
}

static struct store_config
config_of(bool new, const struct sys *sys)
{
	return (struct store_config){
		.path = path_of(new, ""),
		.journal = scenario->apart ? path_of(new, ".journal") : NULL,
		.sys = sys,
	};
}

/* A flash with a burst that VARS does not have, as after a kill. */
static void
prepare(int which)
{
	struct store_config config;
	struct store *store;

	scenario = &scenarios[which];
	memset(image, 0xff, SIZE);
	blob_write(path_of(false, ""), image, SIZE);
	config = config_of(false, &sys_unsynced);
	vars = blob_copy(image, SIZE);
	state = blob_copy("any bytes", 9);
	if (!scenario->journal)
		return;
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(store_program(store, 4090, "a variable", 10), 0);
	ck_assert_int_eq(store_commit(store), 0);
	journal = blob_read(path_of(false, ".journal"));
	memcpy(image, store_image(store), SIZE);
	ck_assert_int_eq(store_close(store), 0);
}

static void
restore(void)
{
	const char *const suffixes[] = { "", ".journal", ".state", ".next",
					 ".pins" };

	for (int i = 0; i < 10; i++)
		(void)unlink(path_of(i % 2, suffixes[i / 2]));
	blob_write(path_of(false, ""), vars.data, vars.len);
	ck_assert_int_eq(chmod(path_of(false, ""), 0640), 0);
	if (scenario->journal)
		blob_write(path_of(false, ".journal"), journal.data,
			   journal.len);
	if (scenario->state) {
		blob_write(path_of(false, ".state"), state.data, state.len);
		blob_write(path_of(false, ".next"), state.data, state.len);
		blob_write(path_of(false, ".pins"), state.data, state.len);
	}
}

static int
move(const struct sys *sys)
{
	const struct store_config from = config_of(false, sys);
	const struct store_config to = config_of(true, sys);

	err.text[0] = '\0';
	return store_move(&from, &to, &err);
}

static bool
exists(bool new, const char *suffix)
{
	return access(path_of(new, suffix), F_OK) == 0;
}

static void
check_content(bool new, const char *suffix, bool wanted,
	      const struct blob *content)
{
	struct blob got;

	ck_assert_msg(exists(new, suffix) == wanted, "call %u: %s", fault.nth,
		      path_of(new, suffix));
	if (!wanted)
		return;
	got = blob_read(path_of(new, suffix));
	ck_assert_msg(blob_equal(&got, content->data, content->len),
		      "call %u: %s", fault.nth, path_of(new, suffix));
	blob_free(&got);
}

/* Is the flash usable here?  Then it must be all of the flash. */
static bool
is_whole(bool new)
{
	const struct store_config config = config_of(new, &sys_unsynced);
	struct reader *reader;
	struct stat st;
	int rc = reader_open_files(&reader, &config, &err);

	if (rc) {
		ck_assert_msg(rc == -ENOENT || rc == -EREMCHG, "call %u: %s",
			      fault.nth, err.text);
		if (rc == -EREMCHG)
			ck_assert_ptr_nonnull(strstr(err.text,
						     path_of(!new, "")));
		return false;
	}
	ck_assert_mem_eq(reader_image(reader), image, SIZE);
	reader_close(reader);
	check_content(new, "", true, &vars);
	check_content(new, ".journal", scenario->journal, &journal);
	check_content(new, ".state", scenario->state, &state);
	check_content(new, ".next", scenario->state, &state);
	check_content(new, ".pins", scenario->state, &state);
	ck_assert_int_eq(stat(path_of(new, ""), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	return true;
}

static bool
old_is_gone(void)
{
	return !exists(false, "") && !exists(false, ".journal") &&
	       !exists(false, ".state") && !exists(false, ".next") &&
	       !exists(false, ".pins");
}

/* Neither is usable: no new file may take the place of either. */
static void
check_between(void)
{
	for (int new = 0; new < 2; new ++) {
		struct store_config config = config_of(new, &sys_unsynced);

		config.size = SIZE;
		ck_assert_int_ne(store_create(&config, image, &err), 0);
	}
}

static void
check_stopped(void)
{
	bool old = is_whole(false), new = is_whole(true);

	ck_assert_msg(!old || !new, "call %u: both are usable", fault.nth);
	if (!old && !new)
		check_between();
}

static void
check_moved(void)
{
	int rc = move(&sys_unsynced);

	/* The stopped call may have removed the last file of OLD. */
	if (rc != -ENOENT || !old_is_gone())
		ck_assert_msg(rc == 0, "call %u: %s", fault.nth, err.text);
	ck_assert(is_whole(true));
	ck_assert(old_is_gone());
}

static struct fault
stop_at(unsigned int nth, bool persistent, int error)
{
	return (struct fault){ .kind = FAULT_ERROR,
			       .error = error,
			       .persistent = persistent,
			       .nth = nth };
}

/* A stopped move may leave VARS without its final name. */
static void
remove_leftovers(void)
{
	char pattern[300];
	glob_t found;

	(void)snprintf(pattern, sizeof(pattern), "%s.????????????????",
		       path_of(true, ""));
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		ck_assert_int_eq(unlink(found.gl_pathv[i]), 0);
	globfree(&found);
}

static void
setup(void)
{
	scratch_make();
}

static void
teardown(void)
{
	scratch_remove();
	blob_free(&vars);
	blob_free(&journal);
	blob_free(&state);
}

static void
stop_at_each_call(bool persistent, int error)
{
	unsigned int n = 0, hits;
	int rc;

	do {
		restore();
		fault = stop_at(++n, persistent, error);
		rc = move(&sys_faulty);
		hits = fault.hits;
		fault.hits = fault.calls = 0;
		if (rc)
			ck_assert_ptr_nonnull(strstr(err.text, "pflash-test"));
		check_stopped();
		if (rc || is_whole(false))
			check_moved();
		remove_leftovers();
	} while (hits);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(n, 30);
}

START_TEST(every_call_stops_or_fails)
{
	const int errors[] = { EIO, ENOSPC, EPERM };

	prepare(_i);
	for (int i = 0; i < 6; i++)
		stop_at_each_call(i % 2, errors[i / 2]);
}
END_TEST

START_TEST(the_second_move_stops_too)
{
	unsigned int n = 0, m, hits, again;

	prepare(_i);
	do {
		n++;
		m = 0;
		do {
			restore();
			fault = stop_at(n, true, EIO);
			(void)move(&sys_faulty);
			hits = fault.hits;
			fault = stop_at(++m, true, EIO);
			(void)move(&sys_faulty);
			again = fault.hits;
			check_stopped();
			check_moved();
			remove_leftovers();
		} while (again);
	} while (hits);
	ck_assert_uint_gt(n, 30);
}
END_TEST

/* Up to step 2 the guest may run with OLD: NEW gets what it wrote. */
START_TEST(old_is_used_between)
{
	struct store_config config;
	struct store *store;
	unsigned int n = 0, used = 0;

	prepare(0);
	do {
		restore();
		(void)unlink(path_of(false, ".state"));
		fault = stop_at(++n, true, EIO);
		(void)move(&sys_faulty);
		config = config_of(false, &sys_unsynced);
		if (store_open(&store, &config, NULL, &err) < 0)
			continue;
		used++;
		ck_assert_int_eq(store_program(store, 0, "more", 4), 0);
		ck_assert_int_eq(store_close(store), 0);
		ck_assert_int_eq(move(&sys_unsynced), 0);
		config = config_of(true, &sys_unsynced);
		ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
		ck_assert_mem_eq(store_image(store), "more", 4);
		ck_assert_mem_eq(store_image(store) + 4090, "a variable", 10);
		ck_assert_int_eq(store_close(store), 0);
		remove_leftovers();
	} while (fault.hits);
	ck_assert_uint_gt(used, 10);
}
END_TEST

/* After step 3, a target that is not there keeps what is left of OLD. */
START_TEST(target_is_not_mounted)
{
	const char *notice = "mount its file system";
	unsigned int n = 0, refused = 0;

	prepare(0);
	do {
		restore();
		fault = stop_at(++n, true, EIO);
		(void)move(&sys_faulty);
		if (!is_whole(true) || old_is_gone())
			continue;
		ck_assert_int_eq(unlink(path_of(true, "")), 0);
		ck_assert_int_eq(unlink(path_of(true, ".journal")), 0);
		ck_assert_int_eq(unlink(path_of(true, ".state")), 0);
		ck_assert_int_eq(move(&sys_unsynced), -ENOENT);
		ck_assert_ptr_nonnull(strstr(err.text, notice));
		ck_assert(exists(false, ".journal"));
		refused++;
	} while (fault.hits);
	ck_assert_uint_gt(refused, 2);
}
END_TEST

START_TEST(a_used_flash_is_not_moved)
{
	const struct store_config config = { .path = scratch_path("OLD") };
	struct store *store;

	prepare(0);
	restore();
	(void)unlink(path_of(false, ".state"));
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(move(NULL), -EBUSY);
	ck_assert_int_eq(store_close(store), 0);
	ck_assert(!exists(true, "") && !exists(true, ".journal"));
}
END_TEST

START_TEST(an_existing_target_is_kept)
{
	const char *const suffixes[] = { "", ".journal", ".state", ".next",
					 ".pins" };
	const int codes[] = { -EEXIST, -EUCLEAN, -EUCLEAN, -EUCLEAN,
			      -EUCLEAN };

	prepare(0);
	restore();
	for (int i = 0; i < 5; i++) {
		struct blob kept = blob_copy("kept", 4);

		blob_write(path_of(true, suffixes[i]), "kept", 4);
		ck_assert_int_eq(move(NULL), codes[i]);
		check_content(true, suffixes[i], true, &kept);
		blob_free(&kept);
		ck_assert_int_eq(unlink(path_of(true, suffixes[i])), 0);
		ck_assert(is_whole(false));
	}
}
END_TEST

START_TEST(a_departed_flash_goes_nowhere_else)
{
	struct store_config from, to;
	unsigned int n = 30;

	prepare(0);
	do {
		restore();
		fault = stop_at(n++, true, EIO);
		(void)move(&sys_faulty);
		ck_assert_uint_gt(fault.hits, 0);
	} while (is_whole(false) || old_is_gone());
	from = config_of(false, NULL);
	to = from;
	to.path = scratch_path("OTHER");
	to.journal = NULL;
	ck_assert_int_eq(store_move(&from, &to, &err), -EREMCHG);
	ck_assert_ptr_nonnull(strstr(err.text, path_of(true, "")));
	ck_assert_int_eq(store_clone(&from, &to, &err),
			 exists(false, "") ? -EREMCHG : -ENOENT);
	ck_assert_int_ne(access(to.path, F_OK), 0);
	check_moved();
}
END_TEST

START_TEST(a_clone_is_independent)
{
	const struct store_config from = { .path = scratch_path("OLD") };
	const struct store_config to = { .path = scratch_path("NEW") };
	struct store *store;
	struct blob clone;
	struct stat st;

	prepare(0);
	restore();
	(void)unlink(path_of(false, ".state"));
	ck_assert(exists(false, ".next"));
	ck_assert_int_eq(store_open(&store, &from, NULL, &err), 0);
	ck_assert_int_eq(store_program(store, 0, "committed", 9), 0);
	ck_assert_int_eq(store_commit(store), 0);
	blob_write(path_of(false, ".state"), "any bytes", 9);
	ck_assert_int_eq(store_clone(&from, &to, &err), 0);
	clone = blob_read(to.path);
	ck_assert(blob_equal(&clone, store_image(store), SIZE));
	ck_assert_int_eq(store_close(store), 0);
	blob_free(&clone);
	ck_assert(!exists(true, ".journal") && !exists(true, ".state"));
	ck_assert(!exists(true, ".next"));
	ck_assert(!exists(true, ".pins"));
	ck_assert_int_eq(stat(to.path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(store_clone(&from, &to, &err), -EEXIST);
}
END_TEST

START_TEST(every_call_of_a_clone_fails)
{
	unsigned int n = 0, hits;

	prepare(0);
	do {
		const struct store_config from = config_of(false, &sys_faulty);
		const struct store_config to = config_of(true, &sys_faulty);
		struct blob clone;

		restore();
		fault = stop_at(++n, true, EIO);
		(void)store_clone(&from, &to, &err);
		hits = fault.hits;
		ck_assert(is_whole(false));
		ck_assert(!exists(true, ".journal"));
		if (exists(true, "")) {
			clone = blob_read(to.path);
			ck_assert(blob_equal(&clone, image, SIZE));
			blob_free(&clone);
		}
		remove_leftovers();
	} while (hits);
	ck_assert(exists(true, ""));
	ck_assert_uint_gt(n, 10);
}
END_TEST

/* --- removal --- */

static int
remove_old(const struct sys *sys)
{
	const struct store_config config = config_of(false, sys);

	err.text[0] = '\0';
	return store_remove(&config, &err);
}

/* VARS is never there without the files that belong to it. */
static void
check_whole_or_gone(void)
{
	if (!exists(false, ""))
		return;
	check_content(false, "", true, &vars);
	check_content(false, ".journal", scenario->journal, &journal);
	check_content(false, ".state", scenario->state, &state);
	check_content(false, ".next", scenario->state, &state);
	check_content(false, ".pins", scenario->state, &state);
}

START_TEST(every_call_of_a_removal_fails)
{
	struct store_config config;
	unsigned int n = 0, hits;
	int rc;

	prepare(_i);
	do {
		restore();
		n++;
		fault = stop_at(n, n % 2, EIO);
		rc = remove_old(&sys_faulty);
		hits = fault.hits;
		fault.hits = fault.calls = 0;
		if (rc)
			ck_assert_ptr_nonnull(strstr(err.text, "pflash-test"));
		check_whole_or_gone();
		config = config_of(false, NULL);
		ck_assert_int_eq(store_check_new(&config, &err),
				 exists(false, "") ? -EEXIST :
				 old_is_gone()     ? 0 :
						     -EUCLEAN);
		if (rc) {
			rc = remove_old(NULL);
			ck_assert_int_eq(rc == -ENOENT ? 0 : rc, 0);
		}
		ck_assert(old_is_gone());
	} while (hits);
	ck_assert_uint_gt(n, 5);
	ck_assert_int_eq(remove_old(NULL), -ENOENT);
}
END_TEST

START_TEST(a_used_flash_is_not_removed)
{
	struct store_config config;
	struct store *store;

	prepare(1);
	restore();
	config = config_of(false, NULL);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(remove_old(NULL), -EBUSY);
	ck_assert_int_eq(store_close(store), 0);
	ck_assert(exists(false, ""));
	ck_assert(exists(false, ".journal"));
}
END_TEST

/* The move may be between two places: neither is removed. */
START_TEST(a_moving_flash_is_not_removed)
{
	unsigned int n = 0, hits, refused = 0;

	prepare(0);
	do {
		restore();
		fault = stop_at(++n, true, EIO);
		(void)move(&sys_faulty);
		hits = fault.hits;
		fault.hits = fault.calls = 0;
		if (!is_whole(false) && !is_whole(true)) {
			ck_assert_int_eq(remove_old(NULL), -EREMCHG);
			check_moved();
			refused++;
		}
		remove_leftovers();
	} while (hits);
	ck_assert_uint_gt(refused, 2);
}
END_TEST

/* Contents are not read. */
START_TEST(a_damaged_flash_is_removed)
{
	scenario = &scenarios[0];
	blob_write(path_of(false, ""), "x", 1);
	blob_write(path_of(false, ".journal"), "no journal", 10);
	ck_assert_msg(remove_old(NULL) == 0, "%s", err.text);
	ck_assert(old_is_gone());
}
END_TEST

START_TEST(a_flash_with_two_names_is_not_removed)
{
	prepare(1);
	restore();
	ck_assert_int_eq(link(path_of(false, ""), scratch_path("TWIN")), 0);
	ck_assert_int_eq(remove_old(NULL), -EMLINK);
	ck_assert(exists(false, ""));
	ck_assert_int_eq(unlink(scratch_path("TWIN")), 0);
}
END_TEST

static Suite *
move_suite(void)
{
	Suite *suite = suite_create("move");
	TCase *tc = tcase_create("move");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, every_call_stops_or_fails, 0, SCENARIOS);
	tcase_add_loop_test(tc, the_second_move_stops_too, 0, SCENARIOS);
	tcase_add_test(tc, old_is_used_between);
	tcase_add_test(tc, target_is_not_mounted);
	tcase_add_test(tc, a_used_flash_is_not_moved);
	tcase_add_test(tc, an_existing_target_is_kept);
	tcase_add_test(tc, a_departed_flash_goes_nowhere_else);
	tcase_add_test(tc, a_clone_is_independent);
	tcase_add_test(tc, every_call_of_a_clone_fails);
	tcase_add_loop_test(tc, every_call_of_a_removal_fails, 0, SCENARIOS);
	tcase_add_test(tc, a_used_flash_is_not_removed);
	tcase_add_test(tc, a_moving_flash_is_not_removed);
	tcase_add_test(tc, a_damaged_flash_is_removed);
	tcase_add_test(tc, a_flash_with_two_names_is_not_removed);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(move_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
