/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lets each system call, and each write to the stream, of store_send() and
 * store_receive() fail.  Afterwards there must be one flash: at the sender, in
 * a stream that is whole, or at the receiver.
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

#define SIZE 8192u
#define ROOM (256u << 10)
#define ANY "any bytes"

static const char *const beside[] = { ".state", ".pins", ".next" };

#define BESIDE (sizeof(beside) / sizeof(beside[0]))

static char id[STORE_TRANSFER_TEXT];
static uint8_t image[SIZE];
static struct error err;

/* The stream; write number `fail` of it fails. */
static struct {
	uint8_t bytes[ROOM];
	size_t len;
	unsigned int writes, fail;
} stream;

static int
take(void *opaque, const void *bytes, size_t len, struct error *why)
{
	ck_assert_ptr_eq(opaque, &stream);
	if (++stream.writes == stream.fail)
		return error_errno(why, EPIPE, "the stream");
	ck_assert_uint_le(stream.len + len, sizeof(stream.bytes));
	memcpy(stream.bytes + stream.len, bytes, len);
	stream.len += len;
	return 0;
}

static const char *
path_of(const char *name, const char *suffix)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%s%s", name, suffix);
	return scratch_path(text);
}

static struct store_config
config_of(const char *name, const struct sys *sys)
{
	return (struct store_config){ .path = path_of(name, ""), .sys = sys };
}

static bool
exists(const char *name, const char *suffix)
{
	return access(path_of(name, suffix), F_OK) == 0;
}

/* A flash with a burst that VARS does not have, as after a kill. */
static void
prepare(void)
{
	const struct store_config config = config_of("A", &sys_unsynced);
	struct blob journal;
	struct store *store;

	memset(image, 0xff, SIZE);
	blob_write(path_of("A", ""), image, SIZE);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(store_program(store, 4090, "a variable", 10), 0);
	ck_assert_int_eq(store_commit(store), 0);
	journal = blob_read(path_of("A", ".journal"));
	memcpy(image, store_image(store), SIZE);
	ck_assert_int_eq(store_close(store), 0);
	memset(image + 4090, 0xff, 10);
	blob_write(path_of("A", ""), image, SIZE);
	memcpy(image + 4090, "a variable", 10);
	blob_write(path_of("A", ".journal"), journal.data, journal.len);
	blob_free(&journal);
	for (size_t i = 0; i < BESIDE; i++)
		blob_write(path_of("A", beside[i]), ANY, strlen(ANY));
}

/* Is the flash usable here?  Then it must be all of it. */
static bool
is_whole(const char *name)
{
	struct reader *reader;
	struct blob got;

	if (reader_open(&reader, NULL, path_of(name, ""), &err) < 0)
		return false;
	ck_assert_mem_eq(reader_image(reader), image, SIZE);
	reader_close(reader);
	for (size_t i = 0; i < BESIDE; i++) {
		got = blob_read(path_of(name, beside[i]));
		ck_assert_msg(blob_equal(&got, ANY, strlen(ANY)), "%s%s", name,
			      beside[i]);
		blob_free(&got);
	}
	return true;
}

static void
clear(const char *name)
{
	const struct store_config config = config_of(name, NULL);
	struct error ignored;

	(void)store_remove(&config, &ignored);
}

/* The write number `fail` of the stream fails; 0: none. */
static int
send_from(const char *name, const struct sys *sys, unsigned int fail)
{
	const struct store_config config = config_of(name, sys);
	const struct store_sink sink = { .write = take, .opaque = &stream };

	stream.len = stream.writes = 0;
	stream.fail = fail;
	err.text[0] = '\0';
	return store_send(&config, STORE_ALONE, &sink, id, &err);
}

/* Receives a copy of the stream. */
static int
receive_at(const char *name, const struct sys *sys)
{
	const struct store_config config = config_of(name, sys);
	struct blob copy = blob_copy(stream.bytes, stream.len);
	int rc;

	err.text[0] = '\0';
	rc = store_receive(&config, STORE_ALONE, copy.data, copy.len, id, &err);
	blob_free(&copy);
	return rc;
}

static void
take_back(const char *name)
{
	const struct store_config config = config_of(name, NULL);
	bool undone = false;

	ck_assert_int_eq(store_move_undo(&config, &undone, &err), 0);
	ck_assert(undone);
	ck_assert(is_whole(name));
}

