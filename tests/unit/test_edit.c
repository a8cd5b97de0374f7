/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the edits of a VARS image: the bytes and states that an edit leaves,
 * its limits, reclaims, and the images that it refuses.  tests/peer/edk2
 * compares edits with edk2's own driver.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_vars.h"

#include "pflash/convert.h"
#include "pflash/edit.h"
#include "pflash/le.h"

#define NV_BS 3u
#define NV_BS_RT 7u
#define NV_BS_RT_AT 0x27u

static struct error err;
static struct edit *edit;

static void
begin(const struct vars *vars)
{
	edit_end(edit);
	ck_assert_msg(edit_begin(&edit, vars->image, vars->size, &err) == 0,
		      "%s", err.text);
}

static void
finish(struct vars *vars)
{
	struct fv_report report;

	ck_assert(fv_check(edit_image(edit), vars->size, &report));
	edit_end(edit);
	edit = NULL;
	vars_free(vars);
}

/* UTF-16LE with its NUL; the buffer is static. */
static const uint8_t *
wide(const char *name, uint32_t *size)
{
	static uint8_t text[64];

	*size = 0;
	do {
		text[(*size)++] = (uint8_t)*name;
		text[(*size)++] = 0;
	} while (*name++);
	ck_assert_uint_le(*size, sizeof(text));
	return text;
}

static struct edit_value
value_of(const char *name, uint32_t attributes, const void *data,
	 uint32_t data_size)
{
	struct edit_value value = {
		.guid = vendor_other,
		.attributes = attributes,
		.data = data,
		.data_size = data_size,
	};

	value.name = wide(name, &value.name_size);
	return value;
}

static int
set(const char *name, uint32_t attributes, const char *data)
{
	struct edit_value value = value_of(name, attributes, data,
					   (uint32_t)strlen(data));

	err.text[0] = '\0';
	return edit_set(edit, &value, &err);
}

/* A variable that takes `size` bytes of the store, with its header. */
static int
set_sized(const char *name, uint8_t fill, uint32_t size)
{
	static uint8_t data[0x10000];
	struct edit_value value;
	uint32_t header = edit_store(edit)->authenticated ? 60 : 32;

	ck_assert_uint_le(size, sizeof(data));
	memset(data, fill, size);
	value = value_of(name, NV_BS_RT, data, size);
	value.data_size -= header + value.name_size;
	return edit_set(edit, &value, &err);
}

static int
drop(const char *name)
{
	uint32_t size;
	const uint8_t *text = wide(name, &size);

	return edit_remove(edit, vendor_other, text, size, &err);
}

/* All variables: NAME:STATE=DATA, the live ones with a star. */
static void
has(const char *wanted)
{
	struct variable v = { 0 };
	char all[1024] = "", name[64];
	int ret;

	while ((ret = varstore_next(edit_store(edit), &v)) > 0) {
		char state[8];

		variable_name(&v, name, sizeof(name));
		snprintf(state, sizeof(state), ":%02x=", v.state);
		strcat(strcat(strcat(all, v.live ? "*" : ""), name), state);
		if (v.data_size < 16)
			strncat(all, (const char *)v.data, v.data_size);
		strcat(all, " ");
	}
	ck_assert_int_eq(ret, 0);
	ck_assert_str_eq(all, wanted);
	while (v.next < edit_store(edit)->end)
		ck_assert_uint_eq(edit_image(edit)[v.next++], 0xff);
}

static size_t
bytes_free(void)
{
	struct variable v = { 0 };

	while (varstore_next(edit_store(edit), &v) > 0)
		continue;
	return edit_store(edit)->end - v.next;
}

/* --- bytes --- */

