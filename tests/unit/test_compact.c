/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests fv_compact(): which variables the compacted store has, where, and which
 * images it refuses. tests/peer/edk2 checks that edk2's driver produces the
 * same store.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support_vars.h"

#include "pflash/le.h"
#include "pflash/varstore.h"

static struct error err;
static uint8_t *out;

static int
compact(const struct vars *vars)
{
	free(out);
	out = malloc(vars->size);
	ck_assert_ptr_nonnull(out);
	return fv_compact(vars->image, vars->size, out, &err);
}

/* The result must be valid, and have exactly these variables in this order. */
static void
has(const struct vars *vars, const char *names)
{
	struct variable v = { 0 };
	struct varstore store;
	struct fv_report report;
	char all[512] = "", name[64];

	ck_assert(fv_check(out, vars->size, &report));
	ck_assert_uint_eq(report.superseded + report.deleted + report.torn, 0);
	ck_assert_uint_eq(report.used, report.live_bytes);
	ck_assert_int_eq(varstore_open(&store, out, vars->size, &err), 0);
	while (varstore_next(&store, &v) > 0) {
		ck_assert_int_eq(v.state, VARIABLE_ADDED);
		variable_name(&v, name, sizeof(name));
		strcat(strcat(all, name), "=");
		strncat(all, (const char *)v.data, v.data_size);
		strcat(all, " ");
	}
	ck_assert_str_eq(all, names);
	for (size_t at = v.next; at < store.end; at++)
		ck_assert_uint_eq(out[at], 0xff);
	/* Everything else must be unchanged. */
	ck_assert_mem_eq(out, vars->image, store.start);
	ck_assert_mem_eq(out + store.end, vars->image + store.end,
			 vars->size - store.end);
}

START_TEST(only_live_variables_remain_in_order)
{
	struct vars vars = vars_make(_i ? "4m" : "2m");
	int gained;

	vars_add(&vars, VARIABLE_SUPERSEDED, vendor_other, "B", "old");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "C", "c");
	vars_add(&vars, VARIABLE_DELETED, vendor_other, "D", "gone");
	vars_add(&vars, VARIABLE_ADDED, vendor_global, "B", "global");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "new");
	vars_add(&vars, VARIABLE_HEADER_VALID, vendor_other, "E", "torn");
	gained = compact(&vars);
	has(&vars, "C=c B=global B=new ");
	ck_assert_int_eq(gained, 3 * (60 + 4 + 4));
	ck_assert_int_eq(fv_compact(out, vars.size, vars.image, &err), 0);
	ck_assert_mem_eq(out, vars.image, vars.size);
	vars_free(&vars);
}
END_TEST

/* State 0x3e (in transition): dropped only if the new copy exists. */
START_TEST(variable_in_transition_stays_without_a_successor)
{
	struct vars vars = vars_make("2m");

	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "A", "old");
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "B", "kept");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "C", "c");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "A", "new");
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_global, "A", "other");
	compact(&vars);
	has(&vars, "C=c A=new B=kept A=other ");
	vars_free(&vars);
}
END_TEST

START_TEST(shorter_headers)
{
	struct vars vars = vars_make("2m");

	vars_make_plain(&vars);
	vars_add(&vars, VARIABLE_SUPERSEDED, vendor_other, "A", "old");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "A", "new");
	ck_assert_int_eq(compact(&vars), 32 + 4 + 4);
	has(&vars, "A=new ");
	vars_free(&vars);
}
END_TEST

START_TEST(empty_store)
{
	struct vars vars = vars_make("4m");

	ck_assert_int_eq(compact(&vars), 0);
	ck_assert_mem_eq(out, vars.image, vars.size);
	vars_free(&vars);
}
END_TEST

/*
 * fv_compact() refuses damaged images: they are for the firmware or for repair.
 */