static void
setup(void)
{
	scratch_make();
	prepare();
}

/* --- send --- */

START_TEST(one_flash_after_a_transfer)
{
	char sent[STORE_TRANSFER_TEXT];

	ck_assert_int_eq(send_from("A", NULL, 0), 0);
	strcpy(sent, id);
	ck_assert_uint_eq(strlen(sent), STORE_TRANSFER_TEXT - 1);
	ck_assert(!is_whole("A"));
	ck_assert_ptr_nonnull(strstr(err.text, sent));
	ck_assert_int_eq(receive_at("B", NULL), 0);
	ck_assert_str_eq(id, sent);
	ck_assert(is_whole("B"));
	ck_assert(!is_whole("A"));
	ck_assert(!exists("B.arrived", ""));
	ck_assert(!exists("B.arrived", ".journal"));
}
END_TEST

START_TEST(every_call_of_a_send_fails)
{
	unsigned int n = 0, hits;
	int rc;

	do {
		clear("A");
		prepare();
		fault = (struct fault){ .kind = FAULT_ERROR,
					.error = EIO,
					.persistent = _i,
					.nth = ++n };
		rc = send_from("A", &sys_faulty, 0);
		hits = fault.hits;
		fault.hits = fault.calls = 0;
		if (rc == 0) {
			ck_assert(!is_whole("A"));
			ck_assert_int_eq(receive_at("B", NULL), 0);
			clear("B");
		} else if (!is_whole("A")) {
			/* The note may not be durable: no stream is whole. */
			ck_assert_int_eq(receive_at("B", NULL), -EUCLEAN);
			take_back("A");
		} else {
			ck_assert_int_eq(receive_at("B", NULL), -EUCLEAN);
		}
	} while (hits);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(n, 15);
}
END_TEST

START_TEST(every_write_of_the_stream_fails)
{
	unsigned int n = 0;
	bool left = false;
	int rc;

	do {
		rc = send_from("A", NULL, ++n);
		if (rc == 0)
			break;
		ck_assert_int_eq(rc, -EPIPE);
		ck_assert_int_eq(receive_at("B", NULL), -EUCLEAN);
		left = strstr(err.text, "ends early") && !is_whole("A");
		if (left)
			take_back("A");
	} while (n < 20);
	ck_assert_int_eq(rc, 0);
	/* The last write that failed was that of the last field. */
	ck_assert(left);
	ck_assert_uint_gt(n, 5);
}
END_TEST

START_TEST(a_used_flash_is_not_sent)
{
	const struct store_config config = config_of("A", NULL);
	struct store *store;

	clear("A");
	blob_write(path_of("A", ""), image, SIZE);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(send_from("A", NULL, 0), -EBUSY);
	ck_assert_uint_eq(stream.len, 0);
	ck_assert_int_eq(store_close(store), 0);
	ck_assert_int_eq(send_from("A", NULL, 0), 0);
	ck_assert_int_eq(send_from("A", NULL, 0), -EREMCHG);
	ck_assert_uint_eq(stream.len, 0);
}
END_TEST

START_TEST(a_flash_without_journal_is_sent)
{
	clear("A");
	blob_write(path_of("A", ""), image, SIZE);
	for (size_t i = 0; i < BESIDE; i++)
		blob_write(path_of("A", beside[i]), ANY, strlen(ANY));
	ck_assert_int_eq(send_from("A", NULL, 0), 0);
	ck_assert(!is_whole("A"));
	ck_assert_int_eq(receive_at("B", NULL), 0);
	ck_assert(is_whole("B"));
	ck_assert(!exists("B", ".journal"));
	take_back("A");
	ck_assert(!exists("A", ".journal"));
}
END_TEST

/* --- receive --- */

/*
 * The same call completes what was stopped, or the command in its sentence
 * does; then 1.
 */
static unsigned int
receive_again(const char *name)
{
	char arrived[16], command[400];
	struct store_config from, to;
	int rc = receive_at(name, NULL);

	if (rc != -EREMCHG) {
		ck_assert_msg(rc == 0, "call %u: %s", fault.nth, err.text);
		return 0;
	}
	(void)snprintf(arrived, sizeof(arrived), "%s.arrived", name);
	from = config_of(arrived, NULL);
	to = config_of(name, NULL);
	(void)snprintf(command, sizeof(command), "`pflashctl move %s %s`",
		       from.path, to.path);
	ck_assert_msg(strstr(err.text, command) != NULL, "%s", err.text);
	rc = store_move(&from, &to, &err);
	ck_assert_msg(rc == 0, "call %u: %s", fault.nth, err.text);
	return 1;
}