/* Each byte of a variable that was added to an empty store. */
START_TEST(bytes_of_a_variable)
{
	static const uint8_t
		wanted
			[] = {
				0xaa, 0x55, 0x3f, 0,    0x27, 0,   0,
				0, /* id, state, attributes */
				0,    0,    0,    0,    0,    0,   0,
				0, /* monotonic count */
				0xea, 0x07, 11,   30,   14,   55,  59,
				0, /* time */
				0,    0,    0,    0,    0,    0,   0,
				0, /* nanosecond, zone, daylight */
				0,    0,    0,    0,    4,    0,   0,
				0,    5,    0,    0,    0, /* key, sizes */
				1,    2,    3,    4,    5,    6,   7,
				8,    9,    10,   11,   12,   13,  14,
				15,   16, /* GUID */
				'A',  0,    0,    0,    'h',  'e', 'l',
				'l',  'o',              /* name and data */
				0xff, 0xff, 0xff, 0xff, /* padding */
			};
	struct vars vars = vars_make(_i ? "4m" : "2m");
	struct edit_value value;

	begin(&vars);
	value = value_of("A", NV_BS_RT_AT, "hello", 5);
	value.time = (struct variable_time){ 2026, 11, 30, 14, 55, 59 };
	ck_assert_int_eq(edit_set(edit, &value, &err), 1);
	ck_assert_mem_eq(edit_image(edit) + 100, wanted, sizeof(wanted));
	ck_assert_mem_eq(edit_image(edit), vars.image, 100);
	ck_assert_mem_eq(edit_image(edit) + 172, vars.image + 172,
			 vars.size - 172);
	finish(&vars);
}
END_TEST

START_TEST(bytes_of_a_variable_with_a_plain_header)
{
	static const uint8_t wanted[] = {
		0xaa, 0x55, 0x3f, 0,  3,  0,  0,   0, /* attributes */
		6,    0,    0,    0,  1,  0,  0,   0, /* sizes */
		1,    2,    3,    4,  5,  6,  7,   8,
		9,    10,   11,   12, 13, 14, 15,  16, /* GUID */
		'A',  0,    'B',  0,  0,  0,  'x',     /* name and data */
		0xff, 0xff, /* padding, and the erased flash */
	};
	struct vars vars = vars_make("2m");

	vars_make_plain(&vars);
	begin(&vars);
	ck_assert_int_eq(set("AB", NV_BS, "x"), 1);
	ck_assert_mem_eq(edit_image(edit) + 100, wanted, sizeof(wanted));
	ck_assert_int_eq(set("C", NV_BS, "y"), 1);
	ck_assert_uint_eq(edit_image(edit)[100 + 40], 0xaa);
	has("*AB:3f=x *C:3f=y ");
	finish(&vars);
}
END_TEST

/* --- states --- */

START_TEST(replaced_and_removed_variables)
{
	struct vars vars = vars_make("2m");

	begin(&vars);
	ck_assert_int_eq(set("A", NV_BS, "one"), 1);
	ck_assert_int_eq(set("B", NV_BS, "b"), 1);
	ck_assert_int_eq(set("A", NV_BS, "two"), 1);
	has("A:3c=one *B:3f=b *A:3f=two ");
	ck_assert_int_eq(drop("A"), 0);
	has("A:3c=one *B:3f=b A:3d=two ");
	ck_assert_int_eq(drop("A"), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "no variable A of"));
	ck_assert_int_eq(set("A", NV_BS, "three"), 1);
	has("A:3c=one *B:3f=b A:3d=two *A:3f=three ");
	finish(&vars);
}
END_TEST

/* The driver refuses new attributes: a guest deletes, and sets again. */
START_TEST(new_attributes)
{
	struct vars vars = vars_make("2m");

	begin(&vars);
	ck_assert_int_eq(set("A", NV_BS, "a"), 1);
	ck_assert_int_eq(set("A", NV_BS_RT, "a"), 1);
	has("A:3d=a *A:3f=a ");
	finish(&vars);
}
END_TEST

START_TEST(equal_values_are_not_written)
{
	struct vars vars = vars_make("2m");
	struct edit_value value;

	begin(&vars);
	value = value_of("A", NV_BS_RT_AT, "a", 1);
	value.time.year = 2026;
	ck_assert_int_eq(edit_set(edit, &value, &err), 1);
	ck_assert_int_eq(edit_set(edit, &value, &err), 0);
	has("*A:3f=a ");
	value.time.second = 1;
	ck_assert_int_eq(edit_set(edit, &value, &err), 1);
	has("A:3c=a *A:3f=a ");
	value.data = (const uint8_t *)"b";
	ck_assert_int_eq(edit_set(edit, &value, &err), 1);
	ck_assert_int_eq(edit_set(edit, &value, &err), 0);
	has("A:3c=a A:3c=a *A:3f=b ");
	finish(&vars);
}
END_TEST

