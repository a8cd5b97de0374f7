/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the format of the journal, with a reader and writer that follow
 * docs/format.md and have their own CRC32C.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/store/burst.h"
#include "../../src/store/crc32c.h"
#include "../../src/store/scan.h"
#include "support_store.h"

#define BLOCK 4096u
#define SIZE (2 * BLOCK)
#define SALT UINT64_C(0x1122334455667788)

static uint8_t image[SIZE];
static struct error err;

/* Bit by bit, as in the definition. */
static uint32_t
crc_bitwise(uint32_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	for (; len; p++, len--) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

/* The journal under construction. */
static uint8_t built[4096];
static size_t built_len;
static uint32_t built_chain;
static uint64_t built_sequence;

enum { BURST = 1, CHECKPOINT, SNAPSHOT, DONE };

static void
build_header(uint32_t version, uint64_t size, uint64_t first)
{
	memset(built, 0, sizeof(built));
	memcpy(built, "PFLASHJ1", 8);
	put_le32(built + 8, version);
	put_le32(built + 12, 64);
	put_le64(built + 16, size);
	put_le64(built + 24, SALT);
	put_le64(built + 32, first);
	built_chain = crc_bitwise(0, built, 60);
	put_le32(built + 60, built_chain);
	built_len = 64;
	built_sequence = first;
}

static void
build_record(uint32_t type, const void *payload, uint32_t len)
{
	uint8_t *p = built + built_len;

	memcpy(p, "PFJR", 4);
	put_le32(p + 4, type);
	put_le64(p + 8, SALT);
	put_le64(p + 16, ++built_sequence);
	put_le64(p + 24, built_sequence - 1);
	put_le64(p + 32, 12345);
	put_le32(p + 40, len);
	put_le32(p + 44, crc_bitwise(0, p, 44));
	memcpy(p + 48, payload, len);
	built_chain = crc_bitwise(crc_bitwise(built_chain, p, 44), p + 48, len);
	put_le32(p + 48 + len, built_chain);
	built_len += 48 + len + 4;
}

/* Adds a checkpoint or done record of this image. */
static void
build_crc(uint32_t type, const uint8_t *of)
{
	uint8_t payload[4];

	put_le32(payload, crc_bitwise(0, of, SIZE));
	build_record(type, payload, 4);
}

/* Adds record 1, which every journal of these tests has. */
static void
build_start(void)
{
	build_header(2, SIZE, 0);
	build_crc(DONE, image);
}

static void
build_operation(uint8_t *payload, uint32_t off, uint32_t word)
{
	put_le32(payload, off);
	put_le32(payload + 4, word);
}

static void
setup(void)
{
	scratch_make();
	for (size_t i = 0; i < SIZE; i++)
		image[i] = (uint8_t)(i * 7);
	blob_write(scratch_path("VARS"), image, SIZE);
	build_start();
}

static void
teardown(void)
{
	scratch_remove();
}

/* Opens VARS with the journal built; returns 0 or the error. */
static int
open_built(struct store **store)
{
	struct store_config config = { .path = scratch_path("VARS") };

	blob_write(scratch_path("VARS.journal"), built, built_len);
	return store_open(store, &config, NULL, &err);
}

static void
check_refused(const char *text)
{
	struct store *store;
	struct blob vars, journal;

	ck_assert_int_eq(open_built(&store), -EUCLEAN);
	ck_assert_msg(strstr(err.text, text) != NULL, "\"%s\" lacks \"%s\"",
		      err.text, text);
	vars = blob_read(scratch_path("VARS"));
	journal = blob_read(scratch_path("VARS.journal"));
	ck_assert(blob_equal(&vars, image, SIZE));
	ck_assert(blob_equal(&journal, built, built_len));
	blob_free(&vars);
	blob_free(&journal);
}

static void
check_opens_as(const uint8_t *expected)
{
	struct store *store = NULL;
	int rc = open_built(&store);

	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_mem_eq(store_image(store), expected, SIZE);
	ck_assert_int_eq(store_close(store), 0);
}

START_TEST(crc_vectors)
{
	uint8_t zeroes[32] = { 0 }, ones[32], rising[32];

	memset(ones, 0xff, sizeof(ones));
	for (unsigned int i = 0; i < 32; i++)
		rising[i] = (uint8_t)i;
	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(crc32c_table(0, "123456789", 9), 0xe3069283);
	/* RFC 3720, appendix B.4 */
	ck_assert_uint_eq(crc32c(0, zeroes, 32), 0x8a9136aa);
	ck_assert_uint_eq(crc32c(0, ones, 32), 0x62a8ab43);
	ck_assert_uint_eq(crc32c(0, rising, 32), 0x46dd794e);
	ck_assert_uint_eq(crc32c(0, NULL, 0), 0);
}
END_TEST

/* Both implementations, every length and alignment, in one part and in two. */
START_TEST(crc_implementations_agree)
{
	const uint8_t *p = image;

	for (size_t off = 0; off < 9; off++) {
		for (size_t len = 0; len < 100; len++) {
			uint32_t crc = crc_bitwise(0, p + off, len);
			size_t cut = len / 3;

			ck_assert_uint_eq(crc32c(0, p + off, len), crc);
			ck_assert_uint_eq(crc32c_table(0, p + off, len), crc);
			ck_assert_uint_eq(crc32c(crc32c_table(0, p + off, cut),
						 p + off + cut, len - cut),
					  crc);
		}
	}
}
END_TEST

static struct blob
open_and_read(struct store **store, const struct store_history *history)
{
	struct store_config config = {
		.path = scratch_path("VARS"),
		.history = history,
	};

	ck_assert_int_eq(store_open(store, &config, NULL, &err), 0);
	return blob_read(scratch_path("VARS.journal"));
}

static void
check_header(const uint8_t *p, uint64_t first)
{
	ck_assert_mem_eq(p, "PFLASHJ1", 8);
	ck_assert_uint_eq(get_le32(p + 8), 2);
	ck_assert_uint_eq(get_le32(p + 12), 64);
	ck_assert_uint_eq(get_le64(p + 16), SIZE);
	ck_assert_uint_eq(get_le64(p + 32), first);
	for (int i = 40; i < 60; i++)
		ck_assert_uint_eq(p[i], 0);
	ck_assert_uint_eq(get_le32(p + 60), crc_bitwise(0, p, 60));
}

/*
 * Checks a record except for its payload; returns the offset of the next one.
 */
static size_t
check_record(const uint8_t *journal, size_t off, uint32_t type,
	     uint64_t sequence, uint64_t durable, uint32_t len)
{
	const uint8_t *p = journal + off;

	ck_assert_mem_eq(p, "PFJR", 4);
	ck_assert_uint_eq(get_le32(p + 4), type);
	ck_assert_mem_eq(p + 8, journal + 24, 8);
	ck_assert_uint_eq(get_le64(p + 16), sequence);
	ck_assert_uint_eq(get_le64(p + 24), durable);
	ck_assert_uint_eq(get_le64(p + 32), fake_clock);
	ck_assert_uint_eq(get_le32(p + 40), len);
	ck_assert_uint_eq(get_le32(p + 44), crc_bitwise(0, p, 44));
	/* p - 4 is the previous chain value, or the CRC of the header */
	ck_assert_uint_eq(get_le32(p + 48 + len),
			  crc_bitwise(crc_bitwise(get_le32(p - 4), p, 44),
				      p + 48, len));
	return off + 48 + len + 4;
}

static void
check_crc(const uint8_t *journal, size_t next, const uint8_t *of)
{
	ck_assert_uint_eq(get_le32(journal + next - 8),
			  crc_bitwise(0, of, SIZE));
}

/* Checks the journal of a store, byte by byte. */
START_TEST(written_journal)
{
	uint8_t payload[8 + 5 + 8] = { 0 };
	struct store *store;
	struct blob j;
	size_t off;

	fake_clock = UINT64_C(1700000000123456789);
	memset(image, 0xff, SIZE);
	image[0x1100] = 7;
	blob_write(scratch_path("VARS"), image, SIZE);
	j = open_and_read(&store, NULL);
	check_header(j.data, 0);
	off = check_record(j.data, 64, SNAPSHOT, 1, 0, 8 + 8 + 1);
	build_operation(payload, 0, 0x80000000 | SIZE);
	build_operation(payload + 8, 0x1100, 1);
	payload[16] = 7;
	ck_assert_mem_eq(j.data + 64 + 48, payload, 17);
	off = check_record(j.data, off, DONE, 2, 1, 4);
	check_crc(j.data, off, image);
	ck_assert_uint_eq(j.len, off);
	blob_free(&j);

	ck_assert_int_eq(store_program(store, 0x1234, "hello", 5), 0);
	ck_assert_int_eq(store_erase(store, 0x1000, 0x1000), 0);
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_int_eq(store_program(store, 0x20, "again", 5), 0);
	ck_assert_int_eq(store_checkpoint(store), 0);
	j = blob_read(scratch_path("VARS.journal"));
	build_operation(payload, 0x1234, 5);
	memcpy(payload + 8, "hello", 5);
	build_operation(payload + 13, 0x1000, 0x80001000);
	ck_assert_mem_eq(j.data + off + 48, payload, 21);
	off = check_record(j.data, off, BURST, 3, 2, 21);
	off = check_record(j.data, off, BURST, 4, 3, 8 + 5);
	off = check_record(j.data, off, CHECKPOINT, 5, 4, 4);
	check_crc(j.data, off, store_image(store));
	off = check_record(j.data, off, DONE, 6, 5, 4);
	check_crc(j.data, off, store_image(store));
	ck_assert_uint_eq(j.len, off);
	ck_assert_int_eq(store_close(store), 0);
	blob_free(&j);
}
END_TEST

/* Without history each checkpoint makes a new file, with its own number. */
START_TEST(written_journal_without_history)
{
	struct store_history none = { .bytes = 0 };
	struct store *store;
	struct blob j, again;
	size_t off;

	fake_clock = 1;
	j = open_and_read(&store, &none);
	check_header(j.data, 0);
	off = check_record(j.data, 64, DONE, 1, 0, 4);
	check_crc(j.data, off, image);
	ck_assert_uint_eq(j.len, off);
	ck_assert_int_eq(store_program(store, 0, "x", 1), 0);
	ck_assert_int_eq(store_checkpoint(store), 0);
	again = blob_read(scratch_path("VARS.journal"));
	check_header(again.data, 4);
	ck_assert_uint_ne(get_le64(j.data + 24), get_le64(again.data + 24));
	off = check_record(again.data, 64, DONE, 5, 4, 4);
	check_crc(again.data, off, store_image(store));
	ck_assert_uint_eq(again.len, off);
	ck_assert_int_eq(store_close(store), 0);
	blob_free(&j);
	blob_free(&again);
}
END_TEST

/* Without a clock the time is 0, and everything else is as usual. */
START_TEST(no_clock_is_no_failure)
{
	struct store *store;
	struct blob j;

	fake_clock = CLOCK_BROKEN;
	j = open_and_read(&store, NULL);
	ck_assert_uint_eq(get_le64(j.data + 64 + 32), 0);
	ck_assert_int_eq(store_close(store), 0);
	blob_free(&j);
}
END_TEST

START_TEST(no_salt_is_a_failure)
{
	struct store_config config = { .path = scratch_path("VARS") };
	struct store *store;

	no_random = true;
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -ENOSYS);
	ck_assert_ptr_nonnull(strstr(err.text, "getrandom"));
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

START_TEST(strange_journal_is_replayed)
{
	uint8_t payload[8 + 3 + 8 + 8];

	build_operation(payload, SIZE - 3, 3);
	memcpy(payload + 8, "end", 3);
	build_operation(payload + 11, 0, 0x80000000 | BLOCK);
	build_operation(payload + 19, SIZE, 0);
	build_record(BURST, payload, sizeof(payload));
	build_record(BURST, payload, 0);
	memcpy(image + SIZE - 3, "end", 3);
	memset(image, 0xff, BLOCK);
	check_opens_as(image);
}
END_TEST

START_TEST(operations_are_checked)
{
	static const uint32_t bad[][2] = {
		{ SIZE, 1 },          { SIZE - 1, 2 },
		{ UINT32_MAX, 1 },    { 0, 9 },
		{ 0, 0x7fffffff },    { 0, 0x80000000 | (SIZE + 1) },
		{ SIZE, 0x80000001 }, { UINT32_MAX, 0xffffffff },
	};
	uint8_t payload[16] = { 0 };

	build_operation(payload, bad[_i][0], bad[_i][1]);
	build_record(BURST, payload, sizeof(payload));
	check_refused("record 2 at offset 120: expected operations");
}
END_TEST

START_TEST(cut_operation_is_refused)
{
	uint8_t payload[8] = { 0 };

	build_record(BURST, payload, 8);
	build_record(BURST, payload, 7);
	check_refused("record 3 at offset 180: expected operations");
}
END_TEST

START_TEST(unknown_version_is_refused)
{
	static const uint32_t others[] = { 0, 1, 3, UINT32_MAX };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		build_header(others[i], SIZE, 0);
		build_crc(DONE, image);
		check_refused("expected 2");
	}
	build_header(2, SIZE, 0);
	put_le32(built + 12, 68);
	built_chain = crc_bitwise(0, built, 60);
	put_le32(built + 60, built_chain);
	build_crc(DONE, image);
	check_refused("VARS.journal: journal version");
}
END_TEST

