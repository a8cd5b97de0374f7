/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests recovery from journals that are truncated, damaged or from another
 * file. states[n] is the image after n bursts; records[n] is the offset at
 * which the record of burst n ends. The bytes before records[0] are the start
 * of every journal: snapshot and done record, numbers 1 and 2.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pflash/reader.h"

#include "support_store.h"

#define BLOCK 4096u
#define SIZE (2 * BLOCK)
#define BURSTS 3u
#define STATES (BURSTS + 2) /* one more, for tests that need it */

static uint8_t states[STATES][SIZE];
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
	memset(states[0], 0xff, SIZE);
	memset(states[0] + 4000, 0x11, 200);
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

/* Puts files as a crash may have left them. */
static void
put_files(const uint8_t *vars, const uint8_t *bytes, size_t len)
{
	blob_write(scratch_path("VARS"), vars, SIZE);
	blob_write(scratch_path("VARS.journal"), bytes, len);
}

/* Export and open must find the same state, also when opened again. */
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

/* A journal gets its name when its start is durable, so no crash does this. */
START_TEST(cut_in_the_beginning_is_refused)
{
	for (size_t len = 0; len < records[0]; len++)
		check_refused(states[0], journal.data, len,
			      len < 64 ? "expected a journal header" :
			      len < records[0] - 56 ?
					 "damaged at offset 64: expected "
					 "record 1, which every" :
					 "expected record 2, which every");
}
END_TEST

START_TEST(cut_at_every_length)
{
	for (size_t len = records[0]; len <= journal.len; len++) {
		unsigned int whole = 0;

		put_files(states[0], journal.data, len);
		while (whole < BURSTS && records[whole + 1] <= len)
			whole++;
		check_state(whole, len - records[whole]);
	}
}
END_TEST

/* A record must not be dropped if a later one shows that it was durable. */
START_TEST(damage_in_the_middle_is_refused)
{
	char text[64];

	for (unsigned int n = 1; n < BURSTS; n++) {
		(void)snprintf(text, sizeof(text),
			       "VARS.journal: damaged at offset %zu: "
			       "expected record %u,",
			       records[n - 1], n + 2);
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

START_TEST(damage_in_the_beginning_is_refused)
{
	for (size_t off = 64; off < records[0]; off++) {
		journal.data[off] ^= 0x40;
		check_refused(states[0], journal.data, journal.len,
			      ", which was durable when a later record was "
			      "written");
		journal.data[off] ^= 0x40;
	}
}
END_TEST

/* The last record, when damaged, looks like a torn one. */
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
		      "expected record 4");
}
END_TEST

/* Zeroes where the file was extended and the data were not written. */
START_TEST(zeroed_tail_is_dropped)
{
	memset(journal.data + records[2] + 20, 0,
	       journal.len - records[2] - 20);
	put_files(states[0], journal.data, journal.len);
	check_state(2, journal.len - records[2]);
}
END_TEST

/*
 * Every byte of VARS is checked, with and without a burst after the done
 * record.
 */
START_TEST(foreign_vars_is_refused)
{
	static const char text[] =
		"VARS: content differs from the last write recorded in ";
	const size_t lengths[] = { records[0], records[1], journal.len };
	uint8_t other[SIZE];

	for (size_t i = 0; i < 3; i++) {
		for (size_t off = 0; off < SIZE; off += 61) {
			memcpy(other, states[0], SIZE);
			other[off] ^= 1;
			check_refused(other, journal.data, lengths[i], text);
		}
		check_refused(states[BURSTS], journal.data, lengths[i], text);
	}
	ck_assert_ptr_nonnull(strstr(err.text, "VARS.journal"));
	ck_assert_ptr_nonnull(strstr(err.text, "`pflashctl check` names"));
}
END_TEST

/* Without a journal any VARS file is complete, and gets a new journal. */
START_TEST(replaced_vars_without_its_journal_is_taken)
{
	memset(states[0], 0x77, SIZE);
	put_files(states[0], journal.data, records[0]);
	ck_assert_int_eq(unlink(scratch_path("VARS.journal")), 0);
	check_state(0, 0);
}
END_TEST

/* The journal from before the checkpoint, with the VARS from after it. */
START_TEST(stale_journal_is_refused)
{
	struct store *store;
	uint8_t later[SIZE];

	ck_assert_int_eq(open_vars(&store, NULL), 0);
	make_burst(store, 4);
	memcpy(later, store_image(store), SIZE);
	ck_assert_int_eq(store_close(store), 0);
	check_refused(later, journal.data, journal.len, "content differs from");
}
END_TEST

