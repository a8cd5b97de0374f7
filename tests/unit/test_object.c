/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the supervisor's JSON, with json-c as an independent reader. */
#include <check.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/object.h"

/* All bytes but NUL; those from 0x80 on are no UTF-8. */
static char any[256];

static void
make_any(void)
{
	for (int i = 0; i < 255; i++)
		any[i] = (char)(i + 1);
}

/* Writes an object into a buffer of its own; true if it has room. */
static bool
write_all(char *text, size_t room)
{
	struct object object;

	object_begin(&object, text, room);
	object_add_text(&object, "name", any);
	object_add_text(&object, "none", "");
	object_add_number(&object, "least", 0);
	object_add_number(&object, "most", UINT64_MAX);
	return object_end(&object);
}

static const char *
member(struct json_object *root, const char *name)
{
	struct json_object *value;

	ck_assert(json_object_object_get_ex(root, name, &value));
	return json_object_get_string(value);
}

START_TEST(reads_back)
{
	struct json_object *root;
	char text[1024];

	make_any();
	ck_assert(write_all(text, sizeof(text)));
	root = json_tokener_parse(text);
	ck_assert_ptr_nonnull(root);
	ck_assert_int_eq(json_object_object_length(root), 4);
	ck_assert_str_eq(member(root, "name"), any);
	ck_assert_str_eq(member(root, "none"), "");
	ck_assert_str_eq(member(root, "least"), "0");
	ck_assert_str_eq(member(root, "most"), "18446744073709551615");
	json_object_put(root);
}
END_TEST

START_TEST(plain_text)
{
	struct object object;
	char text[64];

	object_begin(&object, text, sizeof(text));
	ck_assert(object_end(&object));
	ck_assert_str_eq(text, "{}");
	object_begin(&object, text, sizeof(text));
	object_add_text(&object, "a", "/b\"\\\n");
	object_add_number(&object, "c", 7);
	ck_assert(object_end(&object));
	ck_assert_str_eq(text, "{\"a\":\"/b\\u0022\\u005c\\u000a\",\"c\":7}");
}
END_TEST

/* A buffer of each smaller size: refused, and nothing behind it is written. */
START_TEST(too_little_room)
{
	size_t need;
	char text[1024];

	make_any();
	ck_assert(write_all(text, sizeof(text)));
	need = strlen(text) + 1;
	for (size_t room = 0; room <= need; room++) {
		char *exact = malloc(room + 1);

		ck_assert_ptr_nonnull(exact);
		exact[room] = '#';
		ck_assert(write_all(exact, room) == (room == need));
		ck_assert_int_eq(exact[room], '#');
		if (room > 0)
			ck_assert_uint_lt(strlen(exact), room);
		free(exact);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("object");
	TCase *tc = tcase_create("object");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, reads_back);
	tcase_add_test(tc, plain_text);
	tcase_add_test(tc, too_little_room);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
