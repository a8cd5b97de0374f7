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

static bool
is_erased(const uint8_t *p, size_t len)
{
	while (len && *p == 0xff) {
		p++;
		len--;
	}
	return len == 0;
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
	ck_assert(is_erased(edit_image(edit) + v.next,
			    edit_store(edit)->end - v.next));
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

/* --- room --- */

/* The size of a variable with the name A and 4 bytes of data. */
static uint32_t
least(void)
{
	return edit_store(edit)->authenticated ? 68 : 40;
}

static void
fill_to(size_t room)
{
	uint8_t fill = 0;

	while (bytes_free() > room + 0x1000)
		ck_assert_int_eq(set_sized("F", fill++, 0x1000), 1);
	ck_assert_int_eq(set_sized("E", fill, (uint32_t)(bytes_free() - room)),
			 1);
	ck_assert_uint_eq(bytes_free(), room);
}

/* Stores of each kind of headers and layout; the last layout is unknown. */
#define STORES 5

static struct vars
any_store(int which)
{
	struct vars vars = which == 4 ? vars_make_other(24, 0x8000) :
					vars_make(which & 1 ? "4m" : "2m");

	if (which & 2)
		vars_make_plain(&vars);
	return vars;
}

START_TEST(room_to_the_last_byte)
{
	struct vars vars = any_store(_i);
	size_t end, last;

	begin(&vars);
	ck_assert_int_eq(set("B", NV_BS, "b"), 1);
	fill_to(least());
	end = edit_store(edit)->end;
	last = end - least() / 4 * 4;
	ck_assert_int_eq(set_sized("A", 'a', least()), 1);
	ck_assert_uint_eq(edit_image(edit)[last], 0xaa);
	ck_assert_uint_eq(edit_image(edit)[end - 1], 'a');
	ck_assert_uint_eq(edit_image(edit)[end], vars.image[end]);
	ck_assert_uint_eq(bytes_free(), 0);
	finish(&vars);
}
END_TEST

/* One byte more than there is room: the driver reclaims. */
START_TEST(reclaim)
{
	struct vars vars = any_store(_i);

	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "T", "kept");
	vars_add(&vars, VARIABLE_HEADER_VALID, vendor_other, "U", "torn");
	begin(&vars);
	ck_assert_int_eq(set("B", NV_BS, "b"), 1);
	ck_assert_int_eq(set("C", NV_BS, "c"), 1);
	ck_assert_int_eq(drop("B"), 0);
	fill_to(least() - 4);
	ck_assert_int_eq(set_sized("A", 'a', least()), 1);
	has("*C:3f=c *F:3f= *E:3f= *T:3f=kept *A:3f=aaaa ");
	finish(&vars);
}
END_TEST

/* The old value needs no room: the reclaim leaves it out. */
START_TEST(a_reclaim_replaces_the_old_value)
{
	struct vars vars = any_store(_i);
	struct edit_value value;
	uint32_t room;

	begin(&vars);
	room = (uint32_t)(edit_store(edit)->end - edit_store(edit)->start);
	for (char name[] = "A"; bytes_free() > 0x2000; name[0]++)
		ck_assert_int_eq(set_sized(name, 'x', 0x2000), 1);
	ck_assert_int_lt(set_sized("z", 'z', 0x2000), 0);
	ck_assert_int_eq(set_sized("A", 'y', 0x2000), 1);
	ck_assert_uint_eq(bytes_free(), room % 0x2000);
	/* With other attributes, which means that it is deleted first. */
	value = value_of("A", NV_BS, "z", 1);
	ck_assert_int_eq(edit_set(edit, &value, &err), 1);
	finish(&vars);
}
END_TEST