/* The VARS from before the checkpoint, with the journal from after it. */
START_TEST(stale_vars_is_refused)
{
	struct blob after = blob_read(scratch_path("VARS.journal"));

	ck_assert_uint_gt(after.len, journal.len);
	for (unsigned int n = 0; n < BURSTS; n++)
		check_refused(states[n], after.data, after.len,
			      "content differs from");
	blob_free(&after);
}
END_TEST

/* Records of an earlier journal after the end have another salt. */
START_TEST(old_records_behind_a_new_journal_are_dropped)
{
	struct store *store;
	struct blob fresh;

	ck_assert_int_eq(unlink(scratch_path("VARS.journal")), 0);
	ck_assert_int_eq(open_vars(&store, NULL), 0);
	fresh = blob_read(scratch_path("VARS.journal"));
	ck_assert_int_eq(store_close(store), 0);
	fresh.data = realloc(fresh.data, fresh.len + journal.len);
	ck_assert_ptr_nonnull(fresh.data);
	memcpy(fresh.data + fresh.len, journal.data, journal.len);
	memcpy(states[0], states[BURSTS], SIZE);
	put_files(states[0], fresh.data, fresh.len + journal.len);
	check_state(0, journal.len);
	blob_free(&fresh);
}
END_TEST

/*
 * Tests bit rot. `truth` is the image; `before` is the image without the last
 * record of the journal, the only record that may be dropped. Opening for
 * writing must find the same image as reading.
 */
struct rot {
	const uint8_t *vars, *truth, *before;
	struct blob journal;
	size_t last; /* the offset of the last record */
	unsigned int refused, harmless, dropped;
};

/* All history that is left must be correct. */
static void
check_history(const struct reader *reader)
{
	uint8_t past[SIZE];
	struct reader_point point;
	unsigned int n = 0;
	size_t cursor = 0;

	while (reader_next(reader, &cursor, &point)) {
		ck_assert_uint_lt(n, STATES);
		ck_assert_int_eq(reader_past(reader, point.sequence, past,
					     &err),
				 0);
		ck_assert_mem_eq(past, states[n], SIZE);
		n++;
	}
}

static void
check_rotten(struct rot *rot, bool in_last, const char *where, size_t bit)
{
	const struct store_config config = {
		.path = scratch_path("VARS"),
		.read_only = true,
		.sys = &sys_unsynced,
	};
	struct store_recovery found;
	struct store *store;
	struct reader *reader;
	int rc = reader_open_files(&reader, &config, &err);
	bool right;

	if (rc) {
		ck_assert_msg(rc == -EUCLEAN, "%s, bit %zu: %d %s", where, bit,
			      rc, err.text);
		rot->refused++;
		ck_assert_int_eq(store_open(&store, &config, NULL, &err),
				 -EUCLEAN);
		return;
	}
	ck_assert_int_eq(store_open(&store, &config, &found, &err), 0);
	ck_assert_mem_eq(store_image(store), reader_image(reader), SIZE);
	right = !memcmp(reader_image(reader), rot->truth, SIZE);
	if (found.dropped_bytes) {
		ck_assert_msg(in_last, "%s, bit %zu: dropped", where, bit);
		right = !memcmp(reader_image(reader), rot->before, SIZE);
		rot->dropped++;
	} else {
		rot->harmless++;
	}
	ck_assert_msg(right, "%s, bit %zu: wrong image without an error", where,
		      bit);
	check_history(reader);
	reader_close(reader);
	ck_assert_int_eq(store_close(store), 0);
}

static void
rot_journal(struct rot *rot)
{
	uint8_t *bytes = rot->journal.data;
	size_t len = rot->journal.len;

	blob_write(scratch_path("VARS"), rot->vars, SIZE);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		blob_write(scratch_path("VARS.journal"), bytes, len);
		check_rotten(rot, bit / 8 >= rot->last, "journal", bit);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_uint_eq(rot->harmless, 0);
	ck_assert_uint_eq(rot->refused + rot->dropped, 8 * len);
	ck_assert_uint_le(rot->dropped, 8 * (len - rot->last));
}

/*
 * `spared` bytes of VARS may be damaged, because the replay writes them again.
 */
static void
rot_vars(struct rot *rot, unsigned int spared)
{
	uint8_t vars[SIZE];

	memcpy(vars, rot->vars, SIZE);
	blob_write(scratch_path("VARS.journal"), rot->journal.data,
		   rot->journal.len);
	rot->refused = rot->harmless = rot->dropped = 0;
	for (size_t off = 0; off < SIZE; off++) {
		vars[off] ^= (uint8_t)(1 << off % 8);
		blob_write(scratch_path("VARS"), vars, SIZE);
		check_rotten(rot, false, "VARS", 8 * off + off % 8);
		vars[off] ^= (uint8_t)(1 << off % 8);
	}
	ck_assert_uint_eq(rot->harmless, spared);
	ck_assert_uint_eq(rot->dropped, 0);
}