/* The reserved bytes are ignored, and `first` may have any value. */
START_TEST(reserved_fields_are_ignored)
{
	build_header(2, SIZE, UINT64_C(0xfffffffffffffff0));
	memset(built + 40, 0x5a, 20);
	built_chain = crc_bitwise(0, built, 60);
	put_le32(built + 60, built_chain);
	build_crc(DONE, image);
	build_record(BURST, "", 0);
	check_opens_as(image);
}
END_TEST

START_TEST(other_size_is_refused)
{
	build_header(2, SIZE + BLOCK, 0);
	build_crc(DONE, image);
	build_record(BURST, "", 0);
	check_refused("VARS: size differs from the last write recorded");
}
END_TEST

/*
 * Step 4 of recovery. A letter is a record: s(napshot), b(urst), c(heckpoint),
 * d(one); x is an unknown type; C and D have a payload that is too long, Z and
 * Y one that is too short. The bursts change nothing.
 */
struct shape {
	const char *records;
	bool good;
};

static const struct shape shapes[] = {
	{ "d", true },        { "sd", true },         { "sbbd", true },
	{ "bd", true },       { "dd", true },         { "sdbbb", true },
	{ "sdbcd", true },    { "sdbbcdbcdb", true }, { "sdbcc", true },
	{ "dc", true },       { "dccd", true },       { "cd", true },
	{ "sbcdbcdd", true }, { "", false },          { "s", false },
	{ "b", false },       { "bb", false },        { "sb", false },
	{ "c", false },       { "sbc", false },       { "ds", false },
	{ "ssd", false },     { "sds", false },       { "dsd", false },
	{ "dcb", false },     { "sdbcbd", false },    { "cbd", false },
	{ "dbccb", false },   { "x", false },         { "xd", false },
	{ "dx", false },      { "sdbxcd", false },    { "C", false },
	{ "dC", false },      { "D", false },         { "dD", false },
	{ "Dd", false },      { "dZ", false },        { "Yd", false },
	{ "dY", false },
};