START_TEST(damaged_stores_are_refused)
{
	struct vars vars = vars_make("2m"), other;
	size_t at;

	vars_add(&vars, VARIABLE_DELETED, vendor_other, "A", "gone");
	at = vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "b");
	ck_assert_int_gt(compact(&vars), 0);

	other = vars_copy(&vars); /* an invalid state */
	other.image[at + 2] = 0x15;
	ck_assert_int_eq(compact(&other), -EINVAL);
	vars_free(&other);

	other = vars_copy(&vars); /* garbage behind the last variable */
	other.image[other.at + 100] = 0;
	ck_assert_int_eq(compact(&other), -EINVAL);
	vars_free(&other);

	other = vars_copy(&vars); /* two variables of one name */
	vars_add(&other, VARIABLE_ADDED, vendor_other, "B", "twice");
	ck_assert_int_eq(compact(&other), -EINVAL);
	vars_free(&other);

	other = vars_copy(&vars); /* two in transition */
	vars_add(&other, VARIABLE_IN_TRANSITION, vendor_other, "T", "first");
	vars_add(&other, VARIABLE_IN_TRANSITION, vendor_other, "T", "last");
	ck_assert_int_eq(compact(&other), -EINVAL);
	vars_free(&other);

	other = vars_copy(&vars); /* OVMF would format it */
	other.image[40] = 'x';
	ck_assert_int_eq(compact(&other), -EINVAL);
	vars_free(&other);

	other = vars_make_other(32, 0x8000); /* of an unknown layout */
	ck_assert_int_eq(compact(&other), -EINVAL);
	vars_free(&other);
	vars_free(&vars);
}
END_TEST

/*
 * fv_compact() refuses an unfinished FTW write: the firmware will continue it.
 */
START_TEST(unfinished_write_is_refused)
{
	struct vars vars = vars_make("2m"), other;

	vars_add(&vars, VARIABLE_DELETED, vendor_other, "A", "gone");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "b");

	other = vars_copy(&vars); /* begun */
	vars_ftw_write(&other, 0, 0xfe, 1, 0);
	ck_assert_int_eq(compact(&other), -EBUSY);
	vars_free(&other);

	other = vars_copy(&vars); /* the store will be replaced */
	vars_fill_spare(&other);
	vars_ftw_write(&other, 0, 0xfe, 1, 0);
	vars_ftw_record(&other, 40, 0xfd, 0);
	ck_assert_int_lt(compact(&other), 0);
	vars_free(&other);

	other = vars_copy(&vars); /* complete */
	vars_ftw_write(&other, 0, 0xf8, 1, 0);
	ck_assert_int_gt(compact(&other), 0);
	has(&other, "B=b ");
	vars_free(&other);

	other = vars_copy(&vars); /* no working block */
	memset(other.image + other.layout->ftw_work, 0xff, 32);
	ck_assert_int_eq(compact(&other), -EBUSY);
	vars_free(&other);
	vars_free(&vars);
}
END_TEST

static bool
due(const struct vars *vars)
{
	struct fv_report report;

	fv_check(vars->image, vars->size, &report);
	return fv_compact_is_due(&report);
}

/* Due if less than half is free and at least an eighth can be gained. */
START_TEST(compaction_is_due)
{
	struct vars vars = vars_make("2m");
	struct fv_report report;
	uint32_t size;
	char data[1001];

	memset(data, 'x', 1000);
	data[1000] = '\0';
	fv_check(vars.image, vars.size, &report);
	size = report.used + report.free;
	ck_assert(!due(&vars));
	while (report.used <= size / 2) {
		ck_assert(!due(&vars));
		vars_add(&vars, VARIABLE_DELETED, vendor_other, "A", data);
		fv_check(vars.image, vars.size, &report);
	}
	ck_assert(due(&vars));
	ck_assert_int_eq(compact(&vars), (int)report.used);
	vars_free(&vars);

	vars = vars_make("2m"); /* nothing to gain */
	for (unsigned int i = 0; i < 40; i++) {
		char name[] = { (char)('A' + i % 26), (char)('a' + i / 26), 0 };

		vars_add(&vars, VARIABLE_ADDED, vendor_other, name, data);
	}
	fv_check(vars.image, vars.size, &report);
	ck_assert_uint_gt(report.used, size / 2);
	ck_assert(!due(&vars));
	vars.image[40] = 'x';
	ck_assert(!due(&vars));
	vars_free(&vars);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("compact");
	TCase *tc = tcase_create("compact");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, only_live_variables_remain_in_order, 0, 2);
	tcase_add_test(tc, variable_in_transition_stays_without_a_successor);
	tcase_add_test(tc, shorter_headers);
	tcase_add_test(tc, empty_store);
	tcase_add_test(tc, damaged_stores_are_refused);
	tcase_add_test(tc, unfinished_write_is_refused);
	tcase_add_test(tc, compaction_is_due);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	free(out);
	return failed != 0;
}