/* An error changes no byte, and says how much room there would be. */
START_TEST(full)
{
	struct vars vars = any_store(_i);
	char wanted[80];
	uint8_t *before = malloc(vars.size);

	ck_assert_ptr_nonnull(before);
	begin(&vars);
	ck_assert_int_eq(set("B", NV_BS, "b"), 1);
	for (char name[] = "F"; bytes_free() > 0x2000; name[0]++)
		ck_assert_int_eq(set_sized(name, 'x', 0x2000), 1);
	ck_assert_int_eq(set_sized("E", 'e', (uint32_t)bytes_free() - least()),
			 1);
	ck_assert_int_eq(drop("B"), 0);
	memcpy(before, edit_image(edit), vars.size);
	ck_assert_int_eq(set_sized("A", 'a', 2 * least() + 4), -ENOSPC);
	snprintf(wanted, sizeof(wanted), "it needs %u bytes", 2 * least() + 4);
	ck_assert_ptr_nonnull(strstr(err.text, wanted));
	snprintf(wanted, sizeof(wanted), "would have %u left", 2 * least());
	ck_assert_ptr_nonnull(strstr(err.text, wanted));
	ck_assert_mem_eq(before, edit_image(edit), vars.size);
	ck_assert_int_eq(set_sized("A", 'a', 2 * least()), 1);
	ck_assert_uint_eq(bytes_free(), 0);
	free(before);
	finish(&vars);
}
END_TEST

/* A volume header of 74 bytes: the driver counts 2 bytes too many. */
START_TEST(no_byte_behind_the_store)
{
	struct vars vars = vars_make("2m");

	memmove(vars.image + 74, vars.image + 72, 28);
	vars.image[72] = vars.image[73] = 0;
	put_le16(vars.image + 48, 74);
	put_le32(vars.image + 74 + 16, 0xe000 - 74);
	vars_fix_sum(&vars, 0);
	begin(&vars);
	ck_assert_uint_eq(edit_store(edit)->start, 104);
	fill_to(68);
	ck_assert_int_eq(set_sized("A", 'a', 68), 1);
	ck_assert_uint_eq(edit_image(edit)[0xdfff], 'a');
	ck_assert_uint_eq(edit_image(edit)[0xe000], 0xff);
	finish(&vars);
}
END_TEST

/* The caller may pass a variable of the edited image, also to a reclaim. */
START_TEST(values_in_the_image)
{
	struct vars vars = vars_make("2m");
	struct edit_value value;
	struct variable v;

	begin(&vars);
	ck_assert_int_eq(set("D", NV_BS, "gone"), 1);
	ck_assert_int_eq(set("B", NV_BS, "copied"), 1);
	ck_assert_int_eq(drop("D"), 0);
	for (int i = 0; i < 2; i++) {
		value = value_of("B", NV_BS, "", 0);
		ck_assert_int_eq(varstore_find(edit_store(edit), value.guid,
					       value.name, value.name_size, &v),
				 0);
		value.name = v.name;
		value.guid = v.guid;
		value.data = v.data;
		value.data_size = v.data_size;
		value.attributes = i ? NV_BS : NV_BS_RT;
		ck_assert_int_eq(edit_set(edit, &value, &err), 1);
		if (!i)
			fill_to(60);
	}
	has("*F:3f= *E:3f= *B:3f=copied ");
	finish(&vars);
}
END_TEST

/* --- limits --- */

START_TEST(largest_variables)
{
	struct vars vars = any_store(_i);
	uint32_t most, header;
	struct edit_value value;
	uint8_t *data = calloc(1, vars.size);

	ck_assert_ptr_nonnull(data);
	begin(&vars);
	header = edit_store(edit)->authenticated ? 60 : 32;
	most = (uint32_t)(edit_store(edit)->end - edit_store(edit)->start);
	if (vars.layout)
		most = vars.layout->max_plain;
	value = value_of("A", NV_BS, data, most + 1 - header - 4);
	ck_assert_int_eq(edit_set(edit, &value, &err), -E2BIG);
	ck_assert_ptr_nonnull(strstr(err.text, "A of"));
	value.data_size--;
	ck_assert_int_eq(edit_set(edit, &value, &err), 1);
	value.data_size = UINT32_MAX;
	ck_assert_int_eq(edit_set(edit, &value, &err), -E2BIG);
	value.name_size = 0x80000000u;
	ck_assert_int_lt(edit_remove(edit, value.guid, value.name, 0x80000000u,
				     &err),
			 0);
	ck_assert_int_eq(drop("A"), 0);
	if (edit_store(edit)->authenticated && vars.layout) {
		most = fv_largest_variable(vars.layout, NV_BS_RT_AT);
		value = value_of("A", NV_BS_RT_AT, data, most + 1 - header - 4);
		ck_assert_int_eq(edit_set(edit, &value, &err), -E2BIG);
		value.data_size--;
		ck_assert_int_eq(edit_set(edit, &value, &err), 1);
	}
	free(data);
	finish(&vars);
}
END_TEST