#define SHAPES ((int)(sizeof(shapes) / sizeof(shapes[0])))

static void
build_shape(char record)
{
	static const char crcs[] = "cdCDZY";
	uint8_t payload[16] = { 0 };
	const char *place = strchr(crcs, record);

	put_le32(payload, crc_bitwise(0, image, SIZE));
	if (place) {
		build_record((place - crcs) % 2 ? DONE : CHECKPOINT, payload,
			     (uint32_t[]){ 4, 5, 3 }[(place - crcs) / 2]);
		return;
	}
	build_operation(payload, 0, 0x80000000 | (record == 's' ? SIZE : 0));
	build_record(record == 'b' ? BURST :
		     record == 's' ? SNAPSHOT :
				     5,
		     payload, 8);
}

START_TEST(order_of_records_is_checked)
{
	const struct shape *shape = &shapes[_i];

	build_header(2, SIZE, 40);
	for (const char *p = shape->records; *p; p++)
		build_shape(*p);
	if (shape->good)
		check_opens_as(image);
	else
		check_refused(strpbrk(shape->records, "dxCDZY") ?
				      "type that is not allowed there" :
				      "VARS.journal: damaged at offset");
}
END_TEST

/* An unfinished checkpoint is finished, even if nothing is replayed. */
START_TEST(open_checkpoint_is_ended)
{
	struct store *store;
	struct blob journal;

	build_crc(CHECKPOINT, image);
	ck_assert_int_eq(open_built(&store), 0);
	journal = blob_read(scratch_path("VARS.journal"));
	ck_assert_uint_eq(get_le32(journal.data + journal.len - 52), DONE);
	ck_assert_int_eq(store_close(store), 0);
	blob_free(&journal);
}
END_TEST

