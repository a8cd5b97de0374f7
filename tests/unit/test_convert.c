/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conversion between the layouts: each live variable with all of its header,
 * the order, variables that do not fit, pending writes, and random stores. The
 * expected variables are those that the test has put into the old image.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/convert.h"
#include "pflash/le.h"

#include "support_vars.h"

#define MAX_EXPECTED 4096u
#define AUTH_HEADER 60u
#define ROOM_2M (0xe000u - 72 - 28)

static const uint8_t security[16] = { 0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d,
				      0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0,
				      0x0e, 0x67, 0x65, 0x6f };

static struct error err;

/* The headers, in the old image, of the variables that must be converted. */
static size_t expected[MAX_EXPECTED];
static unsigned int expected_count;

static struct fv_misfit misfits[64];
static unsigned int misfit_count;

static void
note_misfit(void *opaque, const struct fv_misfit *misfit)
{
	ck_assert_ptr_eq(opaque, misfits);
	ck_assert_uint_lt(misfit_count, 64);
	misfits[misfit_count++] = *misfit;
}

static void
expect(size_t off)
{
	ck_assert_uint_lt(expected_count, MAX_EXPECTED);
	expected[expected_count++] = off;
}

static struct vars
start(const char *layout)
{
	expected_count = misfit_count = 0;
	return vars_make(layout);
}

/* Converts into an allocation of exactly the new size. */
static int
convert(const struct vars *from, const char *layout, struct vars *to)
{
	*to = (struct vars){ .layout = fv_layout_by_name(layout) };
	to->size = to->layout->size;
	to->image = malloc(to->size);
	ck_assert_ptr_nonnull(to->image);
	return fv_convert(from->image, from->size, to->layout, to->image,
			  note_misfit, misfits, &err);
}

static void
refuses(const struct vars *from, const char *layout, int rc)
{
	struct vars to;

	ck_assert_int_eq(convert(from, layout, &to), rc);
	ck_assert_uint_gt(strlen(err.text), 10);
	vars_free(&to);
}

/* The bytes of header, name and data at `off`. */
static size_t
length_at(const struct vars *vars, size_t off)
{
	const uint8_t *p = vars->image + off;
	size_t header = vars->plain ? 32 : AUTH_HEADER;

	return header + get_le32(p + header - 24) + get_le32(p + header - 20);
}

/*
 * The new store must have exactly the expected variables, one behind the other,
 * in the state ADDED, and erased bytes behind them.
 */
static void
check_converted(const struct vars *from, const struct vars *to)
{
	size_t at = 100;

	for (unsigned int i = 0; i < expected_count; i++) {
		const uint8_t *p = from->image + expected[i];
		size_t len = length_at(from, expected[i]);

		ck_assert_mem_eq(to->image + at, p, 2);
		ck_assert_uint_eq(to->image[at + 2], VARIABLE_ADDED);
		ck_assert_mem_eq(to->image + at + 3, p + 3, len - 3);
		at += (len + 3) & ~(size_t)3;
	}
	while (at < to->layout->variable_size && to->image[at] == 0xff)
		at++;
	ck_assert_uint_eq(at, to->layout->variable_size);
}

/* All bytes but the variables must be those of an empty store. */
static void
check_frame(const struct vars *to)
{
	struct vars empty = vars_make(to->layout->name);

	ck_assert_mem_eq(to->image, empty.image, 100);
	ck_assert_mem_eq(to->image + to->layout->variable_size,
			 empty.image + to->layout->variable_size,
			 to->size - to->layout->variable_size);
	vars_free(&empty);
}

static void
converts(const struct vars *from, const char *layout)
{
	struct vars to;
	int rc = convert(from, layout, &to);

	ck_assert_msg(rc == (int)expected_count, "%d: %s", rc, err.text);
	ck_assert_uint_eq(misfit_count, 0);
	check_converted(from, &to);
	if (!from->plain)
		check_frame(&to);
	vars_free(&to);
}

/* Fills all of an authenticated header behind the state with `seed`. */
static void
fill_header(struct vars *vars, size_t off, uint32_t seed, uint32_t attributes)
{
	uint8_t *p = vars->image + off;

	p[3] = (uint8_t)seed;
	put_le32(p + 4, attributes);
	for (int i = 8; i < 36; i++)
		p[i] = (uint8_t)(seed * 31 + (uint32_t)i);
}

