/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flash that migrates with its guest: it is lent, arrives, and stays where
 * its guest goes on.  Each system call on the way fails.  A store that is
 * released stands for the pflashd of a suspended guest.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pflash/reader.h"
#include "support_store.h"

#define SIZE 8192u
#define DEVICE (24 << 20)
#define ROOM (256u << 10)
#define STATE_TEXT "a state"

static uint8_t image[SIZE];
static char id[STORE_TRANSFER_TEXT];
static struct error err;
static bool devices; /* the flash is on complete devices */

static struct {
	uint8_t bytes[ROOM];
	size_t len;
} stream;

static int
take(void *opaque, const void *bytes, size_t len, struct error *why)
{
	(void)opaque, (void)why;
	ck_assert_uint_le(stream.len + len, sizeof(stream.bytes));
	memcpy(stream.bytes + stream.len, bytes, len);
	stream.len += len;
	return 0;
}

static struct store_config
config_of(const char *name, const struct sys *sys)
{
	return (struct store_config){ .path = scratch_path(name), .sys = sys };
}

static void
prepare_device(const char *name)
{
	struct store_config config = config_of(name, NULL);
	uint8_t blank[SIZE];

	blob_write(config.path, "", 0);
	ck_assert_int_eq(truncate(config.path, DEVICE), 0);
	config.size = SIZE;
	memset(blank, 0xff, SIZE);
	ck_assert_msg(store_create_device(&config, blank, true, &err) == 0,
		      "%s", err.text);
}

static void
clear(const char *name)
{
	const struct store_config config = config_of(name, NULL);
	struct error ignored;

	if (devices)
		prepare_device(name);
	else
		(void)store_remove(&config, &ignored);
}

static void
write_burst(struct store *store, uint32_t at, const char *text)
{
	ck_assert_int_eq(store_program(store, at, text, (uint32_t)strlen(text)),
			 0);
	ck_assert_int_eq(store_commit(store), 0);
	memcpy(image, store_image(store), SIZE);
}

static void
save_state(struct store *store)
{
	struct store_state state = { .tag = "saved",
				     .len = strlen(STATE_TEXT) };

	memcpy(state.record, STATE_TEXT, state.len);
	ck_assert_int_eq(store_save_state(store, &state, &err), 0);
}

/* A suspended guest: its flash has two bursts and a state, and is released. */
static struct store *
suspended(const char *name)
{
	const struct store_config config = config_of(name, NULL);
	struct store *store;

	clear(name);
	if (!devices) {
		memset(image, 0xff, SIZE);
		blob_write(config.path, image, SIZE);
	}
	ck_assert_msg(store_open(&store, &config, NULL, &err) == 0, "%s",
		      err.text);
	write_burst(store, 4090, "a variable");
	write_burst(store, 100, "another");
	save_state(store);
	ck_assert_int_eq(store_release(store, &err), 0);
	return store;
}

/* The pflashd that gets the flash with its guest, which does not run yet. */
static int
attach(const char *name, const struct sys *sys, struct store **store)
{
	struct store_config config = config_of(name, sys);

	config.takes_arrived = true;
	return store_open(store, &config, NULL, &err);
}

static int
send_by(enum store_travel travel, const char *name, const struct sys *sys)
{
	const struct store_config config = config_of(name, sys);
	const struct store_sink sink = { .write = take };

	stream.len = 0;
	return store_send(&config, travel, &sink, id, &err);
}

static int
lend(const char *name, const struct sys *sys)
{
	return send_by(STORE_WITH_GUEST, name, sys);
}

static int
send_alone(const char *name)
{
	return send_by(STORE_ALONE, name, NULL);
}

static int
receive_by(enum store_travel travel, const char *name, const struct sys *sys)
{
	const struct store_config config = config_of(name, sys);
	struct blob copy = blob_copy(stream.bytes, stream.len);
	int rc = store_receive(&config, travel, copy.data, copy.len, id, &err);

	blob_free(&copy);
	return rc;
}

static int
receive_at(const char *name, const struct sys *sys)
{
	return receive_by(STORE_WITH_GUEST, name, sys);
}

static int
receive_alone(const char *name)
{
	return receive_by(STORE_ALONE, name, NULL);
}