/* A checkpoint whose CRC the replay does not produce. */
START_TEST(wrong_checkpoint_is_refused)
{
	uint8_t payload[4];

	put_le32(payload, crc_bitwise(0, image, SIZE) ^ 1);
	build_record(BURST, "", 0);
	build_record(CHECKPOINT, payload, 4);
	check_refused("VARS: content differs from the last write recorded");
	build_start();
	build_crc(CHECKPOINT, image);
	build_record(CHECKPOINT, payload, 4);
	check_refused("content differs");
}
END_TEST

/* Only the CRC of the last checkpoint or done record is checked. */
START_TEST(earlier_checksums_do_not_count)
{
	uint8_t wrong[4] = { 1, 2, 3, 4 };

	build_header(2, SIZE, 0);
	build_record(DONE, wrong, 4);
	build_crc(DONE, image);
	build_record(CHECKPOINT, wrong, 4);
	build_crc(CHECKPOINT, image);
	check_opens_as(image);
}
END_TEST

START_TEST(wrong_done_is_refused)
{
	uint8_t payload[4];

	put_le32(payload, crc_bitwise(0, image, SIZE) ^ 1);
	build_record(DONE, payload, 4);
	check_refused("VARS: content differs from the last write recorded");
	build_record(BURST, "", 0);
	check_refused("VARS: content differs from the last write recorded");
}
END_TEST