START_TEST(keeps_all_of_a_variable)
{
	struct vars vars = start("2m");
	struct vars large, back;
	static const uint32_t attributes[] = { 3, 7, 0x27, 0x17, 0xf };

	for (uint32_t i = 0; i < 5; i++) {
		char name[16], data[40];

		(void)snprintf(name, sizeof(name), "Name%u", 9 - i);
		(void)snprintf(data, sizeof(data), "%.*s", (int)(7 * i + 1),
			       "the data of this variable, so long");
		expect(vars_add(&vars, VARIABLE_ADDED, vendor_other, name,
				data));
		fill_header(&vars, expected[i], 100 + i, attributes[i]);
	}
	ck_assert_int_eq(convert(&vars, "4m", &large), 5);
	check_converted(&vars, &large);
	check_frame(&large);
	ck_assert_int_eq(convert(&large, "2m", &back), 5);
	ck_assert_mem_eq(back.image, vars.image, vars.size);
	vars_free(&vars);
	vars_free(&large);
	vars_free(&back);
}
END_TEST

START_TEST(keeps_live_variables_only)
{
	struct vars vars = start("2m");

	vars_add(&vars, VARIABLE_DELETED, vendor_global, "A", "old");
	expect(vars_add(&vars, VARIABLE_ADDED, vendor_global, "B", "1"));
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_global, "A", "older");
	/* The last one of two IN_TRANSITION is live, at its place. */
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_global, "C", "older");
	expect(vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_global, "C",
			"2"));
	vars_add(&vars, VARIABLE_HEADER_VALID, vendor_global, "D", "torn");
	expect(vars_add(&vars, VARIABLE_ADDED, vendor_global, "A", "3"));
	/* The first one of two ADDED is live. */
	vars_add(&vars, VARIABLE_ADDED, vendor_global, "B", "duplicate");
	expect(vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "4"));
	vars_add(&vars, VARIABLE_SUPERSEDED, vendor_other, "B", "old");
	converts(&vars, "4m");
	converts(&vars, "2m");
	vars_free(&vars);
}
END_TEST

START_TEST(an_empty_store_stays_empty)
{
	struct vars vars = start("4m");

	converts(&vars, "2m");
	vars_free(&vars);
}
END_TEST

/* A store without authenticated headers does not get them. */
START_TEST(keeps_the_kind_of_headers)
{
	struct vars vars = start("2m"), to;
	struct varstore store;

	vars_make_plain(&vars);
	expect(vars_add(&vars, VARIABLE_ADDED, vendor_global, "A", "data"));
	expect(vars_add(&vars, VARIABLE_ADDED, vendor_other, "BC", "x"));
	converts(&vars, "4m");
	ck_assert_int_eq(convert(&vars, "4m", &to), 2);
	ck_assert_int_eq(varstore_open(&store, to.image, to.size, &err), 0);
	ck_assert(!store.authenticated);
	vars_free(&to);
	vars_free(&vars);
}
END_TEST

/* Adds a variable whose header, name and data have `len` bytes. */
static size_t
add_of_length(struct vars *vars, uint32_t number, uint32_t attributes,
	      size_t len)
{
	uint8_t name[4] = { (uint8_t)(0x41 + number % 64),
			    (uint8_t)(number / 64) };
	uint8_t *data = calloc(1, len);
	size_t off;

	ck_assert_ptr_nonnull(data);
	off = vars_add_raw(vars, VARIABLE_ADDED, vendor_other, name, 4, data,
			   (uint32_t)len - AUTH_HEADER - 4);
	put_le32(vars->image + off + 4, attributes);
	free(data);
	return off;
}

START_TEST(names_each_variable_that_is_too_large)
{
	struct vars vars = start("4m");

	expect(add_of_length(&vars, 0, 0x27, 0x2800));
	expect(add_of_length(&vars, 1, 7, 0x2000));
	expect(add_of_length(&vars, 2, 0x17, 0x2800));
	converts(&vars, "2m");
	expect(add_of_length(&vars, 3, 0x27, 0x2801));
	add_of_length(&vars, 4, 7, 100);
	expect(add_of_length(&vars, 5, 7, 0x2001));
	refuses(&vars, "2m", -ENOSPC);
	ck_assert_uint_eq(misfit_count, 2);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert(misfits[i].too_large);
		ck_assert_uint_eq(misfits[i].variable.offset, expected[3 + i]);
		ck_assert_uint_eq(misfits[i].size, i ? 0x2001 : 0x2801);
		ck_assert_uint_eq(misfits[i].limit, i ? 0x2000 : 0x2800);
	}
	vars_free(&vars);
}
END_TEST

/* Fills a store of layout 4m with what just fits into the layout 2m. */
static struct vars
just_full(void)
{
	struct vars vars = start("4m");

	for (uint32_t i = 0; i < 7; i++)
		expect(add_of_length(&vars, i, 7, 0x1f00));
	expect(add_of_length(&vars, 7, 7, ROOM_2M - 7 * 0x1f00));
	return vars;
}

