/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers, sizes, words, command lines, hostile text, and whole files. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pflash/cmdline.h"
#include "pflash/load.h"
#include "pflash/names.h"
#include "pflash/text.h"

static struct error err;

START_TEST(numbers)
{
	static const char *const bad[] = {
		"",
		" 1",
		"+1",
		"-1",
		"x",
		"1x",
		"1 ",
		"0x",
		"9",
		"256",
		"1K",
		"18446744073709551616",
		"99999999999999999999",
		"0x1g",
	};
	uint64_t value;

	ck_assert_int_eq(parse_number("10", PARSE_C, 10, 255, &value, &err), 0);
	ck_assert_uint_eq(value, 10);
	ck_assert_int_eq(parse_number("0xff", PARSE_C, 10, 255, &value, &err),
			 0);
	ck_assert_uint_eq(value, 255);
	ck_assert_int_eq(parse_number("020", PARSE_C, 10, 255, &value, &err),
			 0);
	ck_assert_uint_eq(value, 16);
	ck_assert_int_eq(parse_number("020", PARSE_DECIMAL, 10, 255, &value,
				      &err),
			 0);
	ck_assert_uint_eq(value, 20);
	ck_assert_int_eq(parse_number("0x10", PARSE_DECIMAL, 0, 255, &value,
				      &err),
			 -EINVAL);
	ck_assert_int_eq(parse_number("18446744073709551615", PARSE_DECIMAL, 0,
				      UINT64_MAX, &value, &err),
			 0);
	ck_assert_uint_eq(value, UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(parse_number(bad[i], PARSE_C, 10, 255, &value,
					   &err) == -EINVAL,
			      "'%s' was accepted", bad[i]);
		ck_assert_ptr_nonnull(strstr(err.text,
					     "is not a number from 10 to 255"));
	}
}
END_TEST

/* The rest of the text after the size; NULL: it is refused. */
static const char *
after_size(const char *text, enum parse_form form, uint64_t most,
	   uint64_t wanted)
{
	uint64_t size;

	if (!parse_size(&text, form, most, &size))
		return NULL;
	ck_assert_uint_eq(size, wanted);
	return text;
}

START_TEST(sizes)
{
	ck_assert_str_eq(after_size("512", PARSE_DECIMAL, 512, 512), "");
	ck_assert_ptr_null(after_size("513", PARSE_DECIMAL, 512, 0));
	ck_assert_str_eq(after_size("4K,1M", PARSE_DECIMAL, 4096, 4096), ",1M");
	ck_assert_ptr_null(after_size("5K", PARSE_DECIMAL, 4096, 0));
	ck_assert_str_eq(after_size("3M", PARSE_DECIMAL, UINT64_MAX, 3 << 20),
			 "");
	ck_assert_str_eq(after_size("2G", PARSE_DECIMAL, UINT64_MAX,
				    UINT64_C(2) << 30),
			 "");
	ck_assert_ptr_null(after_size("99999999999G", PARSE_DECIMAL, UINT64_MAX,
				      0));
	ck_assert_str_eq(after_size("4k", PARSE_DECIMAL, 4096, 4), "k");
	ck_assert_str_eq(after_size("4k", PARSE_C, 4096, 4096), "");
	ck_assert_str_eq(after_size("0x1000x2", PARSE_C, 4096, 4096), "x2");
	ck_assert_str_eq(after_size("4KK", PARSE_C, 4096, 4096), "K");
	ck_assert_ptr_null(after_size("K", PARSE_C, 4096, 0));
	ck_assert_ptr_null(after_size("-1K", PARSE_C, 4096, 0));
}
END_TEST

START_TEST(words)
{
	int value = 7;

	ck_assert_int_eq(parse_choice(names_mode, "trap", &value, &err), 0);
	ck_assert_str_eq(parse_choice_name(names_mode, value), "trap");
	ck_assert_int_eq(parse_choice(names_lanes, "3", &value, &err), -EINVAL);
	ck_assert_str_eq(err.text, "'3' is not 1, 2 or 4");
	ck_assert_int_eq(parse_choice(names_mode, "", &value, &err), -EINVAL);
	ck_assert_str_eq(err.text, "'' is not auto, direct or trap");
	ck_assert_ptr_null(parse_choice_name(names_mode, 99));
}
END_TEST

static const struct cmdline_option table[] = {
	{ "width", 'w', true },      { "file", 'f', true },
	{ "read-only", 'R', false }, { "help", 'h', false },
	{ NULL, 0, false },
};

static char seen[100];

static int
set_option(void *opaque, int option, const char *value, struct error *error)
{
	int width;

	ck_assert_ptr_eq(opaque, &seen);
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%c%s ",
		 option, value ? value : "");
	if (option == 'w')
		return parse_choice(names_lanes, value, &width, error);
	return option == 'h';
}