/* Is this a flash that any guest may start with?  Then it must be whole. */
static bool
is_flash(const char *name)
{
	const struct store_config config = config_of(name, NULL);
	struct store_state state;
	struct store *store;

	if (store_open(&store, &config, NULL, &err) < 0)
		return false;
	ck_assert_mem_eq(store_image(store), image, SIZE);
	ck_assert_int_eq(store_load_state(store, &state, &err), 0);
	ck_assert_uint_eq(state.len, strlen(STATE_TEXT));
	ck_assert_mem_eq(state.record, STATE_TEXT, state.len);
	ck_assert_int_eq(store_close(store), 0);
	return true;
}

/* Its history has both bursts. */
static void
check_history(const char *name)
{
	const struct store_config config = config_of(name, NULL);
	struct reader_point point;
	struct reader *reader;
	unsigned int points = 0;
	size_t cursor = 0;

	ck_assert_int_eq(reader_open_files(&reader, &config, &err), 0);
	while (reader_next(reader, &cursor, &point))
		points++;
	ck_assert_uint_ge(points, 3); /* the oldest, and one for each burst */
	reader_close(reader);
}

static void
no_fault(void)
{
	fault = (struct fault){ .kind = FAULT_ERROR };
}

static void
setup(void)
{
	scratch_make();
	no_fault();
	devices = false;
}

static void
setup_devices(void)
{
	setup();
	devices = true;
}

START_TEST(a_flash_follows_its_guest)
{
	struct store *source = suspended("A"), *target;

	ck_assert_int_eq(lend("A", NULL), 0);
	ck_assert(!is_flash("A"));
	ck_assert_ptr_nonnull(strstr(err.text, "gone to another host"));
	ck_assert_ptr_null(strstr(err.text, "--journal"));
	clear("B");
	ck_assert_msg(receive_at("B", NULL) == 0, "%s", err.text);
	ck_assert(!is_flash("B"));
	ck_assert_ptr_nonnull(strstr(err.text, "has not run here"));
	ck_assert_msg(attach("B", NULL, &target) == 0, "%s", err.text);
	ck_assert(store_released(target));
	ck_assert_mem_eq(store_image(target), image, SIZE);
	ck_assert_int_eq(store_program(target, 0, "x", 1), -EBUSY);
	ck_assert(!is_flash("B"));
	/* The guest runs there, and its pflashd here ends. */
	ck_assert_msg(store_retake(target, true, &err) == 0, "%s", err.text);
	ck_assert_int_eq(store_close(source), 0);
	ck_assert(!is_flash("A"));
	write_burst(target, 5, "more");
	ck_assert_int_eq(store_close(target), 0);
	ck_assert(is_flash("B"));
	check_history("B");
}
END_TEST

START_TEST(an_aborted_migration_gives_the_flash_back)
{
	struct store *source = suspended("A"), *target;

	ck_assert_int_eq(lend("A", NULL), 0);
	clear("B");
	ck_assert_int_eq(receive_at("B", NULL), 0);
	ck_assert_int_eq(attach("B", NULL, &target), 0);
	/* The guest there is destroyed, and the one here resumed. */
	ck_assert_int_eq(store_close(target), 0);
	ck_assert_msg(store_retake(source, true, &err) == 0, "%s", err.text);
	write_burst(source, 5, "more");
	ck_assert(!is_flash("B"));
	ck_assert_int_eq(store_release(source, &err), 0);
	/* The next try replaces what has arrived before. */
	ck_assert_int_eq(lend("A", NULL), 0);
	ck_assert_msg(receive_at("B", NULL) == 0, "%s", err.text);
	ck_assert_int_eq(attach("B", NULL, &target), 0);
	ck_assert_int_eq(store_retake(target, true, &err), 0);
	ck_assert_int_eq(store_close(target), 0);
	ck_assert_int_eq(store_close(source), 0);
	ck_assert(is_flash("B"));
	ck_assert(!is_flash("A"));
}
END_TEST