/*
 * After a kill: bursts follow the done record, and the last one may be dropped.
 */
START_TEST(rot_behind_the_done_record)
{
	struct rot rot = {
		.vars = states[0],
		.truth = states[BURSTS],
		.before = states[BURSTS - 1],
		.journal = journal,
		.last = records[BURSTS - 1],
	};

	rot_journal(&rot);
	ck_assert_uint_eq(rot.dropped, 8 * (journal.len - rot.last));
	rot_vars(&rot, 0);
}
END_TEST

/*
 * After a close: the last record is a done record, and the checkpoint record
 * before it has the CRC.
 */
START_TEST(rot_after_an_orderly_close)
{
	struct rot rot = {
		.vars = states[BURSTS],
		.truth = states[BURSTS],
		.before = states[BURSTS],
		.journal = blob_read(scratch_path("VARS.journal")),
	};

	rot.last = rot.journal.len - 56;
	rot_journal(&rot);
	ck_assert_uint_eq(rot.dropped, 8 * 56);
	rot_vars(&rot, 0);
	blob_free(&rot.journal);
}
END_TEST

/* An unfinished checkpoint had written one of two blocks. */
START_TEST(rot_in_the_middle_of_a_checkpoint)
{
	uint8_t mixture[SIZE];
	struct rot rot = {
		.vars = mixture,
		.truth = states[BURSTS],
		.before = states[BURSTS],
		.journal = blob_read(scratch_path("VARS.journal")),
	};

	memcpy(mixture, states[BURSTS], BLOCK);
	memcpy(mixture + BLOCK, states[0] + BLOCK, BLOCK);
	rot.journal.len -= 56;
	rot.last = rot.journal.len - 56;
	rot_journal(&rot);
	ck_assert_uint_eq(rot.dropped, 0);
	/* Each burst erases 64 n bytes and programs 14, see make_burst(). */
	rot_vars(&rot, 3 * 64 + 2 * 64 + 3 * 14);
	blob_free(&rot.journal);
}
END_TEST

/*
 * In a new journal file made from an old one, no record is known to be durable
 * from a later one, but the CRCs in checkpoint and done records detect damage.
 */
START_TEST(rot_in_a_new_file_of_old_history)
{
	const struct store_config config = {
		.path = scratch_path("VARS"),
		.sys = &sys_unsynced,
	};
	struct rot rot = {
		.vars = states[BURSTS],
		.truth = states[BURSTS],
		.before = states[BURSTS],
	};
	uint8_t other[SIZE];
	bool changed;

	memcpy(other, states[BURSTS], SIZE);
	other[77] ^= 1;
	blob_write(scratch_path("VARS"), other, SIZE);
	ck_assert_int_eq(store_accept(&config, &changed, &err), 0);
	ck_assert(changed);
	rot.vars = rot.truth = rot.before = other;
	rot.journal = blob_read(scratch_path("VARS.journal"));
	rot.last = rot.journal.len - 56;
	memcpy(states[BURSTS + 1], other, SIZE);
	rot_journal(&rot);
	ck_assert_uint_eq(rot.dropped, 0);
	blob_free(&rot.journal);
}
END_TEST

static Suite *
recovery_suite(void)
{
	Suite *suite = suite_create("recovery");
	TCase *tc = tcase_create("recovery");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, cut_in_the_beginning_is_refused);
	tcase_add_test(tc, cut_at_every_length);
	tcase_add_test(tc, damage_in_the_middle_is_refused);
	tcase_add_test(tc, damage_in_the_header_is_refused);
	tcase_add_test(tc, damage_in_the_beginning_is_refused);
	tcase_add_test(tc, damage_in_the_last_record_drops_it);
	tcase_add_test(tc, lost_record_is_refused);
	tcase_add_test(tc, zeroed_tail_is_dropped);
	tcase_add_test(tc, foreign_vars_is_refused);
	tcase_add_test(tc, replaced_vars_without_its_journal_is_taken);
	tcase_add_test(tc, stale_journal_is_refused);
	tcase_add_test(tc, stale_vars_is_refused);
	tcase_add_test(tc, old_records_behind_a_new_journal_are_dropped);
	tcase_add_test(tc, rot_behind_the_done_record);
	tcase_add_test(tc, rot_after_an_orderly_close);
	tcase_add_test(tc, rot_in_the_middle_of_a_checkpoint);
	tcase_add_test(tc, rot_in_a_new_file_of_old_history);
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
