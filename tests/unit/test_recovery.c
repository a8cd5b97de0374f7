/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Journals that are cut, damaged or somebody else's.  states[n] is the image
 * after n bursts, records[n] the offset at which the record of burst n ends.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_store.h"

#define BLOCK 4096u
#define SIZE (2 * BLOCK)
#define BURSTS 3u

static uint8_t states[BURSTS + 1][SIZE];
static size_t records[BURSTS + 1];
static struct blob journal;
static struct error err;

static int
open_vars(struct store **store, struct store_recovery *found)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.sys = &sys_unsynced,
	};

	return store_open(store, &config, found, &err);
}

static void
make_burst(struct store *store, unsigned int n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "burst number %u", n);
	ck_assert(!store_erase(store, (n % 2) * BLOCK, 64 * n));
	ck_assert(!store_program(store, n * 1000, text,
				 (uint32_t)strlen(text)));
	ck_assert(!store_commit(store));
}

static void
take_state(struct store *store, unsigned int n)
{
	blob_free(&journal);
	journal = blob_read(scratch_path("VARS.journal"));
	records[n] = journal.len;
	memcpy(states[n], store_image(store), SIZE);
}

static void
setup(void)
{
	struct store *store;

	scratch_make();
	blob_write(scratch_path("VARS"), states[0], SIZE);
	ck_assert_int_eq(open_vars(&store, NULL), 0);
	take_state(store, 0);
	for (unsigned int n = 1; n <= BURSTS; n++) {
		make_burst(store, n);
		take_state(store, n);
	}
	ck_assert_int_eq(store_close(store), 0);
}

static void
teardown(void)
{
	blob_free(&journal);
	scratch_remove();
}

/* The files as a crash may have left them. */
static void
put_files(const uint8_t *vars, const uint8_t *bytes, size_t len)
{
	blob_write(scratch_path("VARS"), vars, SIZE);
	blob_write(scratch_path("VARS.journal"), bytes, len);
}

/* Export and open agree on the state, and on the second opening too. */
static void
check_state(unsigned int n, size_t dropped)
{
	struct store_recovery found;
	struct store *store;
	uint8_t *image;
	size_t size;
	int rc;

	rc = store_export(NULL, scratch_path("VARS"), &image, &size, &err);
	ck_assert_msg(rc == 0, "export: %s", err.text);
	ck_assert_uint_eq(size, SIZE);
	ck_assert_mem_eq(image, states[n], SIZE);
	free(image);
	ck_assert_msg(!open_vars(&store, &found), "open: %s", err.text);
	ck_assert_mem_eq(store_image(store), states[n], SIZE);
	ck_assert_uint_eq(found.bursts, n);
	ck_assert_uint_eq(found.dropped_bytes, dropped);
	ck_assert_int_eq(store_close(store), 0);
	ck_assert_int_eq(open_vars(&store, &found), 0);
	ck_assert_mem_eq(store_image(store), states[n], SIZE);
	ck_assert_uint_eq(found.bursts + found.dropped_bytes, 0);
	ck_assert_int_eq(store_close(store), 0);
}

static void
check_refused(const uint8_t *vars, const uint8_t *bytes, size_t len,
	      const char *text)
{
	struct store *store;
	struct blob now;
	uint8_t *image;
	size_t size;

	put_files(vars, bytes, len);
	ck_assert_int_eq(open_vars(&store, NULL), -EUCLEAN);
	ck_assert_msg(strstr(err.text, text) != NULL, "\"%s\" lacks \"%s\"",
		      err.text, text);
	ck_assert_int_eq(store_export(NULL, scratch_path("VARS"), &image, &size,
				      &err),
			 -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text, text));
	now = blob_read(scratch_path("VARS"));
	ck_assert(blob_equal(&now, vars, SIZE));
	blob_free(&now);
	now = blob_read(scratch_path("VARS.journal"));
	ck_assert(blob_equal(&now, bytes, len));
	blob_free(&now);
}

START_TEST(cut_at_every_length)
{
	for (size_t len = 0; len <= journal.len; len++) {
		unsigned int whole = 0;

		put_files(states[0], journal.data, len);
		while (whole < BURSTS && records[whole + 1] <= len)
			whole++;
		check_state(whole, len < 64 ? 0 : len - records[whole]);
	}
}
END_TEST

