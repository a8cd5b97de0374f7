/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests lists of changes: their values, copies and conditions. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support_vars.h"

#include "pflash/changes.h"

/* Names in UTF-16LE, with the NUL. */
static const uint8_t name_a[] = { 'A', 0, 0, 0 };
static const uint8_t name_b[] = { 'B', 0, 0, 0 };
static const uint8_t name_ab[] = { 'A', 0, 'B', 0, 0, 0 };

static struct error err;
static struct changes *changes;

static void
setup(void)
{
	changes = changes_new();
	ck_assert_ptr_nonnull(changes);
}

static void
teardown(void)
{
	changes_free(changes);
	changes_free(NULL);
}

static struct edit_value
value_of(const uint8_t *guid, const uint8_t *name, uint32_t name_size,
	 const char *data)
{
	return (struct edit_value){
		.guid = guid,
		.name = name,
		.name_size = name_size,
		.attributes = 7,
		.time = { .year = 2023, .month = 2, .day = 28, .second = 59 },
		.data = (const uint8_t *)data,
		.data_size = (uint32_t)strlen(data),
	};
}

static void
set(const uint8_t *guid, const uint8_t *name, uint32_t name_size,
    const char *data)
{
	const struct edit_value value = value_of(guid, name, name_size, data);

	ck_assert_int_eq(changes_set(changes, &value, &err), 0);
}

/* The change at `index` must set this variable to this text. */
static void
sets(size_t index, const uint8_t *guid, const uint8_t *name, uint32_t name_size,
     const char *data)
{
	const struct change *change = changes_at(changes, index);

	ck_assert_ptr_nonnull(change);
	ck_assert_int_eq(change->kind, CHANGE_SET);
	ck_assert_mem_eq(change->value.guid, guid, GUID_SIZE);
	ck_assert_uint_eq(change->value.name_size, name_size);
	ck_assert_mem_eq(change->value.name, name, name_size);
	ck_assert_uint_eq(change->value.data_size, strlen(data));
	ck_assert_mem_eq(change->value.data, data, strlen(data));
	ck_assert_uint_eq(change->value.attributes, 7);
	ck_assert_uint_eq(change->value.time.year, 2023);
	ck_assert_uint_eq(change->value.time.second, 59);
}

START_TEST(list_keeps_the_order)
{
	ck_assert_uint_eq(changes_count(changes), 0);
	ck_assert_ptr_null(changes_at(changes, 0));
	set(vendor_global, name_a, sizeof(name_a), "one");
	set(vendor_other, name_a, sizeof(name_a), "two");
	set(vendor_global, name_ab, sizeof(name_ab), "three");
	ck_assert_int_eq(changes_remove(changes, vendor_global, name_b,
					sizeof(name_b), &err),
			 0);
	ck_assert_uint_eq(changes_count(changes), 4);
	sets(0, vendor_global, name_a, sizeof(name_a), "one");
	sets(1, vendor_other, name_a, sizeof(name_a), "two");
	sets(2, vendor_global, name_ab, sizeof(name_ab), "three");
	ck_assert_int_eq(changes_at(changes, 3)->kind, CHANGE_REMOVE);
	ck_assert_uint_eq(changes_at(changes, 3)->value.data_size, 0);
	ck_assert_ptr_null(changes_at(changes, 4));
}
END_TEST

START_TEST(later_change_replaces_an_earlier_one)
{
	set(vendor_global, name_a, sizeof(name_a), "old");
	set(vendor_global, name_b, sizeof(name_b), "b");
	set(vendor_global, name_a, sizeof(name_a), "newer");
	ck_assert_uint_eq(changes_count(changes), 2);
	sets(0, vendor_global, name_a, sizeof(name_a), "newer");
	changes_remove(changes, vendor_global, name_a, sizeof(name_a), &err);
	ck_assert_uint_eq(changes_count(changes), 2);
	ck_assert_int_eq(changes_at(changes, 0)->kind, CHANGE_REMOVE);
	set(vendor_global, name_a, sizeof(name_a), "again");
	sets(0, vendor_global, name_a, sizeof(name_a), "again");
	sets(1, vendor_global, name_b, sizeof(name_b), "b");
}
END_TEST