START_TEST(every_call_of_a_receive_fails)
{
	unsigned int n = 0, hits, completed = 0;
	int rc;

	ck_assert_int_eq(send_from("A", NULL, 0), 0);
	do {
		fault = (struct fault){ .kind = FAULT_ERROR,
					.error = EIO,
					.persistent = _i,
					.nth = ++n };
		rc = receive_at("B", &sys_faulty);
		hits = fault.hits;
		fault.hits = fault.calls = 0;
		if (rc && !is_whole("B"))
			completed += receive_again("B");
		ck_assert(is_whole("B"));
		clear("B");
		clear("B.arrived");
	} while (hits);
	ck_assert_uint_gt(n, 50);
	ck_assert_uint_gt(completed, 0);
}
END_TEST

/* A bit that is changed anywhere, and each length. */
START_TEST(a_damaged_stream_changes_nothing)
{
	size_t whole;

	ck_assert_int_eq(send_from("A", NULL, 0), 0);
	whole = stream.len;
	for (size_t at = 0; at < whole; at += at < 100 ? 1 : 61) {
		stream.bytes[at] ^= 1;
		ck_assert_int_eq(receive_at("B", NULL), -EUCLEAN);
		stream.bytes[at] ^= 1;
		stream.len = at;
		ck_assert_int_eq(receive_at("B", NULL), -EUCLEAN);
		stream.len = whole;
	}
	stream.bytes[stream.len++] = 0;
	ck_assert_int_eq(receive_at("B", NULL), -EUCLEAN);
	ck_assert(!exists("B", "") && !exists("B", ".journal"));
	ck_assert(!exists("B.arrived", ""));
	stream.len = whole;
	ck_assert_int_eq(receive_at("B", NULL), 0);
	ck_assert(is_whole("B"));
}
END_TEST

START_TEST(an_existing_flash_is_kept)
{
	ck_assert_int_eq(send_from("A", NULL, 0), 0);
	ck_assert_int_eq(receive_at("B", NULL), 0);
	ck_assert_int_eq(receive_at("B", NULL), -EEXIST);
	ck_assert(is_whole("B"));
	ck_assert_int_eq(unlink(path_of("B", "")), 0);
	ck_assert_int_eq(receive_at("B", NULL), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text, "is the journal of an earlier"));
}
END_TEST

/* From A to B, and back to A, where the old files are still. */
START_TEST(a_flash_comes_back)
{
	unsigned int n = 0, hits, completed = 0;
	int rc;

	do {
		clear("A");
		clear("A.arrived");
		prepare();
		ck_assert_int_eq(send_from("A", NULL, 0), 0);
		ck_assert_int_eq(receive_at("B", NULL), 0);
		ck_assert_int_eq(send_from("B", NULL, 0), 0);
		clear("B");
		fault = (struct fault){ .kind = FAULT_ERROR,
					.error = EIO,
					.persistent = true,
					.nth = ++n };
		rc = receive_at("A", &sys_faulty);
		hits = fault.hits;
		fault.hits = fault.calls = 0;
		if (rc && !is_whole("A"))
			completed += receive_again("A");
		ck_assert_msg(is_whole("A"), "call %u: %s", n, err.text);
	} while (hits);
	ck_assert_uint_gt(n, 50);
	ck_assert_uint_gt(completed, 0);
}
END_TEST

static Suite *
transfer_suite(void)
{
	Suite *suite = suite_create("transfer");
	TCase *tc = tcase_create("transfer");

	tcase_add_checked_fixture(tc, setup, scratch_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, one_flash_after_a_transfer);
	tcase_add_loop_test(tc, every_call_of_a_send_fails, 0, 2);
	tcase_add_test(tc, every_write_of_the_stream_fails);
	tcase_add_test(tc, a_used_flash_is_not_sent);
	tcase_add_test(tc, a_flash_without_journal_is_sent);
	tcase_add_loop_test(tc, every_call_of_a_receive_fails, 0, 2);
	tcase_add_test(tc, a_damaged_stream_changes_nothing);
	tcase_add_test(tc, an_existing_flash_is_kept);
	tcase_add_test(tc, a_flash_comes_back);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(transfer_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