/* A record that a later one knows to be durable is not dropped. */
START_TEST(damage_in_the_middle_is_refused)
{
	char text[64];

	for (unsigned int n = 1; n < BURSTS; n++) {
		(void)snprintf(text, sizeof(text),
			       "VARS.journal: damaged at offset %zu: "
			       "expected record %u,",
			       records[n - 1], n);
		for (size_t off = records[n - 1]; off < records[n]; off++) {
			journal.data[off] ^= 0x10;
			check_refused(states[0], journal.data, journal.len,
				      text);
			journal.data[off] ^= 0x10;
		}
	}
}
END_TEST

START_TEST(damage_in_the_header_is_refused)
{
	for (size_t off = 0; off < 64; off++) {
		journal.data[off] ^= 1;
		check_refused(states[0], journal.data, journal.len,
			      "VARS.journal: damaged at offset 0: "
			      "expected a journal header");
		journal.data[off] ^= 1;
	}
}
END_TEST

/* It can't be told from a torn one. */
START_TEST(damage_in_the_last_record_drops_it)
{
	for (size_t off = records[BURSTS - 1]; off < journal.len; off++) {
		journal.data[off] ^= 0x80;
		put_files(states[0], journal.data, journal.len);
		check_state(BURSTS - 1, journal.len - records[BURSTS - 1]);
		journal.data[off] ^= 0x80;
	}
}
END_TEST

START_TEST(lost_record_is_refused)
{
	size_t gap = records[2] - records[1];

	memmove(journal.data + records[1], journal.data + records[2],
		journal.len - records[2]);
	check_refused(states[0], journal.data, journal.len - gap,
		      "expected record 2");
}
END_TEST

/* Zeroes where the file was made longer and the data never came. */
START_TEST(zeroed_tail_is_dropped)
{
	memset(journal.data + records[2] + 20, 0,
	       journal.len - records[2] - 20);
	put_files(states[0], journal.data, journal.len);
	check_state(2, journal.len - records[2]);
}
END_TEST

START_TEST(foreign_vars_is_refused)
{
	uint8_t other[SIZE];

	memcpy(other, states[0], SIZE);
	other[SIZE - 1] ^= 1;
	check_refused(other, journal.data, journal.len, "does not belong to");
	ck_assert_ptr_nonnull(strstr(err.text, "VARS (another content)"));
	ck_assert_ptr_nonnull(strstr(err.text, "give up its 3 bursts"));
	check_refused(states[BURSTS], journal.data, journal.len,
		      "does not belong to");
}
END_TEST

START_TEST(replaced_vars_with_an_empty_journal_is_taken)
{
	memset(states[0], 0x77, SIZE);
	put_files(states[0], journal.data, 64);
	check_state(0, 0);
	ck_assert_int_eq(unlink(scratch_path("VARS.journal")), 0);
	check_state(0, 0);
}
END_TEST

/* The journal of before the checkpoint, put back beside the VARS of after. */
START_TEST(stale_journal_is_refused)
{
	struct store *store;
	uint8_t later[SIZE];

	ck_assert_int_eq(open_vars(&store, NULL), 0);
	make_burst(store, 4);
	memcpy(later, store_image(store), SIZE);
	ck_assert_int_eq(store_close(store), 0);
	check_refused(later, journal.data, journal.len, "does not belong to");
}
END_TEST

/* What an earlier journal left behind the end is not of this salt. */
START_TEST(old_records_behind_a_new_header_are_dropped)
{
	struct store *store;
	struct blob fresh;

	ck_assert_int_eq(open_vars(&store, NULL), 0);
	fresh = blob_read(scratch_path("VARS.journal"));
	ck_assert_int_eq(store_close(store), 0);
	ck_assert_uint_eq(fresh.len, 64);
	memcpy(journal.data, fresh.data, 64);
	blob_free(&fresh);
	memcpy(states[0], states[BURSTS], SIZE);
	put_files(states[0], journal.data, journal.len);
	check_state(0, journal.len - 64);
}
END_TEST

static Suite *
recovery_suite(void)
{
	Suite *suite = suite_create("recovery");
	TCase *tc = tcase_create("recovery");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, cut_at_every_length);
	tcase_add_test(tc, damage_in_the_middle_is_refused);
	tcase_add_test(tc, damage_in_the_header_is_refused);
	tcase_add_test(tc, damage_in_the_last_record_drops_it);
	tcase_add_test(tc, lost_record_is_refused);
	tcase_add_test(tc, zeroed_tail_is_dropped);
	tcase_add_test(tc, foreign_vars_is_refused);
	tcase_add_test(tc, replaced_vars_with_an_empty_journal_is_taken);
	tcase_add_test(tc, stale_journal_is_refused);
	tcase_add_test(tc, old_records_behind_a_new_header_are_dropped);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(recovery_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
