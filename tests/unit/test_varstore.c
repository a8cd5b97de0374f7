/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests reading the variables of an image: of Debian's files, compared with
 * another program's output, and of stores made here in both formats; which copy
 * of a variable is live, also by the table of names; the printed names.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/fv/live.h"

#include "support_store.h"
#include "support_vars.h"

#include "pflash/le.h"
#include "pflash/varstore.h"

static struct error err;

static struct varstore
opened(const struct vars *vars)
{
	struct varstore store;

	ck_assert_int_eq(varstore_open(&store, vars->image, vars->size, &err),
			 0);
	return store;
}

static const char *
name_of(const struct variable *v)
{
	static char name[1024];

	ck_assert_uint_lt(variable_name(v, name, sizeof(name)), sizeof(name));
	return name;
}

/* --- opening --- */

START_TEST(open_reports_what_is_missing)
{
	struct vars vars = vars_make("2m");
	struct varstore store;

	for (size_t size = 0; size < 100; size++) {
		uint8_t *p = calloc(1, size + 1);

		ck_assert_ptr_nonnull(p);
		p = realloc(p, size ? size : 1);
		ck_assert_int_eq(varstore_open(&store, p, size, &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, "too few"));
		free(p);
	}
	vars.image[40] = 'x';
	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "no firmware volume"));
	vars.image[40] = '_';
	put_le16(vars.image + 48, 71);
	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "71 bytes"));
	put_le16(vars.image + 48, 0xffff);
	ck_assert_int_eq(varstore_open(&store, vars.image, 0x10000, NULL),
			 -EINVAL);
	put_le16(vars.image + 48, 72);
	vars.image[72] ^= 1;
	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "no variable store"));
	vars.image[72] ^= 1;
	put_le32(vars.image + 88, 0x20000 - 72 + 1);
	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "variable store claims an"));
	put_le32(vars.image + 88, UINT32_MAX);
	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err),
			 -EINVAL);
	put_le32(vars.image + 88, 24);
	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err),
			 -EINVAL);
	/* Errors that do not prevent iteration are accepted here. */
	put_le32(vars.image + 88, 0x20000 - 72);
	vars.image[0] = 1;
	vars.image[92] = 0;
	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err), 0);
	ck_assert_uint_eq(store.end, 0x20000);
	vars_free(&vars);
}
END_TEST

/* --- Debian's file with Microsoft's keys --- */

static const struct {
	size_t offset;
	uint32_t attributes, size;
	const char *vendor, *name;
} listed[] = {
	{ 0x0b8, 0x27, 4, "d9bee56e-75dc-49d9-b4d7-b534210f637a", "certdb" },
	{ 0x160, 0x07, 4, "eb704011-1402-11d3-8e77-00a0c969723b", "MTC" },
	{ 0x210, 0x03, 1049, "59324945-ec44-4c0d-b1cd-9db139df070c",
	  "Attempt 1" },
	{ 0x2a30, 0x07, 1, "04b37fe8-f6ae-480b-bdd5-37d98c5e89aa",
	  "VarErrorFlag" },
	{ 0x3cf4, 0x27, 3143, "d719b2cb-3d3a-4596-a3bc-dad00e67656f", "db" },
	{ 0x4980, 0x27, 76, "d719b2cb-3d3a-4596-a3bc-dad00e67656f", "dbx" },
	{ 0x4a10, 0x27, 2565, "8be4df61-93ca-11d2-aa0d-00e098032b8c", "KEK" },
	{ 0x545c, 0x27, 1005, "8be4df61-93ca-11d2-aa0d-00e098032b8c", "PK" },
	{ 0x5944, 0x03, 1, "c076ec0c-7028-4399-a072-71ee5c448b9f",
	  "CustomMode" },
};
#define LISTED (sizeof(listed) / sizeof(listed[0]))