START_TEST(names_each_variable_without_room)
{
	struct vars vars = just_full();

	converts(&vars, "2m");
	add_of_length(&vars, 8, 7, AUTH_HEADER + 4);
	add_of_length(&vars, 9, 7, 0x1000);
	refuses(&vars, "2m", -ENOSPC);
	ck_assert_uint_eq(misfit_count, 2);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert(!misfits[i].too_large);
		ck_assert_uint_eq(misfits[i].limit, 0);
	}
	ck_assert_uint_eq(misfits[1].size, 0x1000);
	vars_free(&vars);
}
END_TEST

/* The variable that did not fit is named, not a smaller one behind it. */
START_TEST(names_only_the_variables_without_room)
{
	struct vars vars = start("4m");

	for (uint32_t i = 0; i < 7; i++)
		add_of_length(&vars, i, 7, 0x1f00);
	add_of_length(&vars, 7, 7, ROOM_2M - 7 * 0x1f00 + 1);
	add_of_length(&vars, 8, 7, 0x40);
	refuses(&vars, "2m", -ENOSPC);
	ck_assert_uint_eq(misfit_count, 1);
	ck_assert_uint_eq(misfits[0].limit, ROOM_2M - 7 * 0x1f00);
	vars_free(&vars);
}
END_TEST

#define ALLOCATED 0xfc
#define SPARE_BEGUN 0xff
#define SPARE_DONE 0xfd

static void
add_write(struct vars *vars, uint8_t record, uint64_t lba)
{
	vars_ftw_write(vars, 0, ALLOCATED, 1, 0);
	vars_ftw_record(vars, 40, record, lba);
}

/* The firmware will find the store of the spare area, so that is converted. */
START_TEST(a_pending_write_of_the_store_is_done)
{
	struct vars vars = start("2m"), to, wanted;

	vars_add(&vars, VARIABLE_ADDED, vendor_global, "A", "new");
	vars_fill_spare(&vars);
	ck_assert_int_eq(convert(&vars, "4m", &wanted), 1);
	vars.image[0x64 + 2] = VARIABLE_DELETED;
	ck_assert_int_eq(convert(&vars, "4m", &to), 0);
	vars_free(&to);
	add_write(&vars, SPARE_DONE, 0);
	ck_assert_int_eq(convert(&vars, "4m", &to), 1);
	ck_assert_mem_eq(to.image, wanted.image, to.size);
	vars_free(&to);
	vars_free(&wanted);
	vars_free(&vars);
}
END_TEST

START_TEST(another_pending_write_is_refused)
{
	struct vars vars = start("2m");

	vars_fill_spare(&vars);
	add_write(&vars, SPARE_DONE, 1);
	refuses(&vars, "4m", -EBUSY);
	/* Before its spare area is complete, the firmware abandons it. */
	add_write(&vars, SPARE_BEGUN, 1);
	converts(&vars, "4m");
	vars_free(&vars);
}
END_TEST

/*
 * The firmware restores the working block from there, and abandons its writes,
 * because the copy has taken the place of their data (FtwMisc.c:1319).
 */
START_TEST(a_working_block_in_the_spare_area)
{
	struct vars vars = start("2m");
	uint8_t *block = vars.image + vars.layout->ftw_work;

	memcpy(vars.image + vars.layout->ftw_spare, block, FV_BLOCK_SIZE);
	memset(block, 0xff, FV_BLOCK_SIZE);
	converts(&vars, "4m");
	vars_free(&vars);

	vars = start("2m");
	block = vars.image + vars.layout->ftw_work;
	add_write(&vars, SPARE_DONE, 1);
	memcpy(vars.image + vars.layout->ftw_spare, block, FV_BLOCK_SIZE);
	memset(block, 0xff, FV_BLOCK_SIZE);
	converts(&vars, "4m");
	/* Not allocated: the driver does not abandon it. */
	vars.image[vars.layout->ftw_spare + 32] |= 1;
	refuses(&vars, "4m", -EINVAL);
	vars_free(&vars);
}
END_TEST

START_TEST(images_with_errors_are_refused)
{
	struct vars other = vars_make_other(40, 0xe000);
	struct vars vars = start("2m");

	refuses(&other, "4m", -EINVAL);
	vars_free(&other);
	vars_add(&vars, VARIABLE_ADDED, vendor_global, "A", "x");
	vars.image[50]++;
	refuses(&vars, "4m", -EINVAL);
	vars.image[50]--;
	converts((expect(0x64), &vars), "4m");
	put_le32(vars.image + 0x64 + 40, 0xffff);
	refuses(&vars, "4m", -EINVAL);
	vars_free(&vars);
}
END_TEST

