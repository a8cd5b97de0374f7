/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests boot entries, and the words for boot variables, of pflashctl. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <efivar/efiboot.h>

#include "boot_entry.h"
#include "boot_path.h"
#include "boot_text.h"
#include "describe.h"
#include "pflash/le.h"
#include "support_vars.h"

static struct error err;

/* An active entry "A" with the path Pci(0x2,0x1) and two bytes of data. */
static const uint8_t good[] = {
	1, 0, 0, 0, 10, 0,   'A', 0, 0, 0,    1,
	1, 6, 0, 1, 2,  127, 255, 4, 0, 0xab, 0xcd,
};

/* Reads a copy of exactly this size. */
static int
read_copy(const uint8_t *bytes, size_t size, struct boot_entry *entry)
{
	uint8_t *copy = malloc(size + 1);
	int ret;

	memcpy(copy, bytes, size);
	ret = boot_entry_read(entry, copy, size, &err);
	free(copy);
	return ret;
}

START_TEST(good_entry)
{
	struct boot_entry entry;
	char *text;

	ck_assert_int_eq(boot_entry_read(&entry, good, sizeof(good), &err), 0);
	ck_assert_uint_eq(entry.attributes, BOOT_ACTIVE);
	ck_assert_uint_eq(entry.description_size, 4);
	ck_assert_uint_eq(entry.path_size, 10);
	ck_assert_uint_eq(entry.data_size, 2);
	ck_assert(!boot_entry_is_automatic(&entry));
	text = boot_path_text(entry.path, entry.path_size);
	ck_assert_str_eq(text, "Pci(0x2,0x1)");
	free(text);
	text = boot_entry_data(&entry);
	ck_assert_str_eq(text, "abcd");
	free(text);
}
END_TEST

/* Every entry that is cut within its path, or earlier, is broken. */
START_TEST(cut_entry)
{
	struct boot_entry entry;
	int ret = read_copy(good, (size_t)_i, &entry);

	ck_assert_int_eq(ret, _i < 20 ? -EINVAL : 0);
	if (ret < 0)
		ck_assert_int_ne(err.text[0], 0);
}
END_TEST

START_TEST(broken_entry)
{
	static const struct {
		size_t at;
		uint8_t byte;
		const char *part;
	} broken[] = {
		{ 4, 0, "the device path is empty" },
		{ 4, 9, "no whole node at byte 6 of 9" },
		{ 4, 13, "its device path has 13 bytes, but only 12" },
		{ 8, 'B', "its description has no end" },
		{ 12, 3, "no whole node at byte 0 of 10" },
		{ 16, 1, "ends without an end node" },
		{ 17, 1, "ends without an end node" },
	};
	uint8_t bytes[sizeof(good)];
	struct boot_entry entry;

	memcpy(bytes, good, sizeof(good));
	bytes[broken[_i].at] = broken[_i].byte;
	ck_assert_int_eq(read_copy(bytes, sizeof(bytes), &entry), -EINVAL);
	ck_assert_msg(strstr(err.text, broken[_i].part) != NULL, "%s",
		      err.text);
}
END_TEST

START_TEST(random_entries)
{
	uint8_t bytes[sizeof(good)];
	struct boot_entry entry;
	char *text;

	srand(7);
	for (unsigned int i = 0; i < 50000; i++) {
		memcpy(bytes, good, sizeof(good));
		for (int n = rand() % 4; n >= 0; n--)
			bytes[(size_t)rand() % sizeof(bytes)] =
				(uint8_t)(rand() >> 7);
		if (boot_entry_read(&entry, bytes, sizeof(bytes), &err) < 0)
			continue;
		ck_assert_uint_eq(6 + entry.description_size + entry.path_size +
					  entry.data_size,
				  sizeof(bytes));
		text = boot_path_text(entry.path, entry.path_size);
		ck_assert_ptr_nonnull(text);
		free(text);
	}
}
END_TEST

START_TEST(optional_data)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *text;
	} data[] = {
		{ "", 0, "" },
		{ "a", 1, "61" },
		{ "a\0b\0", 4, "ab" },
		{ "a\0b\0\0", 6, "ab" },
		{ "a\0\0\0b\0", 6, "610000006200" },
		{ "a\0\n\0", 4, "61000a00" },
		{ "\0\0\0\0", 4, "00000000" },
		{ "a\0\x1b\x20", 4, "61001b20" },
	};
	const struct boot_entry entry = {
		.data = (const uint8_t *)data[_i].bytes,
		.data_size = data[_i].size,
	};
	char *text = boot_entry_data(&entry);

	ck_assert_str_eq(text, data[_i].text);
	free(text);
}
END_TEST

/* libefiboot 37 garbles labels beyond U+07FF, so they are no peer here. */
START_TEST(same_bytes_as_libefiboot)
{
	unsigned char label[] = "Debian \xc3\xa9";
	uint8_t device[] = { 1, 1, 6, 0, 1, 2, 127, 255, 4, 0 };
	uint8_t data[] = { 1, 2, 3 }, peer[128], *value;
	const struct boot_entry entry = {
		.attributes = 9,
		.path = device,
		.path_size = sizeof(device),
		.data = data,
		.data_size = sizeof(data),
	};
	ssize_t len = efi_loadopt_create(peer, sizeof(peer), 9,
					 (efidp)(void *)device, sizeof(device),
					 label, data, sizeof(data));
	size_t size;

	ck_assert_int_eq(boot_entry_make(&value, &size, (const char *)label,
					 &entry, &err),
			 0);
	ck_assert_uint_eq(size, (size_t)len);
	ck_assert_mem_eq(value, peer, size);
	free(value);
}
END_TEST

