/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the changes that the commands of pflashctl boot plan. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot_plan.h"
#include "boot_text.h"
#include "pflash/changes.h"
#include "pflash/le.h"
#include "support_vars.h"

static struct error err;
static struct vars vars;

/* Adds the entry NUMBER with this label; its path is an end node. */
static void
add_variable(const char *name, const void *data, size_t size)
{
	uint8_t bytes[BOOT_NAME_SIZE];
	uint32_t len = boot_name(bytes, name);
	size_t off = vars_add_raw(&vars, VARIABLE_ADDED, vendor_global, bytes,
				  len, data, (uint32_t)size);

	put_le32(vars.image + off + 4, BOOT_ATTRIBUTES);
}

static size_t
make_value(uint8_t *bytes, const char *label)
{
	size_t size = 6 + boot_name(bytes + 6, label);

	put_le32(bytes, BOOT_ACTIVE);
	put_le16(bytes + 4, 4);
	memcpy(bytes + size, "\x7f\xff\4\0", 4);
	return size + 4;
}

static void
add_entry(const char *name, const char *label)
{
	uint8_t bytes[128];

	add_variable(name, bytes, make_value(bytes, label));
}

/* Entries 0000, 0001, 0003 and 0007, the last one outside the order. */
static void
setup(void)
{
	vars = vars_make("4m");
	add_entry("Boot0000", "menu");
	add_entry("Boot0001", "disk one");
	add_entry("Boot0003", "disk two");
	add_entry("Boot0007", "outside");
	add_variable("BootOrder", "\3\0\0\0\1\0\5\0", 8);
	add_variable("BootNext", "\1\0", 2);
	add_variable("Lang", "eng", 4);
}

static void
teardown(void)
{
	vars_free(&vars);
}

static struct varstore
open_store(void)
{
	struct varstore store;

	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err), 0);
	return store;
}

/* Plans, and applies; returns changes_apply() or -errno of the plan. */
static int
apply(edit_plan *plan, void *opaque)
{
	const struct varstore store = open_store();
	const struct edit_target target = {
		.path = "test",
		.store = &store,
		.layout = vars.layout,
	};
	struct changes *changes = changes_new();
	int ret = plan(opaque, &target, changes, &err);

	if (ret == 0)
		ret = changes_apply(changes, vars.image, vars.size, &err);
	changes_free(changes);
	return ret;
}

/* The plan changes something, and nothing when it is made again. */
static void
applies(edit_plan *plan, void *opaque)
{
	int ret = apply(plan, opaque);

	ck_assert_msg(ret == 1, "%d %s", ret, err.text);
	ck_assert_int_eq(apply(plan, opaque), 0);
}

/* Describes the store: "0000 0001 | 0001,0000 | next 0003". */
static const char *
summary(void)
{
	static char text[256];
	const struct varstore store = open_store();
	struct boot_state state;
	size_t len = 0;

	ck_assert_int_eq(boot_state_read(&state, &store, &err), 0);
	text[0] = '\0';
	for (size_t i = 0; i < state.count; i++)
		len += (size_t)sprintf(text + len, "%04X ",
				       state.entries[i].number);
	len += (size_t)sprintf(text + len, "|");
	for (size_t i = 0; i < state.order_count; i++)
		len += (size_t)sprintf(text + len, " %04X", state.order[i]);
	if (state.has_next)
		sprintf(text + len, " | next %04X", state.next);
	boot_state_free(&state);
	return text;
}

#define BEFORE "0000 0001 0003 0007 | 0003 0000 0001 0005 | next 0001"

START_TEST(state_before)
{
	ck_assert_str_eq(summary(), BEFORE);
}
END_TEST

/* --- add --- */

static struct boot_add
entry_to_add(uint8_t *bytes, const char *label)
{
	size_t size = make_value(bytes, label);

	return (struct boot_add){ .value = bytes, .size = size };
}

START_TEST(add_takes_a_free_number)
{
	uint8_t bytes[128];
	struct boot_add add = entry_to_add(bytes, "new");

	applies(boot_plan_add, &add);
	ck_assert_str_eq(summary(), "0000 0001 0002 0003 0007 | 0002 0003 0000 "
				    "0001 0005 | next 0001");
}
END_TEST

START_TEST(add_at_a_place)
{
	static const struct {
		enum boot_where where;
		uint64_t index;
		const char *order;
	} places[] = {
		{ BOOT_FIRST, 0, "0002 0003 0000 0001 0005" },
		{ BOOT_LAST, 0, "0003 0000 0001 0005 0002" },
		{ BOOT_AT_INDEX, 0, "0002 0003 0000 0001 0005" },
		{ BOOT_AT_INDEX, 1, "0003 0002 0000 0001 0005" },
		{ BOOT_AT_INDEX, 4, "0003 0000 0001 0005 0002" },
		{ BOOT_AT_INDEX, 9, "0003 0000 0001 0005 0002" },
	};
	uint8_t bytes[128];
	struct boot_add add = entry_to_add(bytes, "new");

	add.where = places[_i].where;
	add.index = places[_i].index;
	applies(boot_plan_add, &add);
	ck_assert_msg(strstr(summary(), places[_i].order) != NULL, "%s",
		      summary());
}
END_TEST