START_TEST(a_flash_comes_back_with_its_guest)
{
	struct store *source = suspended("A"), *target;

	ck_assert_int_eq(lend("A", NULL), 0);
	ck_assert_int_eq(store_close(source), 0);
	clear("B");
	ck_assert_int_eq(receive_at("B", NULL), 0);
	ck_assert_int_eq(attach("B", NULL, &target), 0);
	ck_assert_int_eq(store_retake(target, true, &err), 0);
	write_burst(target, 5, "more");
	ck_assert_int_eq(store_release(target, &err), 0);
	ck_assert_int_eq(lend("B", NULL), 0);
	ck_assert_msg(receive_at("A", NULL) == 0, "%s", err.text);
	ck_assert_int_eq(store_close(target), 0);
	ck_assert_int_eq(attach("A", NULL, &source), 0);
	ck_assert_int_eq(store_retake(source, true, &err), 0);
	ck_assert_int_eq(store_close(source), 0);
	ck_assert(is_flash("A"));
	ck_assert(!is_flash("B"));
	check_history("A");
}
END_TEST

/* The file of `xl save` has the flash; the first try to restore it fails. */
START_TEST(a_saved_guest_is_restored_in_its_place)
{
	struct store *source = suspended("A"), *target;

	ck_assert_int_eq(lend("A", NULL), 0);
	ck_assert_int_eq(store_close(source), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_msg(receive_at("A", NULL) == 0, "%s", err.text);
		ck_assert(!is_flash("A"));
		ck_assert_ptr_nonnull(strstr(err.text, "its guest takes it"));
		ck_assert_int_eq(attach("A", NULL, &target), 0);
		if (i == 0)
			ck_assert_int_eq(store_close(target), 0);
	}
	ck_assert_msg(store_retake(target, true, &err) == 0, "%s", err.text);
	write_burst(target, 5, "more");
	ck_assert_int_eq(store_close(target), 0);
	ck_assert(is_flash("A"));
	check_history("A");
	ck_assert_int_lt(receive_at("A", NULL), 0);
	ck_assert(is_flash("A"));
}
END_TEST

/* _i: the guest is resumed by the source. */
START_TEST(hosts_that_share_the_place)
{
	struct store *source = suspended("A"), *target;

	ck_assert_int_eq(lend("A", NULL), 0);
	ck_assert_msg(receive_at("A", NULL) == 0, "%s", err.text);
	ck_assert_int_eq(attach("A", NULL, &target), 0);
	if (_i) {
		ck_assert_msg(store_retake(source, true, &err) == 0, "%s",
			      err.text);
		ck_assert_int_eq(store_retake(target, false, &err), -EBUSY);
		write_burst(source, 5, "more");
	} else {
		ck_assert_int_eq(store_retake(target, true, &err), 0);
		ck_assert_int_eq(store_retake(source, false, &err), -EBUSY);
		write_burst(target, 5, "more");
	}
	ck_assert_int_eq(store_close(source), 0);
	ck_assert_int_eq(store_close(target), 0);
	ck_assert(is_flash("A"));
	check_history("A");
}
END_TEST

/* It is a flash when it is whole, without a guest. */
START_TEST(a_flash_travels_alone)
{
	struct store *source = suspended("A");

	ck_assert_int_eq(store_close(source), 0);
	ck_assert_int_eq(send_alone("A"), 0);
	ck_assert(!is_flash("A"));
	clear("B");
	ck_assert_msg(receive_alone("B") == 0, "%s", err.text);
	ck_assert(is_flash("B"));
	check_history("B");
	ck_assert_int_eq(receive_alone("B"), -EEXIST);
	ck_assert(is_flash("B"));
}
END_TEST

START_TEST(a_flash_is_neither_replaced_nor_lent_twice)
{
	struct store *source = suspended("A"), *target;

	ck_assert_int_eq(lend("A", NULL), 0);
	ck_assert_int_eq(receive_alone("A"), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "share its storage"));
	ck_assert_int_eq(lend("A", NULL), -EREMCHG);
	ck_assert_int_eq(store_retake(source, true, &err), 0);
	ck_assert_int_eq(lend("A", NULL), -EBUSY);
	ck_assert_int_eq(store_close(source), 0);
	ck_assert_int_eq(lend("A", NULL), 0);
	clear("B");
	ck_assert_int_eq(receive_at("B", NULL), 0);
	ck_assert_int_eq(attach("B", NULL, &target), 0);
	ck_assert_int_eq(store_retake(target, true, &err), 0);
	ck_assert_int_lt(receive_at("B", NULL), 0);
	ck_assert_int_eq(store_close(target), 0);
	ck_assert_int_lt(receive_at("B", NULL), 0);
	ck_assert(is_flash("B"));
}
END_TEST