START_TEST(list_owns_copies)
{
	uint8_t guid[GUID_SIZE] = { 1, 2, 3 }, name[] = { 'A', 0, 0, 0 };
	char data[] = "data";

	set(guid, name, sizeof(name), data);
	memset(guid, 0xee, sizeof(guid));
	memset(name, 0xee, sizeof(name));
	memset(data, 'e', 4);
	sets(0, (const uint8_t[GUID_SIZE]){ 1, 2, 3 }, name_a, sizeof(name_a),
	     "data");
}
END_TEST

START_TEST(list_grows)
{
	uint8_t name[] = { 0, 1, 0, 0 };

	for (int i = 0; i < 250; i++) {
		name[0] = (uint8_t)i;
		set(vendor_global, name, sizeof(name), "data");
	}
	ck_assert_uint_eq(changes_count(changes), 250);
	for (size_t i = 0; i < 250; i++) {
		name[0] = (uint8_t)i;
		sets(i, vendor_global, name, sizeof(name), "data");
	}
}
END_TEST

START_TEST(condition_is_the_variable_as_it_is)
{
	struct vars vars = vars_make("2m");
	const struct change *change;
	struct varstore store;

	vars_add(&vars, VARIABLE_DELETED, vendor_global, "A", "gone");
	vars_add(&vars, VARIABLE_ADDED, vendor_global, "A", "now");
	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err), 0);
	set(vendor_global, name_a, sizeof(name_a), "new");
	changes_remove(changes, vendor_other, name_a, sizeof(name_a), &err);
	ck_assert(!changes_at(changes, 0)->has_condition);
	for (int twice = 0; twice < 2; twice++)
		ck_assert_int_eq(changes_expect(changes, &store, &err), 0);
	vars_free(&vars);
	change = changes_at(changes, 0);
	ck_assert(change->has_condition);
	ck_assert(!change->expects_none);
	ck_assert_uint_eq(change->expected.data_size, 3);
	ck_assert_mem_eq(change->expected.data, "now", 3);
	ck_assert_mem_eq(change->expected.guid, vendor_global, GUID_SIZE);
	ck_assert_mem_eq(change->expected.name, name_a, sizeof(name_a));
	sets(0, vendor_global, name_a, sizeof(name_a), "new");
	change = changes_at(changes, 1);
	ck_assert(change->has_condition);
	ck_assert(change->expects_none);
	/* The condition belonged to the change that was replaced. */
	set(vendor_global, name_a, sizeof(name_a), "newer");
	ck_assert(!changes_at(changes, 0)->has_condition);
}
END_TEST

START_TEST(change_is_added_with_its_condition)
{
	struct change change = {
		.kind = CHANGE_SET,
		.value = value_of(vendor_global, name_a, sizeof(name_a), "new"),
		.has_condition = true,
		.expected = value_of(vendor_global, name_a, sizeof(name_a),
				     "old"),
	};

	ck_assert_int_eq(changes_add(changes, &change, &err), 0);
	sets(0, vendor_global, name_a, sizeof(name_a), "new");
	ck_assert(changes_at(changes, 0)->has_condition);
	ck_assert(!changes_at(changes, 0)->expects_none);
	ck_assert_mem_eq(changes_at(changes, 0)->expected.data, "old", 3);
	change.expects_none = true;
	ck_assert_int_eq(changes_add(changes, &change, &err), 0);
	ck_assert_uint_eq(changes_count(changes), 1);
	ck_assert(changes_at(changes, 0)->expects_none);
}
END_TEST

static Suite *
changes_suite(void)
{
	Suite *suite = suite_create("changes");
	TCase *list = tcase_create("list");

	tcase_add_checked_fixture(list, setup, teardown);
	tcase_add_test(list, list_keeps_the_order);
	tcase_add_test(list, later_change_replaces_an_earlier_one);
	tcase_add_test(list, list_owns_copies);
	tcase_add_test(list, list_grows);
	tcase_add_test(list, condition_is_the_variable_as_it_is);
	tcase_add_test(list, change_is_added_with_its_condition);
	suite_add_tcase(suite, list);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(changes_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
