/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests signature lists and the headers of signed updates. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/authvar.h"
#include "pflash/le.h"
#include "pflash/siglist.h"
#include "pflash/varstore.h"

#define HASH 32u

static const uint8_t sha256[16] = { 0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50,
				    0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9,
				    0x36, 0x93, 0x43, 0x28 };
static const uint8_t unknown[16] = { 1, 2, 3 };
static const uint8_t me[16] = { 'm', 'e' };
static const uint8_t you[16] = { 'y', 'o', 'u' };

static struct siglists value, other;
static struct error err;

static void
setup(void)
{
	value = other = (struct siglists){ .bytes = NULL };
	err.text[0] = '\0';
}

static void
teardown(void)
{
	siglists_free(&value);
	siglists_free(&other);
}

/* Appends a list of `count` hashes, each of which is filled with its number. */
static void
add_hashes(struct siglists *to, const uint8_t *owner, uint8_t first,
	   uint8_t count)
{
	size_t size = 28 + count * (16 + HASH);

	to->bytes = realloc(to->bytes, to->size + size);
	ck_assert_ptr_nonnull(to->bytes);
	uint8_t *list = to->bytes + to->size;

	memset(list, 0, size);
	memcpy(list, sha256, 16);
	put_le32(list + 16, (uint32_t)size);
	put_le32(list + 24, 16 + HASH);
	for (unsigned int i = 0; i < count; i++) {
		memcpy(list + 28 + i * (16 + HASH), owner, 16);
		memset(list + 44 + i * (16 + HASH), first + (int)i, HASH);
	}
	to->size += size;
}

/* The first bytes of the signatures, as text: "1 2 3". */
static const char *
numbers(const struct siglists *of)
{
	static char text[1024];
	struct siglist_walk walk;
	struct signature each;
	char *p = text;

	*p = '\0';
	siglist_begin(&walk, of->bytes, of->size);
	while (siglist_next(&walk, &each, &err) > 0)
		p += sprintf(p, "%s%u", p == text ? "" : " ", each.data[0]);
	return text;
}

static int
check_value(void)
{
	return siglist_check(value.bytes, value.size, NULL, &err);
}

START_TEST(walk_over_lists)
{
	struct siglist_walk walk;
	struct signature each;
	size_t count;

	add_hashes(&value, me, 1, 2);
	add_hashes(&value, you, 3, 0);
	add_hashes(&value, you, 7, 1);
	ck_assert_str_eq(numbers(&value), "1 2 7");
	ck_assert_int_eq(siglist_check(value.bytes, value.size, &count, &err),
			 0);
	ck_assert_uint_eq(count, 3);
	siglist_begin(&walk, value.bytes, value.size);
	ck_assert_int_eq(siglist_next(&walk, &each, &err), 1);
	ck_assert(!signature_is_x509(&each));
	ck_assert_uint_eq(each.size, HASH);
	ck_assert_mem_eq(each.owner, me, 16);
	ck_assert_str_eq(siglist_type(each.list)->word, "sha256");
}
END_TEST

START_TEST(empty_value)
{
	ck_assert_int_eq(check_value(), 0);
	ck_assert_str_eq(numbers(&value), "");
}
END_TEST

/* Each field of a header, and a value that is impossible there. */
static const struct {
	unsigned int field;
	uint32_t value;
	const char *sentence;
} damage[] = {
	{ 16, 27, "SignatureListSize is 27" },
	{ 16, 0xffffffff, "SignatureListSize is 4294967295" },
	{ 16, 28 + 47, "not a whole number" },
	{ 16, 28 + 2 * 48 + 1, "SignatureListSize is 125" },
	{ 20, 97, "SignatureHeaderSize 97 exceeds the list" },
	{ 20, 0xffffffff, "SignatureHeaderSize 4294967295 exceeds" },
	{ 20, 48, "SignatureHeaderSize is 48, not 0" },
	{ 24, 0, "SignatureSize is 0" },
	{ 24, 16, "SignatureSize is 16" },
	{ 24, 0xffffffff, "not a whole number" },
	{ 24, 32, "SHA-256 requires 48" },
	{ 24, 96, "SignatureSize is 96, but SHA-256 requires 48" },
};

START_TEST(damaged_header)
{
	add_hashes(&value, me, 1, 2);
	put_le32(value.bytes + damage[_i].field, damage[_i].value);
	ck_assert_int_eq(check_value(), -EINVAL);
	ck_assert_msg(strstr(err.text, damage[_i].sentence) != NULL, "%s",
		      err.text);
	ck_assert(strstr(err.text, "at offset 0"));
}
END_TEST

START_TEST(cut_value)
{
	size_t whole;

	add_hashes(&value, me, 1, 1);
	add_hashes(&value, me, 2, 1);
	whole = value.size;
	for (value.size = 0; value.size < whole; value.size++)
		ck_assert_int_eq(check_value(),
				 value.size == 0 || value.size == 76 ? 0 :
								       -EINVAL);
}
END_TEST