START_TEST(labels)
{
	const struct boot_entry entry = {
		.path = good + 10,
		.path_size = 10,
	};
	struct boot_entry made;
	uint8_t *value;
	char *text;
	size_t size;

	ck_assert_int_eq(boot_entry_make(&value, &size, "", &entry, &err),
			 -EINVAL);
	ck_assert_int_eq(boot_entry_make(&value, &size, "\xff", &entry, &err),
			 -EINVAL);
	ck_assert_int_eq(boot_entry_make(&value, &size, "a\tb", &entry, &err),
			 -EINVAL);
	ck_assert_int_eq(boot_entry_make(&value, &size,
					 "\xe6\x97\xa5\xf0\x9f\x90\xa7", &entry,
					 &err),
			 0);
	ck_assert_int_eq(boot_entry_read(&made, value, size, &err), 0);
	text = boot_utf8(made.description, made.description_size);
	ck_assert_str_eq(text, "\xe6\x97\xa5\xf0\x9f\x90\xa7");
	free(text);
	free(value);
}
END_TEST

/* --- names and words --- */

static struct variable
variable_of(const uint8_t *guid, const char *name, const void *data,
	    size_t size)
{
	static uint8_t bytes[BOOT_NAME_SIZE];

	return (struct variable){
		.guid = guid,
		.name = bytes,
		.name_size = boot_name(bytes, name),
		.data = data,
		.data_size = (uint32_t)size,
	};
}

START_TEST(numbered_names)
{
	static const struct {
		const char *name;
		int number;
	} names[] = {
		{ "Boot0000", 0 },      { "BootFFFF", 0xffff },
		{ "Boot12AB", 0x12ab }, { "Boot12ab", -1 },
		{ "Boot123", -1 },      { "Boot12345", -1 },
		{ "BootOrder", -1 },    { "BootNext", -1 },
		{ "boot0001", -1 },     { "Boot000G", -1 },
	};
	uint16_t number = 1;
	struct variable variable = variable_of(guid_global, names[_i].name,
					       good, sizeof(good));
	bool found = boot_is_numbered(&variable, "Boot", &number);

	ck_assert_int_eq(found ? number : -1, names[_i].number);
	variable.guid = vendor_other;
	ck_assert(!boot_is_numbered(&variable, "Boot", &number));
}
END_TEST

START_TEST(words_for_values)
{
	static const struct {
		const char *name, *bytes;
		size_t size;
		const char *words;
	} values[] = {
		{ "Boot0001", (const char *)good, sizeof(good),
		  "A: Pci(0x2,0x1)" },
		{ "Driver0001", (const char *)good, sizeof(good),
		  "A: Pci(0x2,0x1)" },
		{ "Boot0001", "\1\0", 2, NULL },
		{ "BootOrder", "\1\0\x0a\x1b", 4, "0001,1B0A" },
		{ "BootOrder", "\1\0\2", 3, NULL },
		{ "BootNext", "\1\0", 2, "0001" },
		{ "BootNext", "\1\0\0\0", 4, NULL },
		{ "OsIndications", "\1\0\0\0", 4, NULL },
		{ "ConOut", "\1\1\6\0\1\2\x7f\xff\4\0", 10, "Pci(0x2,0x1)" },
		{ "ConOut", "\1\1\6\0\1\2", 6, NULL },
		{ "Lang", "eng", 3, NULL },
	};
	struct variable variable = variable_of(guid_global, values[_i].name,
					       values[_i].bytes,
					       values[_i].size);
	char *words = boot_describer.value(&variable);

	if (values[_i].words)
		ck_assert_str_eq(words, values[_i].words);
	else
		ck_assert_ptr_null(words);
	free(words);
	variable.guid = vendor_other;
	ck_assert_ptr_null(boot_describer.value(&variable));
}
END_TEST

START_TEST(words_for_changes)
{
	const struct variable old = variable_of(guid_global, "BootOrder",
						"\1\0\2\0", 4);
	const struct variable new = variable_of(guid_global, "BootOrder",
						"\2\0\1\0", 4);
	const struct variable odd = variable_of(guid_global, "BootOrder", "\2",
						1);
	char *words = boot_describer.change(&old, &new);

	ck_assert_str_eq(words, "0002,0001 instead of 0001,0002");
	free(words);
	words = boot_describer.change(NULL, &new);
	ck_assert_str_eq(words, "added 0002,0001");
	free(words);
	words = boot_describer.change(&old, NULL);
	ck_assert_str_eq(words, "removed 0001,0002");
	free(words);
	words = boot_describer.change(&old, &odd);
	ck_assert_str_eq(words, "1 bytes instead of 0001,0002");
	free(words);
}
END_TEST

START_TEST(other_variables_have_no_words)
{
	const struct variable other = variable_of(guid_global, "Lang", "eng",
						  3);

	ck_assert_ptr_null(boot_describer.change(&other, NULL));
	ck_assert_ptr_null(boot_describer.change(NULL, &other));
}
END_TEST

static Suite *
boot_entry_suite(void)
{
	Suite *suite = suite_create("boot_entry");
	TCase *tc = tcase_create("boot_entry");

	tcase_add_test(tc, good_entry);
	tcase_add_loop_test(tc, cut_entry, 0, sizeof(good) + 1);
	tcase_add_loop_test(tc, broken_entry, 0, 7);
	tcase_add_test(tc, random_entries);
	tcase_add_loop_test(tc, optional_data, 0, 8);
	tcase_add_test(tc, same_bytes_as_libefiboot);
	tcase_add_test(tc, labels);
	tcase_add_loop_test(tc, numbered_names, 0, 10);
	tcase_add_loop_test(tc, words_for_values, 0, 11);
	tcase_add_test(tc, words_for_changes);
	tcase_add_test(tc, other_variables_have_no_words);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(boot_entry_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