START_TEST(debian_file_is_listed)
{
	const char *path = "tests/data/debian12-OVMF_VARS.ms.fd.gz";
	struct variable v = { 0 };
	char text[GUID_TEXT_SIZE];
	unsigned int live = 0, all = 0, next = 0;
	struct varstore store;
	struct blob blob;

	blob = blob_gunzip(path);
	ck_assert_int_eq(varstore_open(&store, blob.data, blob.len, &err), 0);
	ck_assert(store.authenticated);
	while (varstore_next(&store, &v) > 0) {
		all++;
		live += v.live;
		ck_assert_int_eq(v.live, v.state == VARIABLE_ADDED);
		if (next == LISTED || v.offset != listed[next].offset)
			continue;
		ck_assert(v.live);
		ck_assert_uint_eq(v.attributes, listed[next].attributes);
		ck_assert_uint_eq(v.data_size, listed[next].size);
		guid_format(v.guid, text);
		ck_assert_str_eq(text, listed[next].vendor);
		ck_assert_ptr_nonnull(guid_name(v.guid));
		ck_assert_str_eq(name_of(&v), listed[next].name);
		ck_assert(variable_name_valid(&v));
		next++;
	}
	ck_assert_uint_eq(next, LISTED);
	ck_assert_uint_eq(live, 31);
	ck_assert_uint_eq(all, 57);
	ck_assert_uint_eq(v.next, 0x64 + 0x5934);
	blob_free(&blob);
}
END_TEST

/* --- stores made here --- */

START_TEST(fields_are_read)
{
	struct vars vars = vars_make("2m");
	struct variable v = { 0 };
	struct varstore store;
	size_t off;
	uint8_t *p;

	if (_i)
		vars_make_plain(&vars);
	off = vars_add(&vars, VARIABLE_ADDED, vendor_global, "Boot0001", "abc");
	p = vars.image + off;
	put_le32(p + 4, 0x27);
	if (!_i) {
		put_le64(p + 8, 0x1122334455667788);
		put_le16(p + 16, 2026);
		memcpy(p + 18, "\x02\x1f\x17\x3b\x3a", 5);
		put_le32(p + 32, 77);
	}
	store = opened(&vars);
	ck_assert_int_eq(store.authenticated, !_i);
	ck_assert(!store.in_spare);
	ck_assert_uint_eq(store.start, off);
	ck_assert_uint_eq(store.end, 0xe000);
	ck_assert_int_eq(varstore_next(&store, &v), 1);
	ck_assert_uint_eq(v.offset, off);
	ck_assert_uint_eq(v.next, vars.at);
	ck_assert_uint_eq(v.state, VARIABLE_ADDED);
	ck_assert(v.live);
	ck_assert_uint_eq(v.attributes, 0x27);
	ck_assert_mem_eq(v.guid, vendor_global, 16);
	ck_assert_str_eq(name_of(&v), "Boot0001");
	ck_assert_uint_eq(v.name_size, 18);
	ck_assert_uint_eq(v.data_size, 3);
	ck_assert_mem_eq(v.data, "abc", 3);
	ck_assert_uint_eq(v.monotonic_count, _i ? 0 : 0x1122334455667788);
	ck_assert_uint_eq(v.time.year, _i ? 0 : 2026);
	ck_assert_uint_eq(v.time.month, _i ? 0 : 2);
	ck_assert_uint_eq(v.time.day, _i ? 0 : 31);
	ck_assert_uint_eq(v.time.hour, _i ? 0 : 23);
	ck_assert_uint_eq(v.time.minute, _i ? 0 : 59);
	ck_assert_uint_eq(v.time.second, _i ? 0 : 58);
	ck_assert_uint_eq(v.key_index, _i ? 0 : 77);
	/* The end is returned again at every call. */
	ck_assert_int_eq(varstore_next(&store, &v), 0);
	ck_assert_uint_eq(v.next, vars.at);
	ck_assert_int_eq(varstore_next(&store, &v), 0);
	vars_free(&vars);
}
END_TEST