START_TEST(unknown_type)
{
	add_hashes(&value, me, 1, 1);
	memcpy(value.bytes, unknown, 16);
	ck_assert_str_eq(numbers(&value), "1");
	ck_assert_int_eq(check_value(), -EINVAL);
	ck_assert(strstr(err.text, "SignatureType "
				   "00030201-0000-0000-0000-000000000000"));
}
END_TEST

START_TEST(append_leaves_out_what_is_there)
{
	add_hashes(&value, me, 1, 3);
	add_hashes(&other, me, 2, 4);
	ck_assert_int_eq(siglists_append(&value, other.bytes, other.size,
					 SIGLISTS_EQUAL_DATA, &err),
			 2);
	ck_assert_str_eq(numbers(&value), "1 2 3 4 5");
	ck_assert_int_eq(check_value(), 0);
	ck_assert_uint_eq(value.size, 28 + 3 * 48 + 28 + 2 * 48);
	ck_assert_int_eq(siglists_append(&value, other.bytes, other.size,
					 SIGLISTS_EQUAL_DATA, &err),
			 0);
}
END_TEST

/* FilterSignatureList() compares owners too, and only with the old value. */
START_TEST(append_as_the_firmware)
{
	add_hashes(&value, me, 1, 1);
	add_hashes(&other, you, 1, 1);
	add_hashes(&other, you, 1, 1);
	add_hashes(&other, me, 1, 1);
	ck_assert_int_eq(siglists_append(&value, other.bytes, other.size,
					 SIGLISTS_EQUAL_FIRMWARE, &err),
			 2);
	ck_assert_str_eq(numbers(&value), "1 1 1");
}
END_TEST

START_TEST(append_of_equal_data_once)
{
	add_hashes(&other, you, 1, 1);
	add_hashes(&other, me, 1, 1);
	ck_assert_int_eq(siglists_append(&value, other.bytes, other.size,
					 SIGLISTS_EQUAL_DATA, &err),
			 1);
	ck_assert_mem_eq(value.bytes + 28, you, 16);
}
END_TEST

START_TEST(append_to_damaged)
{
	add_hashes(&value, me, 1, 1);
	add_hashes(&other, me, 2, 1);
	value.bytes[16]++;
	ck_assert_int_eq(siglists_append(&value, other.bytes, other.size,
					 SIGLISTS_EQUAL_DATA, &err),
			 -EINVAL);
	value.bytes[16]--;
	other.bytes[16]++;
	ck_assert_int_eq(siglists_append(&value, other.bytes, other.size,
					 SIGLISTS_EQUAL_DATA, &err),
			 -EINVAL);
	ck_assert_str_eq(numbers(&value), "1");
}
END_TEST

START_TEST(append_one)
{
	const uint8_t data[] = { 9, 9, 9 };

	ck_assert_int_eq(siglists_append_one(&value, siglist_x509.guid, me,
					     data, sizeof(data), &err),
			 1);
	ck_assert_int_eq(siglists_append_one(&value, siglist_x509.guid, you,
					     data, sizeof(data), &err),
			 0);
	ck_assert_uint_eq(value.size, 28 + 16 + 3);
	ck_assert_int_eq(check_value(), 0);
	ck_assert_int_eq(siglists_append_one(&value, siglist_x509.guid, you,
					     data, 0, &err),
			 -EINVAL);
}
END_TEST

static bool
is_even(void *opaque, const struct signature *signature)
{
	(*(unsigned int *)opaque)++;
	return signature->data[0] % 2 == 0;
}

START_TEST(remove_some)
{
	unsigned int asked = 0;

	add_hashes(&value, me, 1, 4);
	add_hashes(&value, me, 6, 1);
	add_hashes(&value, me, 7, 1);
	ck_assert_int_eq(siglists_remove(&value, is_even, &asked, &err), 3);
	ck_assert_uint_eq(asked, 6);
	ck_assert_str_eq(numbers(&value), "1 3 7");
	ck_assert_int_eq(check_value(), 0);
	ck_assert_uint_eq(value.size, 28 + 2 * 48 + 28 + 48);
}
END_TEST

/* --- signed updates --- */

static uint8_t update_bytes[80];
static struct authvar update;

static void
setup_update(void)
{
	static const uint8_t pkcs7[16] = { 0x9d, 0xd2, 0xaf, 0x4a, 0xdf, 0x68,
					   0xee, 0x49, 0x8a, 0xa9, 0x34, 0x7d,
					   0x37, 0x56, 0x65, 0xa7 };

	memset(update_bytes, 0, sizeof(update_bytes));
	put_le16(update_bytes, 2026);
	memcpy(update_bytes + 2, "\x06\x0a\x01\x02\x03", 5);
	put_le32(update_bytes + 16, 24 + 10);
	put_le16(update_bytes + 20, 0x0200);
	put_le16(update_bytes + 22, 0x0ef1);
	memcpy(update_bytes + 24, pkcs7, 16);
	memset(update_bytes + 40, 's', 10);
	memset(update_bytes + 50, 'v', 30);
}

static int
parse(size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	int ret;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, update_bytes, size);
	ret = authvar_parse(&update, copy, size, &err);
	free(copy);
	return ret;
}