/* --- random stores --- */

static uint64_t seed;

static uint32_t
below(uint32_t limit)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % limit;
}

/* Adds the history of one name, of which at most one variable is live. */
static void
add_history(struct vars *vars, uint32_t number)
{
	static const uint8_t dead[] = { VARIABLE_DELETED, VARIABLE_SUPERSEDED,
					VARIABLE_HEADER_VALID };
	static const uint32_t attributes[] = { 3, 7, 0x23, 0x27 };
	uint8_t data[600];
	uint8_t name[] = { 'a', 0, (uint8_t)(number + 1), 1, 0, 0 };
	uint32_t versions = 1 + below(4), live = below(versions + 1);

	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)below(256);
	for (uint32_t i = 0; i < versions; i++) {
		uint8_t state = i != live ? dead[below(3)] :
				below(4)  ? VARIABLE_ADDED :
					    VARIABLE_IN_TRANSITION;
		size_t off = vars_add_raw(vars, state, vendor_other, name,
					  sizeof(name), data, 1 + below(600));

		fill_header(vars, off, below(1000), attributes[below(4)]);
		if (i == live)
			expect(off);
	}
}

START_TEST(random_stores_go_there_and_back)
{
	struct vars vars = start(_i % 2 ? "2m" : "4m"), to, back;
	const char *other = _i % 2 ? "4m" : "2m";

	seed = (uint64_t)_i;
	for (uint32_t number = 0, count = below(40); number < count; number++)
		add_history(&vars, number);
	converts(&vars, other);
	converts(&vars, vars.layout->name);
	ck_assert_int_eq(convert(&vars, other, &to), (int)expected_count);
	ck_assert_int_eq(convert(&to, vars.layout->name, &back),
			 (int)expected_count);
	check_converted(&vars, &back);
	vars_free(&to);
	vars_free(&back);
	vars_free(&vars);
}
END_TEST

/* --- dbx --- */

START_TEST(dbx_is_limited_where_keys_are_enrolled)
{
	struct vars small = start("2m"), large = start("4m");
	uint32_t limit = 0;
	size_t off;

	vars_add(&small, VARIABLE_ADDED, vendor_other, "PK", "x");
	vars_add(&small, VARIABLE_ADDED, vendor_global, "dbx", "x");
	vars_add(&small, VARIABLE_ADDED, security, "db", "x");
	vars_add(&small, VARIABLE_DELETED, security, "dbx", "x");
	ck_assert(!fv_limits_dbx(small.image, small.size, &limit));
	off = vars_add(&small, VARIABLE_ADDED, vendor_global, "PK", "x");
	ck_assert(fv_limits_dbx(small.image, small.size, &limit));
	ck_assert_uint_eq(limit, 0x2800);
	small.image[off + 2] = VARIABLE_DELETED;
	ck_assert(!fv_limits_dbx(small.image, small.size, &limit));
	vars_add(&small, VARIABLE_ADDED, security, "dbx", "x");
	ck_assert(fv_limits_dbx(small.image, small.size, &limit));
	small.image[40] = 0;
	ck_assert(!fv_limits_dbx(small.image, small.size, &limit));
	vars_add(&large, VARIABLE_ADDED, vendor_global, "PK", "x");
	ck_assert(!fv_limits_dbx(large.image, large.size, &limit));
	ck_assert(!fv_limits_dbx(large.image, 4096, &limit));
	vars_free(&small);
	vars_free(&large);
}
END_TEST

static Suite *
convert_suite(void)
{
	Suite *suite = suite_create("convert");
	TCase *tc = tcase_create("convert");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, keeps_all_of_a_variable);
	tcase_add_test(tc, keeps_live_variables_only);
	tcase_add_test(tc, an_empty_store_stays_empty);
	tcase_add_test(tc, keeps_the_kind_of_headers);
	tcase_add_test(tc, names_each_variable_that_is_too_large);
	tcase_add_test(tc, names_each_variable_without_room);
	tcase_add_test(tc, names_only_the_variables_without_room);
	tcase_add_test(tc, a_pending_write_of_the_store_is_done);
	tcase_add_test(tc, another_pending_write_is_refused);
	tcase_add_test(tc, a_working_block_in_the_spare_area);
	tcase_add_test(tc, images_with_errors_are_refused);
	tcase_add_loop_test(tc, random_stores_go_there_and_back, 0, 200);
	tcase_add_test(tc, dbx_is_limited_where_keys_are_enrolled);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(convert_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