/* A guest that waits must find the flash that it came with. */
START_TEST(another_flash_in_its_place_is_refused)
{
	struct store *source = suspended("A"), *target;

	ck_assert_int_eq(lend("A", NULL), 0);
	clear("B");
	ck_assert_int_eq(receive_at("B", NULL), 0);
	ck_assert_int_eq(attach("B", NULL, &target), 0);
	ck_assert_int_eq(store_close(source), 0);
	source = suspended("C");
	ck_assert_int_eq(store_retake(source, true, &err), 0);
	write_burst(source, 7, "other");
	ck_assert_int_eq(store_release(source, &err), 0);
	ck_assert_int_eq(lend("C", NULL), 0);
	ck_assert_int_eq(receive_at("B", NULL), 0);
	ck_assert_int_eq(store_retake(target, true, &err), -ESTALE);
	ck_assert_int_eq(store_failed(target), -ESTALE);
	(void)store_close(target);
	ck_assert_int_eq(store_close(source), 0);
	ck_assert(!is_flash("B"));
}
END_TEST

START_TEST(the_administrator_decides)
{
	const struct store_config a = config_of("A", NULL);
	struct store *source = suspended("A");
	bool undone;

	ck_assert_int_eq(lend("A", NULL), 0);
	clear("B");
	ck_assert_int_eq(receive_at("B", NULL), 0);
	ck_assert_int_eq(store_close(source), 0);
	if (_i == 0) {
		ck_assert_int_eq(store_move_undo(&a, &undone, &err), 0);
		ck_assert(undone && is_flash("A") && !is_flash("B"));
	} else {
		const struct store_config b = config_of("B", NULL);

		ck_assert_int_eq(store_move_undo(&b, &undone, &err), 0);
		ck_assert(undone && is_flash("B") && !is_flash("A"));
		check_history("B");
	}
}
END_TEST

START_TEST(a_flash_without_journal_follows_its_guest)
{
	struct store *source = suspended("A"), *target;

	ck_assert_int_eq(unlink(scratch_path("A.journal")), 0);
	ck_assert_int_eq(lend("A", NULL), 0);
	ck_assert_int_eq(receive_at("B", NULL), 0);
	ck_assert(!is_flash("B"));
	ck_assert_int_eq(attach("B", NULL, &target), 0);
	if (_i == 0) {
		ck_assert_int_eq(store_retake(target, true, &err), 0);
		ck_assert_int_eq(store_close(source), 0);
		write_burst(target, 5, "more");
		ck_assert_int_eq(store_close(target), 0);
		ck_assert(is_flash("B") && !is_flash("A"));
	} else {
		ck_assert_int_eq(store_close(target), 0);
		ck_assert_int_eq(store_retake(source, true, &err), 0);
		ck_assert_int_eq(store_close(source), 0);
		ck_assert(is_flash("A") && !is_flash("B"));
	}
}
END_TEST

/* --- each call fails --- */

static unsigned int
inject(unsigned int n, int persistent)
{
	unsigned int hits = fault.hits;

	fault = (struct fault){ .kind = FAULT_ERROR,
				.error = EIO,
				.persistent = persistent,
				.nth = n };
	return hits;
}

/* After it, the guest resumes here. */
START_TEST(every_call_of_lending_fails)
{
	unsigned int n = 0, hits;
	int rc;

	do {
		struct store *source = suspended("A");

		inject(++n, _i);
		rc = lend("A", &sys_faulty);
		hits = inject(0, 0);
		clear("B");
		if (rc)
			ck_assert_int_eq(receive_at("B", NULL), -EUCLEAN);
		ck_assert_msg(store_retake(source, true, &err) == 0,
			      "call %u: %s", n, err.text);
		ck_assert_int_eq(store_close(source), 0);
		ck_assert(is_flash("A"));
	} while (hits);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(n, 15);
}
END_TEST

