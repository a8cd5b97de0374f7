/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests that a list of changes is applied as a whole or not at all, and that a
 * queue which was applied once, wholly or in part, is not applied again.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support_vars.h"

#include "pflash/changes.h"
#include "pflash/queue.h"

#define LARGE 40000u /* too large for any store of the tests */

static struct error err;
static struct vars vars;
static struct changes *changes;

static void
setup(void)
{
	vars = vars_make("2m");
	vars_add(&vars, VARIABLE_ADDED, vendor_global, "A", "a");
	vars_add(&vars, VARIABLE_ADDED, vendor_global, "B", "b");
	changes = changes_new();
}

static void
teardown(void)
{
	changes_free(changes);
	vars_free(&vars);
}

/* A name of one letter; the attributes are those of vars_add(). */
static struct edit_value
value_of(const char *name, const char *data)
{
	static uint8_t wide[4];

	wide[0] = (uint8_t)*name;
	return (struct edit_value){
		.guid = vendor_global,
		.name = wide,
		.name_size = sizeof(wide),
		.attributes = VARIABLE_NON_VOLATILE | VARIABLE_BOOT_ACCESS |
			      VARIABLE_RUNTIME_ACCESS,
		.data = (const uint8_t *)data,
		.data_size = (uint32_t)strlen(data),
	};
}

static void
set(struct changes *to, const char *name, const char *data)
{
	const struct edit_value value = value_of(name, data);

	ck_assert_int_eq(changes_set(to, &value, &err), 0);
}

static void
drop(struct changes *to, const char *name)
{
	const struct edit_value value = value_of(name, "");

	ck_assert_int_eq(changes_remove(to, value.guid, value.name,
					value.name_size, &err),
			 0);
}

static void
expect(void)
{
	struct varstore store;

	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err), 0);
	ck_assert_int_eq(changes_expect(changes, &store, &err), 0);
}

static int
apply(void)
{
	return changes_apply(changes, vars.image, vars.size, &err);
}

/* The live variables of one letter, with their data: "A=a B=b ". */
static void
live_are(const char *wanted)
{
	struct variable v = { 0 };
	struct varstore store;
	char all[256] = "", name[16];

	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err), 0);
	for (char letter = 'A'; letter <= 'D'; letter++) {
		struct edit_value value = value_of(&letter, "");

		if (varstore_find(&store, value.guid, value.name,
				  value.name_size, &v) < 0)
			continue;
		variable_name(&v, name, sizeof(name));
		strcat(strcat(all, name), "=");
		strncat(all, (const char *)v.data, v.data_size);
		strcat(all, " ");
	}
	ck_assert_str_eq(all, wanted);
}

/* --- a list --- */

START_TEST(list_is_applied)
{
	set(changes, "A", "new");
	drop(changes, "B");
	set(changes, "C", "c");
	drop(changes, "D");
	ck_assert_int_eq(apply(), 1);
	live_are("A=new C=c ");
}
END_TEST

START_TEST(list_in_effect_changes_nothing)
{
	struct vars before;

	set(changes, "A", "new");
	drop(changes, "B");
	expect();
	ck_assert_int_eq(apply(), 1);
	before = vars_copy(&vars);
	/* The conditions are not met any more. */
	ck_assert_int_eq(apply(), 0);
	ck_assert_mem_eq(vars.image, before.image, vars.size);
	vars_free(&before);
}
END_TEST

/* The last change fails: the others do not count. */
START_TEST(failure_changes_nothing)
{
	struct vars before = vars_copy(&vars);
	char *large = calloc(1, LARGE + 1);

	memset(large, 'x', LARGE);
	drop(changes, "B");
	set(changes, "A", "new");
	set(changes, "C", large);
	ck_assert_int_lt(apply(), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "C"));
	ck_assert_mem_eq(vars.image, before.image, vars.size);
	free(large);
	vars_free(&before);
}
END_TEST

START_TEST(image_without_a_store)
{
	struct vars before;

	set(changes, "A", "new");
	memset(vars.image, 0, vars.size);
	before = vars_copy(&vars);
	ck_assert_int_eq(apply(), -EINVAL);
	ck_assert_mem_eq(vars.image, before.image, vars.size);
	vars_free(&before);
}
END_TEST

static const struct {
	const char *name, *before, *now; /* NULL: none */
} stale[] = {
	{ "A", "a", "other" },
	{ "A", "a", NULL },
	{ "C", NULL, "appeared" },
};