START_TEST(add_of_an_equal_entry)
{
	uint8_t bytes[128];
	struct boot_add add = entry_to_add(bytes, "disk one");

	ck_assert_int_eq(apply(boot_plan_add, &add), 0);
	add.where = BOOT_FIRST;
	applies(boot_plan_add, &add);
	ck_assert_str_eq(summary(), "0000 0001 0003 0007 | 0001 0003 0000 0005 "
				    "| next 0001");
}
END_TEST

START_TEST(add_puts_an_entry_into_the_order)
{
	uint8_t bytes[128];
	struct boot_add add = entry_to_add(bytes, "outside");

	applies(boot_plan_add, &add);
	ck_assert_str_eq(summary(), "0000 0001 0003 0007 | 0007 0003 0000 0001 "
				    "0005 | next 0001");
}
END_TEST

START_TEST(add_with_a_number)
{
	uint8_t bytes[128];
	struct boot_add add = entry_to_add(bytes, "new");

	add.has_number = true;
	add.number = 3;
	ck_assert_int_eq(apply(boot_plan_add, &add), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "Boot0003 is another entry"));
	ck_assert_str_eq(summary(), BEFORE);
	add.number = 0xabcd;
	applies(boot_plan_add, &add);
	ck_assert_ptr_nonnull(strstr(summary(), "ABCD | ABCD 0003"));
}
END_TEST

START_TEST(add_to_an_empty_store)
{
	uint8_t bytes[128];
	struct boot_add add = entry_to_add(bytes, "new");

	vars_free(&vars);
	vars = vars_make("2m");
	applies(boot_plan_add, &add);
	ck_assert_str_eq(summary(), "0000 | 0000");
}
END_TEST

/* --- rm --- */

START_TEST(remove_words)
{
	static const struct {
		const char *words, *after;
	} removals[] = {
		{ "0000", "0001 0003 0007 | 0003 0001 0005 | next 0001" },
		{ "0001", "0000 0003 0007 | 0003 0000 0005" },
		{ "0005", "0000 0001 0003 0007 | 0003 0000 0001 | next 0001" },
		{ "disk*", "0000 0007 | 0000 0005" },
		{ "disk*,0000,outside,0005", "|" },
		{ "0007", "0000 0001 0003 | 0003 0000 0001 0005 | next 0001" },
	};
	struct boot_select select = { .words = removals[_i].words };

	applies(boot_plan_remove, &select);
	ck_assert_str_eq(summary(), removals[_i].after);
}
END_TEST

START_TEST(remove_nothing)
{
	struct boot_select select = { .words = "nosuch*,1234" };

	ck_assert_int_eq(apply(boot_plan_remove, &select), 0);
	select.words = "0000,,0001";
	ck_assert_int_eq(apply(boot_plan_remove, &select), -EINVAL);
	ck_assert_str_eq(summary(), BEFORE);
}
END_TEST

/* --- order, next --- */

START_TEST(order_words)
{
	static const struct {
		const char *words;
		bool only;
		const char *order;
	} orders[] = {
		{ "0001", false, "| 0001 0003 0000 0005 |" },
		{ "0007,0000", false, "| 0007 0000 0003 0001 0005 |" },
		{ "disk*", false, "| 0003 0001 0000 0005 |" },
		{ "0001,disk*", true, "| 0001 0003 |" },
		{ "menu,menu", true, "| 0000 |" },
	};
	struct boot_select select = {
		.words = orders[_i].words,
		.only = orders[_i].only,
	};

	applies(boot_plan_order, &select);
	ck_assert_msg(strstr(summary(), orders[_i].order) != NULL, "%s",
		      summary());
}
END_TEST

START_TEST(order_and_next_refuse)
{
	struct boot_select select = { .words = "0001,0002" };

	ck_assert_int_eq(apply(boot_plan_order, &select), -ENOENT);
	ck_assert_str_eq(err.text, "has no boot entry '0002'");
	select.words = "";
	ck_assert_int_eq(apply(boot_plan_order, &select), -EINVAL);
	select.words = "0005";
	ck_assert_int_eq(apply(boot_plan_next, &select), -ENOENT);
	select.words = "disk*";
	ck_assert_int_eq(apply(boot_plan_next, &select), -EINVAL);
	ck_assert_str_eq(err.text, "has 2 boot entries 'disk*'");
	ck_assert_str_eq(summary(), BEFORE);
}
END_TEST