static const struct {
	const char *arguments[6];
	int result; /* or -EINVAL, with this text: */
	const char *text;
} lines[] = {
	{ { NULL }, 1, "" },
	{ { "--width", "2", "--file=x" }, 4, "w2 fx " },
	{ { "a", "--read-only", "b" }, 2, "R " },
	{ { "--read", "--", "--width" }, 3, "R " },
	{ { "--help", "--width", "3" }, 0, "h " },
	{ { "--width", "3" }, -EINVAL, "--width: '3' is not 1, 2 or 4" },
	{ { "--width" }, -EINVAL, "--width needs a value (see --help)" },
	{ { "--read-only", "-xy" },
	  -EINVAL,
	  "unknown option '-x' (see --help)" },
	{ { "--nope=1" }, -EINVAL, "unknown option '--nope=1' (see --help)" },
	{ { "a", "--nope" }, -EINVAL, "unknown option '--nope' (see --help)" },
	{ { "--read-only=yes" },
	  -EINVAL,
	  "the option --read-only takes no value (see --help)" },
	{ { "-R" }, -EINVAL, "unknown option '-R' (see --help)" },
};

START_TEST(command_lines)
{
	char *argv[8] = { strdup("program") };
	int argc = 1, result;

	for (; lines[_i].arguments[argc - 1]; argc++)
		argv[argc] = strdup(lines[_i].arguments[argc - 1]);
	seen[0] = '\0';
	result = cmdline_parse(table, argc, argv, set_option, &seen, &err);
	ck_assert_int_eq(result, lines[_i].result);
	ck_assert_str_eq(result < 0 ? err.text : seen, lines[_i].text);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
}
END_TEST

START_TEST(options_of_a_file)
{
	ck_assert_ptr_null(cmdline_find(table, "read"));
	ck_assert_ptr_null(cmdline_find(table, ""));
	ck_assert_ptr_eq(cmdline_find(table, "file"), &table[1]);
	seen[0] = '\0';
	ck_assert_int_eq(cmdline_apply(&table[0], "8", set_option, &seen, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, "--width: '8' is not 1, 2 or 4");
}
END_TEST

START_TEST(utf_8)
{
	static const struct {
		const char *text;
		size_t len;
		uint32_t point;
	} texts[] = {
		{ "a", 1, 'a' },
		{ "\xc3\xbc", 2, 0xfc },
		{ "\xe2\x82\xac", 3, 0x20ac },
		{ "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
		{ "\xf4\x90\x80\x80", 0, 0 }, /* beyond Unicode */
		{ "\xc0\x80", 0, 0 },         /* overlong */
		{ "\xe0\x9f\xbf", 0, 0 },
		{ "\xed\xa0\x80", 0, 0 }, /* a surrogate */
		{ "\x80", 0, 0 },
		{ "\xff", 0, 0 },
		{ "\xe2\x82", 0, 0 }, /* cut off */
		{ "\xe2\x82x", 0, 0 },
		{ "", 0, 0 },
	};
	uint32_t point = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ck_assert_uint_eq(text_decode(texts[i].text,
					      strlen(texts[i].text), &point),
				  texts[i].len);
		if (texts[i].len)
			ck_assert_uint_eq(point, texts[i].point);
	}
	ck_assert_uint_eq(text_decode("", 1, &point), 1);
	ck_assert_uint_eq(point, 0);
	ck_assert(text_is_control(0x1f) && text_is_control(0x7f) &&
		  text_is_control(0x9f));
	ck_assert(!text_is_control(' ') && !text_is_control(0xa0));
}
END_TEST

/* Loads a file of this many bytes, of which at most 100000 are accepted. */
static int
load(size_t size, uint8_t **data, size_t *got)
{
	char path[] = "/tmp/test_parse.XXXXXX";
	int fd = mkstemp(path), ret;
	char *bytes = malloc(size + 1);

	ck_assert_int_ge(fd, 0);
	memset(bytes, 'x', size);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	close(fd);
	free(bytes);
	ret = load_file(path, 100000, data, got, &err);
	unlink(path);
	return ret;
}

START_TEST(files)
{
	static const size_t good[] = { 1, 65535, 65536, 65537, 100000 };
	uint8_t *data;
	size_t got;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_int_eq(load(good[i], &data, &got), 0);
		ck_assert_uint_eq(got, good[i]);
		ck_assert_uint_eq(strlen((char *)data), got);
		free(data);
	}
	ck_assert_int_eq(load(100001, &data, &got), -EFBIG);
	ck_assert_ptr_null(data);
	ck_assert_ptr_nonnull(strstr(err.text, "at most 100000 bytes"));
	ck_assert_int_eq(load(0, &data, &got), -EINVAL);
	ck_assert_ptr_null(data);
	ck_assert_int_eq(load_file("/tmp", 1000, &data, &got, &err), -EISDIR);
	ck_assert_int_eq(load_file("/dev/zero", 1000, &data, &got, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "a character device"));
	ck_assert_int_eq(load_file("/nowhere", 1000, &data, &got, &err),
			 -ENOENT);
	ck_assert_ptr_null(data);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("parse");
	TCase *tc = tcase_create("parse");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, numbers);
	tcase_add_test(tc, sizes);
	tcase_add_test(tc, words);
	tcase_add_loop_test(tc, command_lines, 0,
			    sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(tc, options_of_a_file);
	tcase_add_test(tc, utf_8);
	tcase_add_test(tc, files);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