/* FindVariableEx(): the first added one, else the last one in transition. */
START_TEST(live_copy_is_chosen)
{
	static const struct {
		uint8_t states[5];
		int live;
	} cases[] = {
		{ { 0x3f }, 0 },
		{ { 0x3e }, 0 },
		{ { 0x3d }, -1 },
		{ { 0x3c }, -1 },
		{ { 0x7f }, -1 },
		{ { 0x3b }, -1 },
		{ { 0x3e, 0x3f }, 1 },
		{ { 0x3f, 0x3e }, 0 },
		{ { 0x3e, 0x7f }, 0 },
		{ { 0x3e, 0x3e }, 1 },
		{ { 0x3f, 0x3f }, 0 },
		{ { 0x3c, 0x3e, 0x3d, 0x3f, 0x3f }, 3 },
		{ { 0x3e, 0x3c, 0x3e, 0x7f }, 2 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vars vars = vars_make("2m");
		struct variable v = { 0 }, found;
		struct varstore store;
		int at = 0;

		vars_add(&vars, 0x3f, vendor_global, "Name", "another's");
		for (int n = 0; n < 5 && cases[i].states[n]; n++)
			vars_add(&vars, cases[i].states[n], vendor_other,
				 "Name", "x");
		vars_add(&vars, 0x3f, vendor_other, "Nam", "shorter");
		store = opened(&vars);
		ck_assert_int_eq(varstore_next(&store, &v), 1);
		while (varstore_next(&store, &v) > 0 && v.name_size == 10)
			ck_assert_int_eq(v.live, at++ == cases[i].live);
		ck_assert_int_eq(
			varstore_find(&store, vendor_other,
				      (const uint8_t *)"N\0a\0m\0e\0\0", 10,
				      &found),
			cases[i].live < 0 ? -ENOENT : 0);
		ck_assert_int_eq(found.live, cases[i].live >= 0);
		vars_free(&vars);
	}
}
END_TEST

/* Variables of few names in states that are drawn, some of them unknown. */
static struct vars
drawn(int seed)
{
	static const uint8_t states[] = { 0x3f, 0x3f, 0x3e, 0x3e, 0x3d,
					  0x3c, 0x7f, 0xff, 0x00 };
	struct vars vars = vars_make("2m");
	char name[16];

	if (seed % 2)
		vars_make_plain(&vars);
	srand((unsigned int)seed);
	for (int n = 0; n < 60; n++) {
		snprintf(name, sizeof(name), "V%d", rand() % 20);
		vars_add(&vars, states[(size_t)rand() % sizeof(states)],
			 rand() % 2 ? vendor_global : vendor_other, name, "x");
	}
	return vars;
}

START_TEST(table_finds_the_live_variables)
{
	struct vars vars = drawn(_i);
	struct varstore store = opened(&vars);
	struct variable v = { 0 }, w = { 0 }, found;
	struct live table, walks;

	live_init(&table, &store);
	ck_assert(table.has_table);
	walks = table;
	walks.has_table = false;
	while (varstore_next(&store, &v) > 0) {
		ck_assert_int_eq(live_next(&table, &w), 1);
		ck_assert_uint_eq(w.offset, v.offset);
		ck_assert_int_eq(w.live, v.live);
		(void)varstore_find(&store, v.guid, v.name, v.name_size,
				    &found);
		ck_assert_uint_eq(live_find(&table, &v), found.offset);
		ck_assert_uint_eq(live_find(&walks, &v), found.offset);
	}
	ck_assert_int_eq(live_next(&table, &w), 0);
	ck_assert_uint_eq(w.next, v.next);
	live_free(&table);
	vars_free(&vars);
}
END_TEST

struct walk {
	const struct varstore *store;
	struct variable at;
	int left; /* variables before fn() ends the walk */
};

static int
compare_with_next(void *opaque, const struct variable *variable)
{
	struct walk *walk = opaque;

	ck_assert_int_eq(varstore_next(walk->store, &walk->at), 1);
	ck_assert_uint_eq(variable->offset, walk->at.offset);
	ck_assert_int_eq(variable->live, walk->at.live);
	return --walk->left ? 0 : 7;
}

START_TEST(each_variable_is_visited)
{
	struct vars vars = drawn(_i);
	struct varstore store = opened(&vars);
	struct walk walk = { .store = &store, .left = 1000 };
	int all;

	ck_assert_int_eq(varstore_each(&store, compare_with_next, &walk), 0);
	ck_assert_int_eq(varstore_next(&store, &walk.at), 0);
	all = 1000 - walk.left;
	ck_assert_int_ge(all, 1);
	walk = (struct walk){ .store = &store, .left = (all + 1) / 2 };
	ck_assert_int_eq(varstore_each(&store, compare_with_next, &walk), 7);
	ck_assert_int_eq(walk.left, 0);
	/* The last variable reaches beyond the store. */
	vars.image[walk.at.offset + 2] = 0x3f;
	memset(vars.image + walk.at.offset + (store.authenticated ? 40 : 12),
	       0x7f, 4);
	walk = (struct walk){ .store = &store, .left = 1000 };
	ck_assert_int_eq(varstore_each(&store, compare_with_next, &walk),
			 -EINVAL);
	ck_assert_int_eq(1000 - walk.left, (all + 1) / 2 - 1);
	vars_free(&vars);
}
END_TEST

/* The table stays as it was, however often a name is not in it. */
START_TEST(table_has_no_other_names)
{
	struct vars vars = vars_make("2m");
	struct vars others = drawn(0);
	struct varstore store, other;
	struct variable v = { 0 };
	struct live table;

	vars_add(&vars, 0x3f, vendor_global, "Name", "x");
	store = opened(&vars);
	other = opened(&others);
	live_init(&table, &store);
	while (varstore_next(&other, &v) > 0)
		ck_assert_uint_eq(live_find(&table, &v), 0);
	ck_assert_uint_eq(table.names.count, 1);
	live_free(&table);
	vars_free(&vars);
	vars_free(&others);
}
END_TEST

/* Twice as many variables take no more than some twice the comparisons. */
START_TEST(table_is_linear)
{
	static const unsigned int counts[] = { 400, 800 };
	uint64_t probes[2];

	for (int i = 0; i < 2; i++) {
		struct vars vars = vars_make("2m");
		struct varstore store;
		struct variable v = { 0 };
		struct live table;
		char name[16];

		for (unsigned int n = 0; n < counts[i]; n++) {
			snprintf(name, sizeof(name), "%c%c", 'A' + n / 40,
				 'A' + n % 40);
			vars_add(&vars, 0x3f, vendor_global, name, "");
		}
		store = opened(&vars);
		live_init(&table, &store);
		while (live_next(&table, &v) > 0)
			ck_assert(v.live);
		probes[i] = table.names.probes;
		live_free(&table);
		vars_free(&vars);
	}
	ck_assert_uint_lt(probes[1], 3 * probes[0]);
}
END_TEST

START_TEST(broken_chain_ends_the_iteration)
{
	struct vars vars = vars_make("2m");
	struct variable v = { 0 };
	struct varstore store;
	size_t off;

	vars_add(&vars, VARIABLE_ADDED, vendor_global, "A", "1");
	off = vars_add(&vars, VARIABLE_ADDED, vendor_global, "B", "2");
	put_le32(vars.image + off + 40, 0xf0000000);
	store = opened(&vars);
	ck_assert_int_eq(varstore_next(&store, &v), 1);
	ck_assert(v.live);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(varstore_next(&store, &v), -EINVAL);
		ck_assert(!v.live);
		ck_assert_uint_eq(v.next, off);
	}
	/* A header that crosses the end of the store. */
	put_le32(vars.image + 88, (uint32_t)(off + 56 - 72));
	memset(&v, 0, sizeof(v));
	store = opened(&vars);
	ck_assert_int_eq(varstore_next(&store, &v), 1);
	ck_assert_int_eq(varstore_next(&store, &v), -EINVAL);
	vars_free(&vars);
}
END_TEST