START_TEST(condition_that_is_not_met)
{
	struct changes *meanwhile = changes_new();
	struct vars before;

	set(changes, "B", "new");
	set(changes, stale[_i].name, "new");
	expect();
	if (stale[_i].now)
		set(meanwhile, stale[_i].name, stale[_i].now);
	else
		drop(meanwhile, stale[_i].name);
	ck_assert_int_eq(changes_apply(meanwhile, vars.image, vars.size, &err),
			 1);
	before = vars_copy(&vars);
	ck_assert_int_eq(apply(), -ESTALE);
	ck_assert_ptr_nonnull(strstr(err.text, "has changed since"));
	ck_assert_mem_eq(vars.image, before.image, vars.size);
	vars_free(&before);
	changes_free(meanwhile);
}
END_TEST

/* Attributes alone differ. */
START_TEST(condition_of_attributes)
{
	size_t off;

	set(changes, "C", "new");
	off = vars_add(&vars, VARIABLE_ADDED, vendor_global, "C", "c");
	expect();
	vars.image[off + 4] &= (uint8_t)~VARIABLE_RUNTIME_ACCESS;
	ck_assert_int_eq(apply(), -ESTALE);
	vars.image[off + 4] |= VARIABLE_RUNTIME_ACCESS;
	ck_assert_int_eq(apply(), 1);
	live_are("A=a B=b C=new ");
}
END_TEST

/* The store is full; the list has room once its removal is done. */
START_TEST(order_of_the_list_does_not_matter)
{
	char *data = calloc(1, 3001), name[2] = "C";
	struct changes *fill = changes_new();

	memset(data, 'x', 3000);
	set(fill, "C", data);
	while (changes_apply(fill, vars.image, vars.size, &err) > 0) {
		name[0]++;
		set(fill, name, data);
	}
	changes_free(fill);
	ck_assert_int_gt(name[0], 'F');
	set(changes, "A", data);
	ck_assert_int_eq(apply(), -ENOSPC);
	drop(changes, "C");
	ck_assert_int_eq(apply(), 1);
	free(data);
}
END_TEST

/* --- a queue --- */

static struct queue *queue;

static void
enqueue(void)
{
	const struct queue_item item = { .text = "", .changes = changes };

	if (!queue)
		queue = queue_new();
	ck_assert_int_eq(queue_add(queue, &item, &err), 0);
	changes_free(changes);
	changes = changes_new();
}

static int
done(void)
{
	struct varstore store;

	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err), 0);
	return queue_done(queue, &store);
}

static void
end_queue(void)
{
	queue_free(queue);
	queue = NULL;
}

/* The power fails behind each list: the rest, and only that, is due. */
START_TEST(queue_goes_on_where_it_was)
{
	set(changes, "A", "1");
	enqueue();
	set(changes, "A", "2");
	drop(changes, "B");
	enqueue();
	set(changes, "B", "3");
	enqueue();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(done(), i);
		ck_assert_int_eq(
			changes_apply(queue_at(queue, (size_t)i)->changes,
				      vars.image, vars.size, &err),
			1);
	}
	ck_assert_int_eq(done(), 3);
	live_are("A=2 B=3 ");
	end_queue();
}
END_TEST

START_TEST(preview_leaves_out_what_fails)
{
	char *large = calloc(1, LARGE + 1);
	size_t failed;

	memset(large, 'x', LARGE);
	set(changes, "A", "1");
	enqueue();
	set(changes, "B", "2");
	set(changes, "C", large);
	enqueue();
	set(changes, "C", "3");
	enqueue();
	for (int twice = 0; twice < 2; twice++) {
		ck_assert_int_eq(queue_preview(queue, vars.image, vars.size,
					       &failed, &err),
				 0);
		ck_assert_uint_eq(failed, 1);
		live_are("A=1 B=b C=3 ");
	}
	end_queue();
	free(large);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("queue_apply");
	TCase *list = tcase_create("list"), *whole = tcase_create("queue");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(list, setup, teardown);
	tcase_add_test(list, list_is_applied);
	tcase_add_test(list, list_in_effect_changes_nothing);
	tcase_add_test(list, failure_changes_nothing);
	tcase_add_test(list, image_without_a_store);
	tcase_add_loop_test(list, condition_that_is_not_met, 0,
			    sizeof(stale) / sizeof(stale[0]));
	tcase_add_test(list, condition_of_attributes);
	tcase_add_test(list, order_of_the_list_does_not_matter);
	suite_add_tcase(suite, list);
	tcase_add_checked_fixture(whole, setup, teardown);
	tcase_add_test(whole, queue_goes_on_where_it_was);
	tcase_add_test(whole, preview_leaves_out_what_fails);
	suite_add_tcase(suite, whole);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
