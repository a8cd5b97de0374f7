/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal's format, read and written here from docs/format.md alone, with
 * a CRC32C of its own.
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

/* A bit at a time, straight from the definition. */
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

/* A journal under construction. */
static uint8_t built[4096];
static size_t built_len;
static uint32_t built_chain;
static uint64_t built_sequence;

static void
build_header(uint32_t version, uint64_t size, uint32_t base)
{
	memset(built, 0, sizeof(built));
	memcpy(built, "PFLASHJ1", 8);
	put_le32(built + 8, version);
	put_le32(built + 12, 64);
	put_le64(built + 16, size);
	put_le64(built + 24, SALT);
	put_le32(built + 32, base);
	built_chain = crc_bitwise(0, built, 60);
	put_le32(built + 60, built_chain);
	built_len = 64;
	built_sequence = 0;
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
	built_chain = crc_bitwise(built_chain, p, 48 + len);
	put_le32(p + 48 + len, built_chain);
	built_len += 48 + len + 4;
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
	build_header(1, SIZE, crc_bitwise(0, image, SIZE));
}

static void
teardown(void)
{
	scratch_remove();
}

/* Opens VARS with the journal that was built; the result or the error. */
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

/* Both ways, every length and alignment, in one piece and in two. */
START_TEST(crc_ways_agree)
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

START_TEST(header_fields)
{
	struct store_config config = { .path = scratch_path("VARS") };
	struct store *store;
	struct blob j, again;

	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	j = blob_read(scratch_path("VARS.journal"));
	ck_assert_uint_eq(j.len, 64);
	ck_assert_mem_eq(j.data, "PFLASHJ1", 8);
	ck_assert_uint_eq(get_le32(j.data + 8), 1);
	ck_assert_uint_eq(get_le32(j.data + 12), 64);
	ck_assert_uint_eq(get_le64(j.data + 16), SIZE);
	ck_assert_uint_eq(get_le32(j.data + 32), crc_bitwise(0, image, SIZE));
	for (int i = 36; i < 60; i++)
		ck_assert_uint_eq(j.data[i], 0);
	ck_assert_uint_eq(get_le32(j.data + 60), crc_bitwise(0, j.data, 60));
	ck_assert_int_eq(store_program(store, 0, "x", 1), 0);
	ck_assert_int_eq(store_checkpoint(store), 0);
	again = blob_read(scratch_path("VARS.journal"));
	ck_assert_uint_ne(get_le64(j.data + 24), get_le64(again.data + 24));
	image[0] = 'x';
	ck_assert_uint_eq(get_le32(again.data + 32),
			  crc_bitwise(0, image, SIZE));
	ck_assert_int_eq(store_close(store), 0);
	blob_free(&j);
	blob_free(&again);
}
END_TEST

/* What the store has written, with the time taken as it is. */
START_TEST(record_fields)
{
	struct store_config config = { .path = scratch_path("VARS") };
	uint8_t payload[8 + 5 + 8] = { 0 };
	struct store *store;
	struct blob j;

	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(store_program(store, 0x1234, "hello", 5), 0);
	ck_assert_int_eq(store_erase(store, 0x1000, 0x1000), 0);
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_int_eq(store_program(store, 0x20, "again", 5), 0);
	ck_assert_int_eq(store_commit(store), 0);
	j = blob_read(scratch_path("VARS.journal"));
	ck_assert_uint_eq(j.len, 64 + 48 + 21 + 4 + 48 + 13 + 4);
	build_operation(payload, 0x1234, 5);
	memcpy(payload + 8, "hello", 5);
	build_operation(payload + 13, 0x1000, 0x80001000);
	ck_assert_mem_eq(j.data + 64 + 48, payload, sizeof(payload));
	ck_assert_mem_eq(j.data + 64, "PFJR", 4);
	ck_assert_uint_eq(get_le32(j.data + 64 + 4), 1);
	ck_assert_mem_eq(j.data + 64 + 8, j.data + 24, 8);
	ck_assert_uint_eq(get_le64(j.data + 64 + 16), 1);
	ck_assert_uint_eq(get_le64(j.data + 64 + 24), 0);
	ck_assert_uint_eq(get_le32(j.data + 64 + 40), 21);
	ck_assert_uint_eq(get_le32(j.data + 64 + 44),
			  crc_bitwise(0, j.data + 64, 44));
	ck_assert_uint_eq(get_le32(j.data + 133),
			  crc_bitwise(get_le32(j.data + 60), j.data + 64, 69));
	ck_assert_uint_eq(get_le64(j.data + 137 + 16), 2);
	ck_assert_uint_eq(get_le64(j.data + 137 + 24), 1);
	ck_assert_uint_eq(get_le32(j.data + 137 + 61),
			  crc_bitwise(get_le32(j.data + 133), j.data + 137,
				      61));
	ck_assert_int_eq(store_close(store), 0);
	blob_free(&j);
}
END_TEST