/*
 * VARS is half written: neither base nor result, but the replay completes it.
 */
START_TEST(checkpoint_allows_a_mixture)
{
	uint8_t payload[2 * 8 + 20], expected[SIZE];

	build_operation(payload, 100, 10);
	memcpy(payload + 8, "0123456789", 10);
	build_operation(payload + 18, 5000, 10);
	memcpy(payload + 26, "abcdefghij", 10);
	memcpy(expected, image, SIZE);
	memcpy(expected + 100, "0123456789", 10);
	memcpy(expected + 5000, "abcdefghij", 10);
	memcpy(image + 5003, "defghij", 7);
	blob_write(scratch_path("VARS"), image, SIZE);
	build_record(BURST, payload, sizeof(payload));
	check_refused("content differs");
	build_crc(CHECKPOINT, expected);
	check_opens_as(expected);
}
END_TEST

/* store_accept() refuses a journal with an impossible history. */
START_TEST(impossible_history_is_not_accepted)
{
	const struct store_config config = { .path = scratch_path("VARS") };
	uint8_t payload[8];
	struct blob journal;
	bool changed;

	build_header(2, SIZE, 0);
	build_operation(payload, 0, 0x80000000 | SIZE);
	build_record(SNAPSHOT, payload, 8);
	build_operation(payload, SIZE - 1, 0x80000002);
	build_record(BURST, payload, 8);
	build_crc(DONE, image);
	blob_write(scratch_path("VARS.journal"), built, built_len);
	image[5] ^= 1;
	blob_write(scratch_path("VARS"), image, SIZE);
	ck_assert_int_eq(store_accept(&config, &changed, &err), -EUCLEAN);
	journal = blob_read(scratch_path("VARS.journal"));
	ck_assert(blob_equal(&journal, built, built_len));
	ck_assert_uint_eq(scratch_entries(), 2);
	blob_free(&journal);
}
END_TEST

/* Arbitrary bytes: a result, no crash, and no read outside (sanitizers). */
START_TEST(scan_survives_anything)
{
	struct record record;
	struct scan scan;
	size_t off;

	srandom(7);
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)random() % 500;
		uint8_t *exact;

		build_header(2, SIZE, 0);
		build_record(SNAPSHOT, image, 30);
		build_record(DONE, image, 4);
		build_record(BURST, image, 60);
		build_record(CHECKPOINT, image, 4);
		for (long flips = random() % 3; flips; flips--)
			built[(size_t)random() % built_len] = (uint8_t)random();
		len = len < built_len ? len : built_len;
		exact = malloc(len ? len : 1);
		ck_assert_ptr_nonnull(exact);
		memcpy(exact, built, len);
		if (!scan_journal(&scan, exact, len, "j", &err)) {
			off = 64;
			while (scan_next(&scan, exact, &off, &record))
				ck_assert_uint_le(off, scan.end);
			ck_assert_uint_le(scan.end + scan.dropped, len);
		}
		free(exact);
	}
}
END_TEST

static Suite *
journal_suite(void)
{
	Suite *suite = suite_create("journal");
	TCase *tc = tcase_create("journal");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, crc_vectors);
	tcase_add_test(tc, crc_implementations_agree);
	tcase_add_test(tc, written_journal);
	tcase_add_test(tc, written_journal_without_history);
	tcase_add_test(tc, no_clock_is_no_failure);
	tcase_add_test(tc, no_salt_is_a_failure);
	tcase_add_test(tc, strange_journal_is_replayed);
	tcase_add_loop_test(tc, operations_are_checked, 0, 8);
	tcase_add_test(tc, cut_operation_is_refused);
	tcase_add_test(tc, unknown_version_is_refused);
	tcase_add_test(tc, reserved_fields_are_ignored);
	tcase_add_test(tc, other_size_is_refused);
	tcase_add_loop_test(tc, order_of_records_is_checked, 0, SHAPES);
	tcase_add_test(tc, open_checkpoint_is_ended);
	tcase_add_test(tc, wrong_checkpoint_is_refused);
	tcase_add_test(tc, earlier_checksums_do_not_count);
	tcase_add_test(tc, wrong_done_is_refused);
	tcase_add_test(tc, checkpoint_allows_a_mixture);
	tcase_add_test(tc, impossible_history_is_not_accepted);
	tcase_add_test(tc, scan_survives_anything);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(journal_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