START_TEST(pending_write_is_read_from_the_spare_area)
{
	struct vars vars = vars_make(_i ? "4m" : "2m");
	struct variable v = { 0 };
	struct varstore store;

	vars_add(&vars, VARIABLE_ADDED, vendor_global, "Kept", "1");
	vars_fill_spare(&vars);
	vars_ftw_write(&vars, 0, 0xfc, 1, 0);
	vars_ftw_record(&vars, 40, 0xfd, 0);
	memset(vars.image, 0xff, 0x4000);
	store = opened(&vars);
	ck_assert(store.in_spare);
	ck_assert_int_eq(varstore_next(&store, &v), 1);
	ck_assert_uint_eq(v.offset, vars.layout->ftw_spare + 0x64);
	ck_assert_str_eq(name_of(&v), "Kept");
	vars_free(&vars);
}
END_TEST

/* --- names --- */

static struct variable
named(const void *name, uint32_t size)
{
	return (struct variable){ .name = name, .name_size = size };
}

START_TEST(names_become_utf8)
{
	static const struct {
		uint16_t units[6]; /* followed by a NUL */
		const char *text;
	} cases[] = {
		{ { 'B', 'o', 'o', 't', '0', '1' }, "Boot01" },
		{ { 0 }, "" },
		{ { 0x7e, 0x7f, 0x80, 0x9f, 0xa0 },
		  "~\ufffd\ufffd\ufffd\u00a0" },
		{ { 0x1f, 0x1b, '[', 0x20, '\n' }, "\ufffd\ufffd[ \ufffd" },
		{ { 0x7ff, 0x800, 0xffff, 0xe000 },
		  "\u07ff\u0800\xef\xbf\xbf\ue000" },
		{ { 0xd83d, 0xde00, 'x' }, "\U0001f600x" },
		{ { 0xd800, 0xdc00, 0xdbff, 0xdfff }, "\U00010000\U0010ffff" },
		{ { 0xd83d, 'x' }, "\ufffdx" },
		{ { 0xde00, 0xd83d }, "\ufffd\ufffd" },
		{ { 0xd83d, 0xd83d, 0xde00 }, "\ufffd\U0001f600" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t name[14] = { 0 };
		struct variable v = named(name, sizeof(name));

		for (int n = 0; n < 6; n++)
			put_le16(name + 2 * n, cases[i].units[n]);
		ck_assert_str_eq(name_of(&v), cases[i].text);
	}
}
END_TEST

START_TEST(names_are_cut_between_characters)
{
	static const uint8_t name[] = { 'a',  0,    0xe4, 0,   0xac, 0x20, 0x3d,
					0xd8, 0x00, 0xde, 'b', 0,    0,    0 };
	static const char whole[] = "a\u00e4\u20ac\U0001f600b";
	static const size_t lengths[] = {
		0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11
	};
	struct variable v = named(name, sizeof(name));

	for (size_t size = 1; size <= sizeof(whole); size++) {
		char *text = malloc(size);

		ck_assert_ptr_nonnull(text);
		ck_assert_uint_eq(variable_name(&v, text, size),
				  sizeof(whole) - 1);
		ck_assert_uint_eq(strlen(text), lengths[size - 1]);
		ck_assert_mem_eq(text, whole, strlen(text));
		free(text);
	}
	/* Half a surrogate pair; a pair cut by the end; an empty name. */
	v = named(name, 1);
	ck_assert_str_eq(name_of(&v), "");
	v = named(name, 9);
	ck_assert_str_eq(name_of(&v), "a\u00e4\u20ac\ufffd");
	v = named(NULL, 0);
	ck_assert_str_eq(name_of(&v), "");
	ck_assert(!variable_name_valid(&v));
}
END_TEST

START_TEST(valid_names)
{
	static const struct {
		const char *name;
		uint32_t size;
		bool valid;
	} cases[] = {
		{ "a\0\0", 4, true },         { "a\0b\0\0", 6, true },
		{ "\0", 2, false },           { "a\0b", 4, false },
		{ "a\0\0\0b\0\0", 8, false }, { "a\0\0\0", 5, false },
		{ "a\0\0\0\0", 6, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct variable v = named(cases[i].name, cases[i].size);

		ck_assert_int_eq(variable_name_valid(&v), cases[i].valid);
	}
}
END_TEST

/* --- GUIDs --- */

START_TEST(guids_as_text)
{
	static const uint8_t guid[16] = { 0x03, 0x02, 0x01, 0x00, 0x05, 0x04,
					  0x07, 0x06, 0x08, 0x09, 0xfa, 0xfb,
					  0xfc, 0xfd, 0xfe, 0xff };
	char text[GUID_TEXT_SIZE];

	guid_format(guid, text);
	ck_assert_str_eq(text, "00010203-0405-0607-0809-fafbfcfdfeff");
	ck_assert_ptr_null(guid_name(guid));
	guid_format(vendor_global, text);
	ck_assert_str_eq(text, "8be4df61-93ca-11d2-aa0d-00e098032b8c");
	ck_assert_str_eq(guid_name(vendor_global), "EfiGlobalVariable");
}
END_TEST

START_TEST(guids_are_read)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{ "8be4df61-93ca-11d2-aa0d-00e098032b8c", true },
		{ "8BE4DF61-93CA-11D2-AA0D-00E098032B8C", true },
		{ "EfiGlobalVariable", true },
		{ "EfiGlobalVariabl", false },
		{ "EfiGlobalVariableX", false },
		{ "", false },
		{ "8be4df61-93ca-11d2-aa0d-00e098032b8", false },
		{ "8be4df61-93ca-11d2-aa0d-00e098032b8cc", false },
		{ "8be4df61-93ca-11d2-aa0d+00e098032b8c", false },
		{ "8be4df6193-ca-11d2-aa0d-00e098032b8c", false },
		{ "8be4df61-93ca-11d2-aa0d-00e098032b8g", false },
		{ "8be4df61-93ca-11d2-aa0d-00e098032bg8", false },
		{ "{be4df61-93ca-11d2-aa0d-00e098032b8}", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].text);
		/* Exactly this size, so that no byte behind it is read. */
		char *text = memcpy(malloc(len + 1), cases[i].text, len);
		uint8_t guid[GUID_SIZE];

		text = realloc(text, len ? len : 1);
		ck_assert_int_eq(guid_parse(text, len, guid), cases[i].good);
		if (cases[i].good)
			ck_assert_mem_eq(guid, vendor_global, GUID_SIZE);
		free(text);
	}
}
END_TEST

static Suite *
varstore_suite(void)
{
	Suite *suite = suite_create("varstore");
	TCase *tc = tcase_create("varstore");

	tcase_add_test(tc, open_reports_what_is_missing);
	tcase_add_test(tc, debian_file_is_listed);
	tcase_add_loop_test(tc, fields_are_read, 0, 2);
	tcase_add_test(tc, live_copy_is_chosen);
	tcase_add_loop_test(tc, table_finds_the_live_variables, 0, 100);
	tcase_add_loop_test(tc, each_variable_is_visited, 0, 20);
	tcase_add_test(tc, table_has_no_other_names);
	tcase_add_test(tc, table_is_linear);
	tcase_add_test(tc, broken_chain_ends_the_iteration);
	tcase_add_loop_test(tc, pending_write_is_read_from_the_spare_area, 0,
			    2);
	tcase_add_test(tc, names_become_utf8);
	tcase_add_test(tc, names_are_cut_between_characters);
	tcase_add_test(tc, valid_names);
	tcase_add_test(tc, guids_as_text);
	tcase_add_test(tc, guids_are_read);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(varstore_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