START_TEST(strange_journal_is_replayed)
{
	uint8_t payload[8 + 3 + 8 + 8];

	build_operation(payload, SIZE - 3, 3);
	memcpy(payload + 8, "end", 3);
	build_operation(payload + 11, 0, 0x80000000 | BLOCK);
	build_operation(payload + 19, SIZE, 0);
	build_record(1, payload, sizeof(payload));
	build_record(1, payload, 0);
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
	build_record(1, payload, sizeof(payload));
	check_refused("record 1 at offset 64: expected operations");
}
END_TEST

START_TEST(cut_operation_is_refused)
{
	uint8_t payload[8] = { 0 };

	build_record(1, payload, 8);
	build_record(1, payload, 7);
	check_refused("record 2 at offset 124: expected operations");
}
END_TEST

START_TEST(unknown_type_is_refused)
{
	build_record(3, "what", 4);
	check_refused("record 1 at offset 64: expected a burst or");
}
END_TEST

START_TEST(unknown_version_is_refused)
{
	build_header(2, SIZE, crc_bitwise(0, image, SIZE));
	check_refused("version 2, expected 1");
}
END_TEST

START_TEST(other_size_is_refused)
{
	build_header(1, SIZE + BLOCK, crc_bitwise(0, image, SIZE));
	build_record(1, "", 0);
	check_refused("another size");
}
END_TEST

/* A checkpoint whose CRC the replay does not reach. */
START_TEST(wrong_checkpoint_is_refused)
{
	uint8_t payload[4];

	put_le32(payload, crc_bitwise(0, image, SIZE) ^ 1);
	build_record(1, "", 0);
	build_record(2, payload, 4);
	check_refused("another content");
}
END_TEST

/* VARS half written: not the base, not the result, but replay leads there. */
START_TEST(checkpoint_allows_a_mixture)
{
	uint8_t payload[2 * 8 + 20], expected[SIZE], crc[4];

	build_operation(payload, 100, 10);
	memcpy(payload + 8, "0123456789", 10);
	build_operation(payload + 18, 5000, 10);
	memcpy(payload + 26, "abcdefghij", 10);
	memcpy(expected, image, SIZE);
	memcpy(expected + 100, "0123456789", 10);
	memcpy(expected + 5000, "abcdefghij", 10);
	put_le32(crc, crc_bitwise(0, expected, SIZE));
	memcpy(image + 5003, "defghij", 7);
	blob_write(scratch_path("VARS"), image, SIZE);
	build_record(1, payload, sizeof(payload));
	check_refused("another content");
	build_record(2, crc, 4);
	check_opens_as(expected);
}
END_TEST

/* Any bytes whatever: a verdict, no crash, and no read outside (sanitizers). */
START_TEST(scan_survives_anything)
{
	struct record record;
	struct scan scan;
	size_t off;

	srandom(7);
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)random() % 400;
		uint8_t *exact;

		build_header(1, SIZE, 0);
		build_record(1, image, 30);
		build_record(1, image, 60);
		build_record(2, image, 4);
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
	tcase_add_test(tc, crc_ways_agree);
	tcase_add_test(tc, header_fields);
	tcase_add_test(tc, record_fields);
	tcase_add_test(tc, strange_journal_is_replayed);
	tcase_add_loop_test(tc, operations_are_checked, 0, 8);
	tcase_add_test(tc, cut_operation_is_refused);
	tcase_add_test(tc, unknown_type_is_refused);
	tcase_add_test(tc, unknown_version_is_refused);
	tcase_add_test(tc, other_size_is_refused);
	tcase_add_test(tc, wrong_checkpoint_is_refused);
	tcase_add_test(tc, checkpoint_allows_a_mixture);
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