START_TEST(next_words)
{
	struct boot_select select = { .words = "outside" };

	applies(boot_plan_next, &select);
	ck_assert_ptr_nonnull(strstr(summary(), "| next 0007"));
	select.clear = true;
	applies(boot_plan_next, &select);
	ck_assert_ptr_null(strstr(summary(), "next"));
}
END_TEST

/* --- timeout, setup, reset, copy --- */

/* The value of a variable; an empty one if it does not exist. */
static struct variable
find(const char *name)
{
	const struct varstore store = open_store();
	struct variable variable;

	if (boot_find(&store, name, &variable) < 0)
		return (struct variable){ .data_size = 0 };
	ck_assert_uint_eq(variable.attributes, BOOT_ATTRIBUTES);
	return variable;
}

START_TEST(timeout)
{
	struct boot_number number = { .value = 0x1234 };

	applies(boot_plan_timeout, &number);
	ck_assert_uint_eq(find("Timeout").data_size, 2);
	ck_assert_mem_eq(find("Timeout").data, "\x34\x12", 2);
	number.clear = true;
	applies(boot_plan_timeout, &number);
	ck_assert_uint_eq(find("Timeout").data_size, 0);
}
END_TEST

START_TEST(setup_menu)
{
	struct boot_number number = { .clear = true };

	ck_assert_int_eq(apply(boot_plan_setup, &number), 0);
	number.clear = false;
	applies(boot_plan_setup, &number);
	ck_assert_mem_eq(find("OsIndications").data, "\1\0\0\0\0\0\0\0", 8);
	number.clear = true;
	applies(boot_plan_setup, &number);
	ck_assert_mem_eq(find("OsIndications").data, "\0\0\0\0\0\0\0\0", 8);
}
END_TEST

START_TEST(setup_menu_keeps_other_bits)
{
	struct boot_number number = { .clear = false };

	add_variable("OsIndications", "\4\0\0\0\0\0\0\x80", 8);
	applies(boot_plan_setup, &number);
	ck_assert_mem_eq(find("OsIndications").data, "\5\0\0\0\0\0\0\x80", 8);
}
END_TEST

START_TEST(reset)
{
	applies(boot_plan_reset, NULL);
	ck_assert_str_eq(summary(), "|");
	ck_assert_uint_eq(find("BootOrder").data_size, 0);
	ck_assert_uint_eq(find("Lang").data_size, 4);
}
END_TEST

START_TEST(copy)
{
	struct vars from;
	struct varstore store;

	add_variable("Boot0009", "broken", 6);
	from = vars;
	ck_assert_int_eq(varstore_open(&store, from.image, from.size, &err), 0);
	vars = vars_make("2m");
	add_entry("Boot0001", "other");
	add_entry("Boot0004", "fourth");
	add_variable("BootOrder", "\4\0\1\0", 4);
	add_variable("BootNext", "\4\0", 2);
	applies(boot_plan_copy, &store);
	ck_assert_str_eq(summary(), "0000 0001 0003 0007 | 0003 0000 0001");
	vars_free(&from);
}
END_TEST

/* Another value of the right size, but with other attributes, is written. */
START_TEST(attributes_are_mended)
{
	struct boot_select select = { .words = "0001" };
	const struct varstore store = open_store();
	struct variable old;

	ck_assert_int_eq(boot_find(&store, "BootNext", &old), 0);
	put_le32(vars.image + old.offset + 4, 3);
	applies(boot_plan_next, &select);
	ck_assert_mem_eq(find("BootNext").data, "\1\0", 2);
}
END_TEST

static Suite *
boot_plan_suite(void)
{
	Suite *suite = suite_create("boot_plan");
	TCase *tc = tcase_create("boot_plan");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, state_before);
	tcase_add_test(tc, add_takes_a_free_number);
	tcase_add_loop_test(tc, add_at_a_place, 0, 6);
	tcase_add_test(tc, add_of_an_equal_entry);
	tcase_add_test(tc, add_puts_an_entry_into_the_order);
	tcase_add_test(tc, add_with_a_number);
	tcase_add_test(tc, add_to_an_empty_store);
	tcase_add_loop_test(tc, remove_words, 0, 6);
	tcase_add_test(tc, remove_nothing);
	tcase_add_loop_test(tc, order_words, 0, 5);
	tcase_add_test(tc, order_and_next_refuse);
	tcase_add_test(tc, next_words);
	tcase_add_test(tc, timeout);
	tcase_add_test(tc, setup_menu);
	tcase_add_test(tc, setup_menu_keeps_other_bits);
	tcase_add_test(tc, reset);
	tcase_add_test(tc, copy);
	tcase_add_test(tc, attributes_are_mended);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(boot_plan_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