START_TEST(vendors_and_prefixes_differ)
{
	struct vars vars = vars_make("2m");
	struct edit_value value;

	vars_add(&vars, VARIABLE_ADDED, vendor_global, "A", "global");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "AB", "longer");
	begin(&vars);
	ck_assert_int_eq(drop("A"), -ENOENT);
	ck_assert_int_eq(set("A", NV_BS_RT, "a"), 1);
	has("*A:3f=global *AB:3f=longer *A:3f=a ");
	value = value_of("A", NV_BS_RT, "g", 1);
	value.guid = vendor_global;
	ck_assert_int_eq(edit_set(edit, &value, &err), 1);
	has("A:3c=global *AB:3f=longer *A:3f=a *A:3f=g ");
	finish(&vars);
}
END_TEST

/* A guest was destroyed while it set A: states 3e, or 3e and 3f. */
START_TEST(variables_in_transition)
{
	struct vars vars = vars_make("2m");

	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "A", "old");
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "B", "old");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "new");
	begin(&vars);
	ck_assert_int_eq(set("A", NV_BS_RT, "a"), 1);
	ck_assert_int_eq(set("B", NV_BS_RT, "b"), 1);
	has("A:3c=old B:3c=old B:3c=new *A:3f=a *B:3f=b ");
	begin(&vars);
	ck_assert_int_eq(drop("A"), 0);
	ck_assert_int_eq(drop("B"), 0);
	has("A:3c=old B:3c=old B:3d=new ");
	finish(&vars);
}
END_TEST

/*
 * After two power cuts there can be three.  The driver would leave the first of
 * them, which comes back when the others are deleted.
 */
START_TEST(no_older_value_comes_back)
{
	struct vars vars = vars_make("2m");

	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "A", "1");
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "A", "2");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "A", "3");
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "A", "4");
	begin(&vars);
	ck_assert_int_eq(drop("A"), 0);
	has("A:3c=1 A:3c=2 A:3d=3 A:3c=4 ");
	ck_assert_int_eq(drop("A"), -ENOENT);
	begin(&vars);
	ck_assert_int_eq(set("A", NV_BS_RT, "5"), 1);
	has("A:3c=1 A:3c=2 A:3c=3 A:3c=4 *A:3f=5 ");
	ck_assert_int_eq(drop("A"), 0);
	ck_assert_int_eq(drop("A"), -ENOENT);
	finish(&vars);
}
END_TEST

START_TEST(duplicates_end_too)
{
	struct vars vars = vars_make("2m");

	vars_add(&vars, VARIABLE_ADDED, vendor_other, "A", "first");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "A", "second");
	begin(&vars);
	ck_assert_int_eq(set("A", NV_BS_RT, "first"), 0);
	ck_assert_int_eq(set("A", NV_BS_RT, "new"), 1);
	has("A:3c=first A:3d=second *A:3f=new ");
	begin(&vars);
	ck_assert_int_eq(drop("A"), 0);
	has("A:3d=first A:3d=second ");
	finish(&vars);
}
END_TEST

/* A variable that a stop left incomplete stays as it is, until a reclaim. */
START_TEST(torn_variables)
{
	struct vars vars = vars_make("2m");
	uint8_t fill = 0;
	size_t off;

	vars_add(&vars, VARIABLE_HEADER_VALID, vendor_other, "A", "torn");
	off = vars_add_raw(&vars, VARIABLE_UNWRITTEN, vendor_other, "", 0, "",
			   0);
	memset(vars.image + off + 3, 0xff, 57);
	begin(&vars);
	ck_assert_int_eq(drop("A"), -ENOENT);
	ck_assert_int_eq(set("A", NV_BS, "a"), 1);
	has("A:7f=torn :ff= *A:3f=a ");
	while (bytes_free() >= 0x2000)
		ck_assert_int_eq(set_sized("F", fill++, 0x2000), 1);
	ck_assert_int_eq(set_sized("G", 1, 0x2000), 1);
	has("*A:3f=a *F:3f= *G:3f= ");
	finish(&vars);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("edit");
	TCase *tc = tcase_create("edit");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, bytes_of_a_variable, 0, 2);
	tcase_add_test(tc, bytes_of_a_variable_with_a_plain_header);
	tcase_add_test(tc, replaced_and_removed_variables);
	tcase_add_test(tc, new_attributes);
	tcase_add_test(tc, equal_values_are_not_written);
	tcase_add_test(tc, vendors_and_prefixes_differ);
	tcase_add_test(tc, variables_in_transition);
	tcase_add_test(tc, no_older_value_comes_back);
	tcase_add_test(tc, duplicates_end_too);
	tcase_add_test(tc, torn_variables);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	edit_end(edit);
	return failed != 0;
}