/* After it, the guest resumes there; or the same call succeeds. */
START_TEST(every_call_of_an_arrival_fails)
{
	struct store *source = suspended("A"), *target;
	unsigned int n = 0, hits;
	int rc;

	ck_assert_int_eq(lend("A", NULL), 0);
	do {
		clear("B");
		/* A prepared device is an empty flash. */
		if (devices)
			ck_assert_int_eq(receive_at("B", NULL), 0);
		inject(++n, _i);
		rc = receive_at("B", &sys_faulty);
		hits = inject(0, 0);
		ck_assert_msg(!is_flash("B"), "call %u", n);
		if (rc)
			ck_assert_msg(receive_at("B", NULL) == 0, "call %u: %s",
				      n, err.text);
		ck_assert(!is_flash("B"));
		ck_assert_int_eq(attach("B", NULL, &target), 0);
		ck_assert_int_eq(store_retake(target, true, &err), 0);
		ck_assert_int_eq(store_close(target), 0);
		ck_assert(is_flash("B"));
	} while (hits);
	ck_assert_int_eq(store_retake(source, true, &err), 0);
	ck_assert_int_eq(store_close(source), 0);
	ck_assert_uint_gt(n, 15);
}
END_TEST

/*
 * The guest runs, and the flash cannot be taken: it becomes read-only.  Its
 * place has the note, or the flash.
 */
START_TEST(every_call_of_taking_fails)
{
	unsigned int n = 0, hits, notes = 0, flashes = 0;
	struct store *source, *target;
	int rc;

	do {
		source = suspended("A");
		ck_assert_int_eq(lend("A", NULL), 0);
		clear("B");
		ck_assert_int_eq(receive_at("B", NULL), 0);
		ck_assert_int_eq(attach("B", &sys_faulty, &target), 0);
		inject(++n, _i);
		rc = store_retake(target, true, &err);
		hits = inject(0, 0);
		(void)store_close(target);
		if (rc && attach("B", NULL, &target) == 0) {
			notes += store_released(target);
			flashes += !store_released(target);
			ck_assert_int_eq(store_retake(target, true, &err), 0);
			ck_assert_int_eq(store_close(target), 0);
		}
		ck_assert_msg(is_flash("B"), "call %u: %s", n, err.text);
		ck_assert_int_eq(store_close(source), 0);
	} while (hits);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(notes, 5);
	ck_assert_uint_gt(flashes, 0);
}
END_TEST

/* Onto a device: it is all there, or the same call completes it. */
START_TEST(every_call_of_a_lone_arrival_fails)
{
	struct store *source = suspended("A");
	unsigned int n = 0, hits, repeated = 0;
	int rc, again;

	ck_assert_int_eq(store_close(source), 0);
	ck_assert_int_eq(send_alone("A"), 0);
	do {
		clear("B");
		inject(++n, _i);
		rc = receive_by(STORE_ALONE, "B", &sys_faulty);
		hits = inject(0, 0);
		again = rc ? receive_alone("B") : 0;
		repeated += rc && again == 0;
		ck_assert_msg(again == 0 || again == -EEXIST, "call %u: %s", n,
			      err.text);
		ck_assert_msg(is_flash("B"), "call %u: %s", n, err.text);
	} while (hits);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(repeated, 15);
	check_history("B");
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_flash_follows_its_guest);
	tcase_add_test(tc, an_aborted_migration_gives_the_flash_back);
	tcase_add_test(tc, a_flash_comes_back_with_its_guest);
	tcase_add_test(tc, a_flash_travels_alone);
	tcase_add_test(tc, a_saved_guest_is_restored_in_its_place);
	tcase_add_loop_test(tc, hosts_that_share_the_place, 0, 2);
	tcase_add_test(tc, a_flash_is_neither_replaced_nor_lent_twice);
	tcase_add_test(tc, another_flash_in_its_place_is_refused);
	tcase_add_loop_test(tc, the_administrator_decides, 0, 2);
	tcase_add_loop_test(tc, every_call_of_lending_fails, 0, 2);
	tcase_add_loop_test(tc, every_call_of_an_arrival_fails, 0, 2);
	tcase_add_loop_test(tc, every_call_of_taking_fails, 0, 2);
}

static Suite *
travel_suite(void)
{
	Suite *suite = suite_create("travel");
	TCase *files = tcase_create("files"), *on = tcase_create("devices");

	tcase_add_checked_fixture(files, setup, scratch_remove);
	add_tests(files);
	tcase_add_loop_test(files, a_flash_without_journal_follows_its_guest, 0,
			    2);
	suite_add_tcase(suite, files);
	tcase_add_checked_fixture(on, setup_devices, scratch_remove);
	add_tests(on);
	tcase_add_loop_test(on, every_call_of_a_lone_arrival_fails, 0, 2);
	suite_add_tcase(suite, on);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(travel_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