START_TEST(refused_attributes)
{
	static const struct {
		uint32_t attributes;
		const char *why;
	} cases[] = {
		{ 0, "non-volatile" },
		{ 1, "non-volatile" },
		{ 2, "non-volatile" },
		{ 5, "non-volatile" },
		{ 6, "non-volatile" },
		{ 0xf, "hardware error" },
		{ 0x17, "such attributes" },
		{ 0x47, "such attributes" },
		{ 0x87, "such attributes" },
		{ 0x107, "such attributes" },
		{ 0x80000007, "such attributes" },
		{ UINT32_MAX, "hardware error" },
	};
	struct vars vars = vars_make("2m");

	begin(&vars);
	ck_assert_int_eq(set("A", cases[_i].attributes, "a"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, cases[_i].why));
	ck_assert_mem_eq(edit_image(edit), vars.image, vars.size);
	finish(&vars);
}
END_TEST

START_TEST(refused_values)
{
	static const uint8_t names[][8] = { { 0 },              /* empty */
					    { 'A', 0, 'B', 0 }, /* no NUL */
					    { 'A', 0, 0, 0, 'B', 0, 0, 0 } };
	static const uint32_t sizes[] = { 2, 4, 8 };
	struct vars vars = vars_make("2m");
	struct edit_value value;

	begin(&vars);
	ck_assert_int_eq(set("A", NV_BS, ""), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "no data"));
	value = value_of("A", NV_BS, "a", 1);
	for (int i = 0; i < 3; i++) {
		value.name = names[i];
		value.name_size = sizes[i];
		ck_assert_int_eq(edit_set(edit, &value, &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, "no string"));
	}
	value = value_of("A", NV_BS, "a", 1);
	for (value.name_size = 3; value.name_size != UINT32_MAX;
	     value.name_size -= 1)
		ck_assert_int_eq(edit_set(edit, &value, &err), -EINVAL);
	value = value_of("A", NV_BS, "a", 1);
	value.time.hour = 1;
	ck_assert_int_eq(edit_set(edit, &value, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "time stamp"));
	ck_assert_mem_eq(edit_image(edit), vars.image, vars.size);
	vars_make_plain(&vars);
	begin(&vars);
	ck_assert_int_eq(set("A", NV_BS_RT_AT, "a"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "no place for the time"));
	finish(&vars);
}
END_TEST

/* edit_set() does not write them, but they can stay, and be removed. */
START_TEST(variables_of_other_firmware)
{
	struct vars vars = vars_make("2m");
	size_t off = vars_add(&vars, VARIABLE_ADDED, vendor_other, "A", "a");

	put_le32(vars.image + off + 4, 0xf);
	begin(&vars);
	ck_assert_int_eq(set("A", 0xf, "a"), 0);
	ck_assert_int_eq(set("A", 0xf, "b"), -EINVAL);
	ck_assert_int_eq(drop("A"), 0);
	has("A:3d=a ");
	finish(&vars);
}
END_TEST

/* --- images --- */

static int
try(const uint8_t *image, size_t size)
{
	struct edit *none = edit;
	int ret;

	err.text[0] = '\0';
	ret = edit_begin(&none, image, size, &err);
	if (ret < 0)
		ck_assert_ptr_null(none);
	edit_end(none);
	return ret;
}

START_TEST(damaged_images)
{
	struct vars vars = vars_make("2m");
	uint8_t *large = malloc(FV_MAX_SIZE + FV_BLOCK_SIZE);

	ck_assert_ptr_nonnull(large);
	ck_assert_int_eq(try(NULL, 0), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "is empty"));
	for (size_t size = 1; size < 200; size++)
		ck_assert_int_eq(try(vars.image, size), -EINVAL);
	memset(large, 0xff, FV_MAX_SIZE + FV_BLOCK_SIZE);
	ck_assert_int_eq(try(large, FV_MAX_SIZE + FV_BLOCK_SIZE), -EINVAL);
	memcpy(large, vars.image, 0x1000);
	ck_assert_int_eq(try(large, FV_MAX_SIZE + FV_BLOCK_SIZE), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot be edited: "));
	free(large);
	vars.image[72] ^= 1;
	ck_assert_int_eq(try(vars.image, vars.size), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "pflashctl rollback"));
	vars_free(&vars);
}
END_TEST