START_TEST(update_is_parsed)
{
	const struct variable_time time = { 2026, 6, 10, 1, 2, 3 };

	ck_assert(authvar_recognize(update_bytes, sizeof(update_bytes)));
	ck_assert_int_eq(authvar_parse(&update, update_bytes,
				       sizeof(update_bytes), &err),
			 0);
	ck_assert_int_eq(variable_time_compare(&update.time, &time), 0);
	ck_assert_ptr_eq(update.signature, update_bytes + 40);
	ck_assert_uint_eq(update.signature_size, 10);
	ck_assert_ptr_eq(update.value, update_bytes + 50);
	ck_assert_uint_eq(update.value_size, 30);
}
END_TEST

START_TEST(update_is_cut)
{
	for (size_t size = 0; size < 50; size++)
		ck_assert_int_eq(parse(size), -EINVAL);
	for (size_t size = 50; size <= sizeof(update_bytes); size++) {
		ck_assert_int_eq(parse(size), 0);
		ck_assert_uint_eq(update.value_size, size - 50);
	}
}
END_TEST

/* A byte that makes the update invalid, and the field of the sentence. */
static const struct {
	unsigned int at;
	uint8_t value;
	const char *sentence;
} bad[] = {
	{ 7, 1, "Pad1" },
	{ 8, 1, "Nanosecond" },
	{ 11, 1, "Nanosecond" },
	{ 12, 1, "TimeZone" },
	{ 14, 1, "Daylight" },
	{ 15, 1, "Pad2" },
	{ 16, 24, "dwLength" },
	{ 16, 0, "dwLength" },
	{ 16, 65, "dwLength" },
	{ 19, 0xff, "dwLength" },
	{ 20, 1, "no EFI_VARIABLE_AUTHENTICATION_2" },
	{ 22, 0xf0, "no EFI_VARIABLE_AUTHENTICATION_2" },
	{ 24, 0, "CertType" },
};

START_TEST(update_is_bad)
{
	update_bytes[bad[_i].at] = bad[_i].value;
	ck_assert_int_eq(parse(sizeof(update_bytes)), -EINVAL);
	ck_assert_msg(strstr(err.text, bad[_i].sentence) != NULL, "%s",
		      err.text);
}
END_TEST

START_TEST(signed_bytes)
{
	static const uint8_t name[] = { 'd', 0, 'b', 0, 0, 0 };
	uint8_t bytes[4 + 16 + 4 + 16 + 30];

	ck_assert_int_eq(authvar_parse(&update, update_bytes,
				       sizeof(update_bytes), &err),
			 0);
	ck_assert_uint_eq(authvar_signed_size(&update, sizeof(name)),
			  sizeof(bytes));
	authvar_signed(&update, me, name, sizeof(name), 0x67, bytes);
	ck_assert_mem_eq(bytes, "d\0b\0me", 6);
	ck_assert_uint_eq(get_le32(bytes + 20), 0x67);
	ck_assert_mem_eq(bytes + 24, update_bytes, 16);
	ck_assert_mem_eq(bytes + 40, update_bytes + 50, 30);
}
END_TEST

START_TEST(times_are_compared)
{
	const struct variable_time times[] = {
		{ 0 },
		{ 2010, 1, 1, 0, 0, 0 },
		{ 2010, 1, 1, 0, 0, 1 },
		{ 2010, 1, 1, 0, 1, 0 },
		{ 2010, 1, 1, 1, 0, 0 },
		{ 2010, 1, 2, 0, 0, 0 },
		{ 2010, 2, 1, 0, 0, 0 },
		{ 2011, 1, 1, 0, 0, 0 },
	};

	for (int i = 0; i < 8; i++)
		for (int k = 0; k < 8; k++) {
			int sign = variable_time_compare(&times[i], &times[k]);

			ck_assert_int_eq((sign > 0) - (sign < 0),
					 (i > k) - (i < k));
		}
}
END_TEST

static Suite *
siglist_suite(void)
{
	Suite *suite = suite_create("siglist");
	TCase *lists = tcase_create("lists");
	TCase *updates = tcase_create("updates");

	tcase_add_checked_fixture(lists, setup, teardown);
	tcase_add_test(lists, walk_over_lists);
	tcase_add_test(lists, empty_value);
	tcase_add_loop_test(lists, damaged_header, 0,
			    sizeof(damage) / sizeof(damage[0]));
	tcase_add_test(lists, cut_value);
	tcase_add_test(lists, unknown_type);
	tcase_add_test(lists, append_leaves_out_what_is_there);
	tcase_add_test(lists, append_as_the_firmware);
	tcase_add_test(lists, append_of_equal_data_once);
	tcase_add_test(lists, append_to_damaged);
	tcase_add_test(lists, append_one);
	tcase_add_test(lists, remove_some);
	suite_add_tcase(suite, lists);

	tcase_add_checked_fixture(updates, setup_update, NULL);
	tcase_add_test(updates, update_is_parsed);
	tcase_add_test(updates, update_is_cut);
	tcase_add_loop_test(updates, update_is_bad, 0,
			    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(updates, signed_bytes);
	tcase_add_test(updates, times_are_compared);
	suite_add_tcase(suite, updates);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(siglist_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