/* As after a stop behind the first byte of a variable. */
START_TEST(bytes_behind_the_last_variable)
{
	struct vars vars = vars_make("2m");
	size_t at;

	vars_add(&vars, VARIABLE_DELETED, vendor_other, "D", "gone");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "b");
	at = vars.at;
	vars.image[at] = 0xaa;
	begin(&vars);
	has("*B:3f=b ");
	ck_assert_int_eq(set("A", NV_BS, "a"), 1);
	has("*B:3f=b *A:3f=a ");
	/* OVMF would drop the second one of two. */
	vars.image[at] = 0xff;
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "twice");
	ck_assert_int_eq(try(vars.image, vars.size), 0);
	vars.image[vars.at] = 0xaa;
	ck_assert_int_eq(try(vars.image, vars.size), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "pflashctl check"));
	finish(&vars);
}
END_TEST

/* Such stores are edited as long as there is room. */
START_TEST(no_reclaim_that_changes_others)
{
	static const uint8_t states[][2] = { { 0x3f, 0x3f },
					     { 0x3e, 0x3e },
					     { 0x15, 0x3f } };
	struct vars vars = vars_make("2m");
	uint8_t *before = malloc(vars.size);

	ck_assert_ptr_nonnull(before);
	vars_add(&vars, states[_i][0], vendor_other, "T", "first");
	vars_add(&vars, states[_i][1], vendor_other, "T", "last");
	begin(&vars);
	fill_to(68);
	memcpy(before, edit_image(edit), vars.size);
	ck_assert_int_eq(set_sized("A", 'a', 72), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(err.text, "could change other"));
	ck_assert_mem_eq(edit_image(edit), before, vars.size);
	ck_assert_int_eq(set_sized("A", 'a', 68), 1);
	free(before);
	finish(&vars);
}
END_TEST

START_TEST(unknown_layout)
{
	struct vars vars = vars_make_other(24, 0x8000);
	uint8_t *block = vars.image + 0x8000;

	begin(&vars);
	ck_assert_int_eq(set("A", NV_BS, "a"), 1);
	has("*A:3f=a ");
	memset(block + 32, 0, 80); /* a write of one record */
	block[32] = 0xfc;
	block[32 + 24] = 1;
	block[32 + 40] = 0xfd;
	ck_assert_int_eq(try(vars.image, vars.size), -EBUSY);
	block[32 + 40] = 0xff; /* only begun */
	ck_assert_int_eq(try(vars.image, vars.size), 0);
	block[32 + 24] = 200; /* records beyond the block */
	ck_assert_int_eq(try(vars.image, vars.size), -EINVAL);
	memset(block, 0xff, 0x1000);
	ck_assert_int_eq(try(vars.image, vars.size), 0);
	finish(&vars);
}
END_TEST

/* --- fault-tolerant writes --- */

static uint8_t *
working_block(struct vars *vars)
{
	return vars->image + vars->layout->ftw_work;
}

/* The write of a store with B, which replaces one with A. */
static struct vars
make_pending(const char *layout)
{
	struct vars vars = vars_make(layout);

	vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "new");
	vars_fill_spare(&vars);
	memset(vars.image + 100, 0xff, 1000);
	vars.at = 100;
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "A", "old");
	vars_ftw_write(&vars, 0, 0xfc, 1, 0);
	vars_ftw_record(&vars, 40, 0xfd, 0);
	return vars;
}

START_TEST(pending_write)
{
	struct vars vars = make_pending(_i & 1 ? "4m" : "2m");
	const struct fv_layout *layout = vars.layout;
	struct fv_report report;
	const uint8_t *block;

	if (_i & 2) /* bytes that the driver drops first */
		vars_ftw_write(&vars, 80, 0xfc, 1, 0);
	begin(&vars);
	ck_assert(!edit_store(edit)->in_spare);
	has("*B:3f=new ");
	ck_assert_int_eq(set("C", NV_BS, "c"), 1);
	has("*B:3f=new *C:3f=c ");
	ck_assert(fv_check(edit_image(edit), vars.size, &report));
	ck_assert(report.compactable);
	for (unsigned int i = 0; i < report.count; i++)
		ck_assert_int_lt(report.findings[i].code, FV_FTW_MISSING);
	block = edit_image(edit) + layout->ftw_work;
	ck_assert_uint_eq(block[32], 0xf8);
	ck_assert_uint_eq(block[32 + 40], 0xf9);
	ck_assert(is_erased(block + 112, vars.size - layout->ftw_work - 112));
	finish(&vars);
}
END_TEST

/* A write of something else is the firmware's. */
START_TEST(pending_write_of_something_else)
{
	struct vars vars = vars_make("2m");

	vars_ftw_write(&vars, 0, 0xfc, 1, 0);
	vars_ftw_record(&vars, 40, 0xfd, 3);
	ck_assert_int_eq(try(vars.image, vars.size), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "start the guest"));
	vars_free(&vars);
}
END_TEST

/* The driver abandons it at its next start; the block stays as it is. */
START_TEST(begun_write)
{
	struct vars vars = vars_make("2m");
	size_t work = vars.layout->ftw_work;

	vars_ftw_write(&vars, 0, 0xfc, 1, 0);
	vars_ftw_record(&vars, 40, 0xff, 0);
	begin(&vars);
	ck_assert_int_eq(set("A", NV_BS, "a"), 1);
	ck_assert_mem_eq(edit_image(edit) + work, vars.image + work,
			 vars.size - work);
	finish(&vars);
}
END_TEST

START_TEST(working_block_of_no_driver)
{
	struct vars vars = vars_make("2m");
	size_t off = 0;

	vars_ftw_write(&vars, 0, 0xfc, 200, 0); /* records beyond the block */
	ck_assert_int_eq(try(vars.image, vars.size), -EINVAL);
	memset(working_block(&vars) + 32, 0xff, 0xfe0);
	while (off + 80 <= 0xfe0)
		off = vars_ftw_write(&vars, off, 0xf8, 1, 0);
	ck_assert_int_eq(try(vars.image, vars.size), 0);
	working_block(&vars)[32 + off] = 0xfc; /* behind the last write */
	ck_assert_int_eq(try(vars.image, vars.size), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "never writes"));
	vars_free(&vars);
}
END_TEST

/* --- many --- */

/* As many variables as fit, replaced and removed, through many reclaims. */
START_TEST(thousands_of_variables)
{
	struct vars vars = vars_make("4m");
	struct variable v = { 0 };
	unsigned int count = 0, live = 0;
	char name[16];

	vars_make_plain(&vars);
	begin(&vars);
	for (int ret = 1; ret == 1; count += ret == 1) {
		snprintf(name, sizeof(name), "%04u", count);
		ret = set(name, NV_BS, "12345678");
	}
	ck_assert_uint_gt(count, 4000);
	for (unsigned int i = 0; i < count; i += 2) {
		snprintf(name, sizeof(name), "%04u", i);
		ck_assert_int_eq(drop(name), 0);
	}
	for (unsigned int i = 1; i < count; i += 2) {
		snprintf(name, sizeof(name), "%04u", i);
		ck_assert_int_eq(set(name, NV_BS, "87654321"), 1);
	}
	while (varstore_next(edit_store(edit), &v) > 0) {
		live += v.live;
		ck_assert(!v.live || v.data[0] == '8');
	}
	ck_assert_uint_eq(live, count / 2);
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
	tcase_add_loop_test(tc, room_to_the_last_byte, 0, STORES);
	tcase_add_loop_test(tc, reclaim, 0, STORES);
	tcase_add_loop_test(tc, a_reclaim_replaces_the_old_value, 0, STORES);
	tcase_add_loop_test(tc, full, 0, STORES);
	tcase_add_test(tc, no_byte_behind_the_store);
	tcase_add_test(tc, values_in_the_image);
	tcase_add_loop_test(tc, largest_variables, 0, STORES);
	tcase_add_loop_test(tc, refused_attributes, 0, 12);
	tcase_add_test(tc, refused_values);
	tcase_add_test(tc, variables_of_other_firmware);
	tcase_add_test(tc, damaged_images);
	tcase_add_test(tc, bytes_behind_the_last_variable);
	tcase_add_loop_test(tc, no_reclaim_that_changes_others, 0, 3);
	tcase_add_test(tc, unknown_layout);
	tcase_add_loop_test(tc, pending_write, 0, 4);
	tcase_add_test(tc, pending_write_of_something_else);
	tcase_add_test(tc, begun_write);
	tcase_add_test(tc, working_block_of_no_driver);
	tcase_add_test(tc, thousands_of_variables);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	edit_end(edit);
	return failed != 0;
}
