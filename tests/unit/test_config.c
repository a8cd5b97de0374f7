/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the files of options: hostile guest names, and the precedence of the
 * command line.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/daemon/config.h"
#include "../../src/daemon/config_value.h"
#include "../../src/daemon/guest.h"
#include "../../src/daemon/options.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LONG "0123456789abcdef0123456789abcdef"
#define LONGEST LONG LONG LONG "0123456789abcdef0123456789abcde"

static char directory[64], path[128];
static struct error err;

/* The arguments and results of config_read(). */
static struct {
	const char *name; /* NULL: no such domain */
	unsigned int name_calls;
	unsigned int lines;
	char last[64];         /* the last option */
	char all[4096];        /* "option=value;" of each option */
	const char *values[2]; /* the first two values */
} seen;

static void
setup(void)
{
	strcpy(directory, "/tmp/test_config.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/a.conf", directory);
	memset(&seen, 0, sizeof(seen));
	seen.name = "web";
	err.text[0] = '\0';
}

static void
teardown(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static void
write_file(const char *name, const char *contents, size_t size)
{
	char file[160];
	FILE *out;

	(void)snprintf(file, sizeof(file), "%s/%s", directory, name);
	out = fopen(file, "w");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(contents, 1, size, out), size);
	ck_assert_int_eq(fclose(out), 0);
}

static void
conf(const char *contents)
{
	write_file("a.conf", contents, strlen(contents));
}

static int
get_name(void *opaque, char **name, struct error *why)
{
	ck_assert_ptr_eq(opaque, &seen);
	seen.name_calls++;
	if (!seen.name)
		return error_set(why, ESRCH, "no such domain");
	*name = strdup(seen.name);
	return 0;
}

static int
record_option(void *opaque, const char *option, const char *value,
	      struct error *why)
{
	size_t used = strlen(seen.all);

	(void)why;
	ck_assert_ptr_eq(opaque, &seen);
	if (seen.lines < COUNT(seen.values))
		seen.values[seen.lines] = value;
	seen.lines++;
	(void)snprintf(seen.last, sizeof(seen.last), "%s", option);
	(void)snprintf(seen.all + used, sizeof(seen.all) - used, "%s=%s;",
		       option, value);
	return strcmp(option, "bad") == 0 ? error_set(why, EINVAL, "is bad") :
					    0;
}

static int
read_path(const char *from)
{
	char *text;
	int ret = config_read(from, get_name, record_option, &seen, &text,
			      &err);

	/* The values must live as long as the text. */
	if (ret == 0 && seen.lines >= 2)
		ck_assert_ptr_ne(seen.values[0], seen.values[1]);
	free(text);
	return ret;
}

/* --- names --- */

static const struct {
	const char *name, *why, *shown;
} refused[] = {
	{ "", "is empty", "''" },
	{ ".", "begins with '.'", "'.'" },
	{ "..", "begins with '.'", "'..'" },
	{ ".hidden", "begins with '.'", "'.hidden'" },
	{ "../x", "begins with '.'", "'../x'" },
	{ "a/b", "has a '/'", "'a/b'" },
	{ "a/../../etc/x", "has a '/'", "'a/../../etc/x'" },
	{ "/etc/passwd", "has a '/'", "'/etc/passwd'" },
	{ "x\nsandbox = none", "control character", "'x\\x0asandbox = none'" },
	{ "x\n", "control character", "'x\\x0a'" },
	{ "\nx", "control character", "'\\x0ax'" },
	{ "x\rsync=op", "control character", "'x\\x0dsync=op'" },
	{ "a\tb", "control character", "'a\\x09b'" },
	{ "a\x1b[2J", "control character", "'a\\x1b[2J'" },
	{ "a\x01", "control character", "'a\\x01'" },
	{ "a\x1f", "control character", "'a\\x1f'" },
	{ "a\x7f", "control character", "'a\\x7f'" },
	{ "a\xc2\x80", "control character", "'a\\xc2\\x80'" },
	{ "a\xc2\x9b[2J", "control character", "'a\\xc2\\x9b[2J'" },
	{ "a\x9b", "is not UTF-8", "'a\\x9b'" },
	{ "a\xff", "is not UTF-8", "'a\\xff'" },
	{ "a\xc3", "is not UTF-8", "'a\\xc3'" },
	{ "a\xe2\x82", "is not UTF-8", "'a\\xe2\\x82'" },
	{ "\xc0\xaf", "is not UTF-8", "'\\xc0\\xaf'" },
	{ "\xe0\x80\xaf", "is not UTF-8", "'\\xe0\\x80\\xaf'" },
	{ "\xf0\x80\x80\xaf", "is not UTF-8", "'\\xf0\\x80\\x80\\xaf'" },
	{ "\xed\xa0\x80", "is not UTF-8", "'\\xed\\xa0\\x80'" },
	{ "\xf4\x90\x80\x80", "is not UTF-8", "'\\xf4\\x90\\x80\\x80'" },
	{ "\xf8\x88\x80\x80\x80", "is not UTF-8", "'\\xf8" },
	{ LONGEST "x", "is too long", "'" LONGEST "x'" },
	{ LONG LONG LONG LONG LONG LONG, "is too long", "...'" },
};

static const char *const accepted[] = {
	"a",
	"7",
	"web-1.lan",
	"default",
	"a b",
	"-x",
	"a.b..c",
	"%n",
	"a=b",
	"#a",
	"a\\nb",
	"b\xc3\xbc"
	"cher",
	"\xc2\xa0",
	"\xe2\x82\xac",
	"\xf0\x9f\x90\xa7",
	"\xed\x9f\xbf",
	"\xf4\x8f\xbf\xbf",
	LONGEST,
};

static void
check_sentence(int i)
{
	ck_assert_msg(strstr(err.text, refused[i].why), "%s", err.text);
	ck_assert_msg(strstr(err.text, refused[i].shown), "%s", err.text);
	for (const char *c = err.text; *c; c++)
		ck_assert_msg(*c >= ' ' && *c < 0x7f, "%s", err.text);
}

START_TEST(a_name_is_refused)
{
	ck_assert_int_eq(guest_check_name(refused[_i].name, &err), -EINVAL);
	check_sentence(_i);
}
END_TEST

START_TEST(a_name_is_accepted)
{
	ck_assert_int_eq(guest_check_name(accepted[_i], &err), 0);
	conf("vars = /v/%n.fd");
	seen.name = accepted[_i];
	ck_assert_int_eq(read_path(path), 0);
	ck_assert_ptr_nonnull(strstr(seen.all, accepted[_i]));
}
END_TEST

START_TEST(the_longest_name_has_127_bytes)
{
	ck_assert_uint_eq(strlen(LONGEST), GUEST_NAME_SIZE - 1);
}
END_TEST

/* Returns true if the text has no control character for a terminal. */
static bool
is_printable(const char *text)
{
	while (*text && (unsigned char)*text >= ' ' && *text != 0x7f)
		text++;
	return !*text;
}

START_TEST(any_two_bytes_are_shown)
{
	char name[] = "aXY";

	for (int bytes = 0x100; bytes < 0x10000; bytes++) {
		name[1] = (char)(bytes >> 8);
		name[2] = (char)bytes;
		err.text[0] = '\0';
		if (guest_check_name(name, &err) < 0 &&
		    (!is_printable(err.text) || !strstr(err.text, "'a")))
			ck_abort_msg("%x: %s", (unsigned int)bytes, err.text);
	}
}
END_TEST

/* --- files --- */

START_TEST(a_refused_name_sets_nothing)
{
	conf("vars = /v/%n.fd\nmode = trap\n");
	seen.name = refused[_i].name;
	ck_assert_int_eq(read_path(path), -EINVAL);
	ck_assert_str_eq(seen.all, "");
	check_sentence(_i);
	ck_assert_ptr_nonnull(strstr(err.text, "a.conf:1: "));
}
END_TEST

START_TEST(a_refused_name_has_no_file)
{
	write_file("default.conf", "mode = trap\n", 12);
	write_file(".hidden.conf", "mode = trap\n", 12);
	write_file("...conf", "mode = trap\n", 12);
	seen.name = refused[_i].name;
	ck_assert_int_eq(read_path(directory), -EINVAL);
	ck_assert_str_eq(seen.all, "");
	check_sentence(_i);
}
END_TEST

/*
 * A name that leads out of the directory must be refused even if the file
 * exists.
 */
START_TEST(no_file_of_another_directory)
{
	char inner[96];

	conf("mode = trap\n");
	write_file("default.conf", "mode = trap\n", 12);
	(void)snprintf(inner, sizeof(inner), "%s/inner", directory);
	ck_assert_int_eq(mkdir(inner, 0700), 0);
	seen.name = "../a";
	ck_assert_int_eq(read_path(inner), -EINVAL);
	ck_assert_uint_eq(seen.lines, 0);
}
END_TEST

/* NAME.conf, then the generated NAME.conf, then default.conf. */
START_TEST(a_generated_file_is_the_second_choice)
{
	static const struct {
		const char *file, *found;
	} steps[] = { { "default.conf", "mode=trap;" },
		      { "generated/web.conf", "mode=direct;" },
		      { "generated/default.conf", "mode=direct;" },
		      { "web.conf", "mode=auto;" } };
	char generated[96], line[32];

	(void)snprintf(generated, sizeof(generated), "%s/generated", directory);
	ck_assert_int_eq(mkdir(generated, 0700), 0);
	config_generated = generated;
	for (size_t i = 0; i < COUNT(steps); i++) {
		int len = snprintf(line, sizeof(line), "%s",
				   i == 2 ? "mode=none;" : steps[i].found);

		line[len - 1] = '\n';
		write_file(steps[i].file, line, (size_t)len);
		memset(&seen, 0, sizeof(seen));
		seen.name = "web";
		ck_assert_int_eq(read_path(directory), 0);
		ck_assert_str_eq(seen.all, steps[i].found);
	}
	seen.name = "../a";
	ck_assert_int_eq(read_path(directory), -EINVAL);
}
END_TEST

START_TEST(the_name_in_several_values)
{
	conf("vars = /v/%n/%n.fd\n# %n\njournal=%n\n template = 100%%n% %x%n ");
	ck_assert_int_eq(read_path(path), 0);
	ck_assert_str_eq(seen.all, "vars=/v/web/web.fd;journal=web;"
				   "template=100%web% %xweb;");
	ck_assert_uint_eq(seen.name_calls, 1);
}
END_TEST

START_TEST(a_name_is_not_parsed)
{
	static const char *const names[] = { "%n", "%n%n", "a # b", "a = b" };

	for (size_t i = 0; i < COUNT(names); i++) {
		char wanted[64];

		conf("vars = %n.fd\nmode = trap");
		seen.name = names[i];
		seen.all[0] = '\0';
		ck_assert_int_eq(read_path(path), 0);
		(void)snprintf(wanted, sizeof(wanted), "vars=%s.fd;mode=trap;",
			       names[i]);
		ck_assert_str_eq(seen.all, wanted);
	}
}
END_TEST

START_TEST(the_longest_name_a_thousand_times)
{
	static char contents[20000];
	char *to = contents;

	for (int i = 0; i < 1000; i++)
		to = stpcpy(to, i % 2 ? "a=%n%n\n" : "b = x%n\n");
	conf(contents);
	seen.name = LONGEST;
	ck_assert_int_eq(read_path(path), 0);
	ck_assert_uint_eq(seen.lines, 1000);
}
END_TEST

START_TEST(the_name_is_looked_up_only_if_used)
{
	conf("# %n\nvars = /v/web.fd\nmode = %x\n%\n#%n");
	ck_assert_int_eq(read_path(path), -EINVAL);
	conf("# %n\nvars = /v/web.fd\nmode = %x\n#%n");
	ck_assert_int_eq(read_path(path), 0);
	ck_assert_uint_eq(seen.name_calls, 0);
}
END_TEST

START_TEST(a_name_in_an_option_is_refused)
{
	static const char *const lines[] = {
		"%n = none\n",
		"x%n = none\n",
		"%nx=1\n",
		"%n=%n\n",
	};

	seen.name = "sandbox";
	for (size_t i = 0; i < COUNT(lines); i++) {
		char contents[64];

		(void)snprintf(contents, sizeof(contents), "\nmode = trap\n%s",
			       lines[i]);
		conf(contents);
		ck_assert_int_eq(read_path(path), -EINVAL);
		ck_assert_str_eq(seen.last, "mode");
		ck_assert_ptr_nonnull(strstr(err.text, "a.conf:3: unknown "));
	}
}
END_TEST

START_TEST(missing_domain)
{
	conf("vars = /v/%n.fd\n");
	seen.name = NULL;
	ck_assert_int_eq(read_path(path), -ESRCH);
	ck_assert_ptr_nonnull(strstr(err.text, "no such domain"));
	ck_assert_int_eq(read_path(directory), -ESRCH);
	ck_assert_str_eq(seen.all, "");
}
END_TEST

START_TEST(the_named_file_precedes_the_default)
{
	ck_assert_int_eq(read_path(directory), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "neither web.conf nor "));
	write_file("default.conf", "vars = 1", 8);
	ck_assert_int_eq(read_path(directory), 0);
	write_file("web.conf", "vars = 2", 8);
	ck_assert_int_eq(read_path(directory), 0);
	ck_assert_str_eq(seen.all, "vars=1;vars=2;");
	seen.name = "web--incoming";
	ck_assert_int_eq(read_path(directory), 0);
	ck_assert_str_eq(seen.all, "vars=1;vars=2;vars=1;");
}
END_TEST

START_TEST(lines)
{
	conf("\r\n  # c\r\nvars = a b \r\n\tx=\t1\n\ny =1=2\nz=a#\n\n ");
	ck_assert_int_eq(read_path(path), 0);
	ck_assert_str_eq(seen.all, "vars=a b;x=1;y=1=2;z=a#;");
	conf("a=1\n\nbad=2\nc=3\n");
	ck_assert_int_eq(read_path(path), -EINVAL);
	ck_assert_str_eq(seen.last, "bad");
	ck_assert_ptr_nonnull(strstr(err.text, "a.conf:3: is bad"));
	conf("a=1\nvars\n");
	ck_assert_int_eq(read_path(path), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "a.conf:2: 'vars': expected"));
}
END_TEST

START_TEST(the_largest_number_of_lines)
{
	char *many = malloc(100000);

	ck_assert_ptr_nonnull(many);
	memset(many, '\n', 100000);
	write_file("a.conf", many, 100000);
	ck_assert_int_eq(read_path(path), -EFBIG);
	write_file("a.conf", many, 65536);
	ck_assert_int_eq(read_path(path), 0);
	ck_assert_uint_eq(seen.lines, 0);
	memcpy(many + 65530, "bad=1", 5);
	write_file("a.conf", many, 65536);
	ck_assert_int_eq(read_path(path), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "a.conf:65531: "));
	for (int i = 0; i < 65536; i += 4)
		memcpy(many + i, "a=1\n", 4);
	write_file("a.conf", many, 65536);
	seen.lines = 0;
	ck_assert_int_eq(read_path(path), 0);
	ck_assert_uint_eq(seen.lines, 16384);
	free(many);
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
	static const struct {
		const char *contents;
		size_t size;
		const char *where;
	} files[] = {
		{ "\0", 1, "a.conf:1: a NUL byte" },
		{ "vars = x\0\nmode = trap\n", 22, "a.conf:1: a NUL byte" },
		{ "vars = x\n#\0\nmode = trap\n", 24, "a.conf:2: a NUL byte" },
		{ "a=1\n\nb\0=2\n", 10, "a.conf:3: a NUL byte" },
		{ "a=1\nb=2\n\0\0", 10, "a.conf:3: a NUL byte" },
	};

	for (size_t i = 0; i < COUNT(files); i++) {
		write_file("a.conf", files[i].contents, files[i].size);
		ck_assert_int_eq(read_path(path), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, files[i].where));
		ck_assert_str_eq(seen.all, "");
	}
}
END_TEST

START_TEST(no_file)
{
	ck_assert_int_eq(read_path(path), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	conf("");
	ck_assert_int_eq(read_path(path), -EINVAL);
}
END_TEST

/* --- the grammar of pflash.conf(5) --- */

static const struct {
	const char *contents, *all;
} grammar[] = {
	/* blanks */
	{ "a=1", "a=1;" },
	{ " \t a \t = \t 1 \t ", "a=1;" },
	{ "a = x  y\tz", "a=x  y\tz;" },
	{ "a = 1 = 2", "a=1 = 2;" },
	/* ends of lines, the byte order mark, and none at all */
	{ "a=1\r\nb=2\r\n", "a=1;b=2;" },
	{ "a=1\nb=2", "a=1;b=2;" },
	{ "\xef\xbb\xbf"
	  "a=1\r\n",
	  "a=1;" },
	{ "\xef\xbb\xbf#\na=1", "a=1;" },
	{ "\xef\xbb\xbf", "" },
	{ "a='1'\r\n", "a=1;" },
	/* comments */
	{ "#a=1\n \t#\x01 '\"\\\nb=2", "b=2;" },
	{ "a = x#y", "a=x#y;" },
	{ "a = \"x\" # c \"d\" 'e'", "a=x;" },
	{ "a = 'x'\t#", "a=x;" },
	{ "a = ' # x'", "a= # x;" },
	/* quotes */
	{ "a = \"x\"", "a=x;" },
	{ "a = ' x '", "a= x ;" },
	{ "a = \"it's\"", "a=it's;" },
	{ "a = 'say \"x\"'", "a=say \"x\";" },
	{ "a = \"/v/%n.fd\"", "a=/v/web.fd;" },
	{ "a = '/v/%n.fd'", "a=/v/web.fd;" },
	/* backslashes */
	{ "a = \"\\\"x\\\\\"", "a=\"x\\;" },
	{ "a = '\\x\\'", "a=\\x\\;" },
	{ "a = \\x\\\\y", "a=\\x\\\\y;" },
	{ "a = \"\\\\%n\"", "a=\\web;" },
};

START_TEST(a_rule_of_the_grammar)
{
	conf(grammar[_i].contents);
	ck_assert_msg(read_path(path) == 0, "%s", err.text);
	ck_assert_str_eq(seen.all, grammar[_i].all);
}
END_TEST

/* Each of them has the sentence, and the number of the line. */
static const struct {
	const char *contents, *why;
} wrong[] = {
	{ "\na = /v/x.fd # my guest", ":2: 'a': a comment needs a line" },
	{ "a = /v/x.fd\t#", ":1: 'a': a comment needs a line" },
	{ "a = #", ":1: 'a': a comment needs a line" },
	{ "a = x#y #z", ":1: 'a': a comment needs a line" },
	{ "a = /v/it's.fd", ":1: 'a': a quote within a value: if " },
	{ "a = /v/\"x\".fd", ":1: 'a': a quote within a value: if " },
	{ "a = \\\"x\\\"", ":1: 'a': a quote within a value: if " },
	{ "a = /v/\\\nb = x", ":1: 'a': a '\\' at the end of a line" },
	{ "a = /v/ \\  \r\n", ":1: 'a': a '\\' at the end of a line" },
	{ "a = \"x", ":1: 'a': the closing \" is missing" },
	{ "a = 'x\n'", ":1: 'a': the closing ' is missing" },
	{ "a = \"", ":1: 'a': the closing \" is missing" },
	{ "a = \"x\\\"", ":1: 'a': the closing \" is missing" },
	{ "a = 'it''s'", ":1: 'a': ''s'' behind the closing quote" },
	{ "a = \"x\"y", ":1: 'a': 'y' behind the closing quote" },
	{ "a = \"x\"#c", ":1: 'a': '#c' behind the closing quote" },
	{ "a = \"x\" y # c", ":1: 'a': 'y # c' behind the closing quote" },
	{ "a = \"\\n\"", ":1: 'a': in \"...\" a '\\' must be followed by" },
	{ "a = \"x\\", ":1: 'a': in \"...\" a '\\' must be followed by" },
	{ "a =", ":1: 'a': the value is empty" },
	{ "a = \"\"", ":1: 'a': the value is empty" },
	{ "a = '' # c", ":1: 'a': the value is empty" },
	{ "a = x\ry", ":1: a control character (byte 0x0d)" },
	{ "a = 'x\x1b[2J'", ":1: a control character (byte 0x1b)" },
	{ "a = x\x7fy", ":1: a control character (byte 0x7f)" },
	{ "\n\xef\xbb\xbf"
	  "a",
	  ":2: '\xef\xbb\xbf"
	  "a': expected option" },
	{ "a", ":1: 'a': expected option = value" },
	{ "%n = \"x\"", ":1: unknown option '%n'" },
};

START_TEST(not_in_the_grammar)
{
	conf(wrong[_i].contents);
	ck_assert_int_eq(read_path(path), -EINVAL);
	ck_assert_msg(strstr(err.text, wrong[_i].why), "%s", err.text);
	ck_assert_ptr_eq(strstr(err.text, path), err.text);
	ck_assert_str_eq(seen.all, "");
}
END_TEST

/*
 * All values of up to six of these characters: without quotes a value is
 * literal, as in version 0.1, or is refused.  Every accepted value is the same
 * when it is written in double quotes.
 */
START_TEST(every_short_value)
{
	static const char letters[] = "a\"'\\# ";
	unsigned int plain = 0, quoted = 0, bad = 0;

	for (unsigned int code = 0; code < 6 * 6 * 6 * 6 * 6 * 6; code++) {
		char text[8] = "", value[8], again[32], *to = again;
		unsigned int rest = code;

		for (int i = 0; i < 6; i++, rest /= 6)
			text[i] = letters[rest % 6];
		text[6 - code % 6] = '\0';
		if (*text == ' ' || text[strlen(text) - 1] == ' ')
			continue;
		strcpy(value, text);
		if (config_value(value, &err) < 0) {
			ck_assert_uint_gt(strlen(err.text), 10);
			bad++;
			continue;
		}
		ck_assert_uint_gt(strlen(value), 0);
		if (!config_value_is_quoted(text)) {
			ck_assert_str_eq(value, text);
			plain++;
		} else {
			ck_assert_uint_le(strlen(value) + 2, strlen(text));
			quoted++;
		}
		*to++ = '"';
		for (const char *from = value; *from; *to++ = *from++)
			if (*from == '"' || *from == '\\')
				*to++ = '\\';
		strcpy(to, "\" # c");
		ck_assert_msg(config_value(again, &err) == 0, "%s: %s", text,
			      err.text);
		ck_assert_str_eq(again, value);
	}
	ck_assert_uint_gt(plain, 1000);
	ck_assert_uint_gt(quoted, 1000);
	ck_assert_uint_gt(bad, 1000);
}
END_TEST

/* The name of a guest is no syntax, with and without quotes around it. */
START_TEST(a_name_has_no_syntax)
{
	static const char *const names[] = { "a\"b", "a'b", "'",     "\"",
					     "a\\",  "#",   "a # b", "\\\"" };
	static const char *const values[] = { "%n", "\"%n\"", "'%n'" };

	for (size_t i = 0; i < COUNT(names) * COUNT(values); i++) {
		const char *name = names[i / COUNT(values)];
		char text[64];

		(void)snprintf(text, sizeof(text), "a = %s\nb = 1",
			       values[i % COUNT(values)]);
		conf(text);
		seen.name = name;
		seen.all[0] = '\0';
		ck_assert_msg(read_path(path) == 0, "%s: %s", name, err.text);
		(void)snprintf(text, sizeof(text), "a=%s;b=1;", name);
		ck_assert_str_eq(seen.all, text);
	}
}
END_TEST

/* Version 0.1 made a file with the quotes in its name, of each of these. */
START_TEST(a_file_with_quotes_in_its_name)
{
	static const char *const values[] = { "\"%n.fd\"", "'%n.fd'",
					      "\"%n.fd\" # c", "'%n.fd" };
	static const char *const names[] = { "\"web.fd\"", "'web.fd'",
					     "\"web.fd\" # c", "'web.fd" };

	ck_assert_int_eq(chdir(directory), 0);
	for (size_t i = 0; i < COUNT(values); i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "\na = %s\n", values[i]);
		conf(text);
		write_file(names[i], "v", 1);
		ck_assert_int_eq(read_path(path), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, "a.conf:2: 'a': a file "
						       "with the quotes in"));
		ck_assert_int_eq(unlink(names[i]), 0);
	}
	ck_assert_str_eq(seen.all, "");
	conf("a = \"%n.fd\"");
	ck_assert_int_eq(read_path(path), 0);
	ck_assert_str_eq(seen.all, "a=web.fd;");
}
END_TEST

/* --- the command line --- */

static int
find_name(void *opaque, const char *domain, char **name, struct error *why)
{
	ck_assert_str_eq(domain, "5");
	return get_name(opaque, name, why);
}

/*
 * Calls options_parse() for pflashd --domain 5 and up to four more arguments.
 */
static int
parse(struct options *options, const char *a, const char *b, const char *c,
      const char *d)
{
	const char *argv[] = { "pflashd", "--domain", "5", a, b, c, d, NULL };
	int argc = 3;

	while (argv[argc])
		argc++;
	return options_parse(options, argc, (char **)(uintptr_t)argv, find_name,
			     &seen, &err);
}

START_TEST(defaults)
{
	struct options options;

	ck_assert_int_eq(parse(&options, "--vars", "v", NULL, NULL), EXIT_OK);
	ck_assert_int_eq(options.sandbox, SANDBOX_FULL);
	ck_assert_ptr_null(options.user);
	ck_assert_uint_eq(options.restarts, 10);
	ck_assert(!options.check_handover);
	ck_assert_int_eq(options.code_from, OPTIONS_CODE_AUTO);
	ck_assert_int_eq(options.sync, STORE_SYNC_VARIABLE);
	ck_assert_str_eq(options_sync_name(&options), "variable");
	ck_assert_uint_eq(options.settle, 5);
	ck_assert_uint_eq(seen.name_calls, 0);
	options_free(&options);
}
END_TEST

START_TEST(syncs)
{
	static const char *const names[] = { "variable", "burst", "op",
					     "none" };
	static const enum store_sync values[] = { STORE_SYNC_VARIABLE,
						  STORE_SYNC_BURST,
						  STORE_SYNC_OP,
						  STORE_SYNC_NONE };
	struct options options;

	for (size_t i = 0; i < COUNT(names); i++) {
		ck_assert_int_eq(parse(&options, "--vars", "v", "--sync",
				       names[i]),
				 EXIT_OK);
		ck_assert_int_eq(options.sync, values[i]);
		ck_assert_str_eq(options_sync_name(&options), names[i]);
	}
}
END_TEST

START_TEST(settle)
{
	static const char *const bad[] = { "0", "3601", "-1", "", "1.5", "x" };
	struct options options;

	conf("vars = /v\nsync = burst\nsettle = 3600\n");
	ck_assert_int_eq(parse(&options, "--config", path, NULL, NULL),
			 EXIT_OK);
	ck_assert_int_eq(options.sync, STORE_SYNC_BURST);
	ck_assert_uint_eq(options.settle, 3600);
	options_free(&options);
	ck_assert_int_eq(parse(&options, "--config", path, "--settle", "1"),
			 EXIT_OK);
	ck_assert_uint_eq(options.settle, 1);
	options_free(&options);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(parse(&options, "--vars", "v", "--settle",
				       bad[i]),
				 EXIT_USAGE);
}
END_TEST

START_TEST(sandboxes)
{
	static const char *const names[] = { "none", "basic", "full" };
	static const int values[] = { SANDBOX_NONE, SANDBOX_BASIC,
				      SANDBOX_FULL };
	struct options options;

	for (size_t i = 0; i < COUNT(names); i++) {
		ck_assert_int_eq(parse(&options, "--vars", "v", "--sandbox",
				       names[i]),
				 EXIT_OK);
		ck_assert_int_eq((int)options.sandbox, values[i]);
	}
	ck_assert_int_eq(parse(&options, "--vars", "v", "--sandbox", "most"),
			 EXIT_USAGE);
}
END_TEST

START_TEST(restarts)
{
	static const char *const bad[] = { "10001", "-1",
					   "",      "x",
					   "1.5",   "18446744073709551616" };
	struct options options;

	ck_assert_int_eq(parse(&options, "--vars", "v", "--restarts", "0"),
			 EXIT_OK);
	ck_assert_uint_eq(options.restarts, 0);
	ck_assert_int_eq(parse(&options, "--vars", "v", "--restarts", "10000"),
			 EXIT_OK);
	ck_assert_uint_eq(options.restarts, 10000);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(parse(&options, "--vars", "v", "--restarts",
				       bad[i]),
				 EXIT_USAGE);
}
END_TEST

START_TEST(restarts_and_user_from_a_file)
{
	struct options options;

	conf("vars = /v\nrestarts = 3\nuser = flash\nsandbox = basic");
	ck_assert_int_eq(parse(&options, "--config", path, NULL, NULL),
			 EXIT_OK);
	ck_assert_uint_eq(options.restarts, 3);
	ck_assert_str_eq(options.user, "flash");
	ck_assert_int_eq(options.sandbox, SANDBOX_BASIC);
	options_free(&options);
	ck_assert_int_eq(parse(&options, "--config", path, "--restarts", "4"),
			 EXIT_OK);
	ck_assert_uint_eq(options.restarts, 4);
	options_free(&options);
}
END_TEST

/* A word, or a path; in a file a path must be absolute. */
static const struct {
	const char *value; /* on the command line */
	enum options_code from;
	bool in_file;
} codes[] = {
	{ "auto", OPTIONS_CODE_AUTO, true },
	{ "none", OPTIONS_CODE_NONE, true },
	{ "/f/OVMF.fd", OPTIONS_CODE_FILE, true },
	{ "./auto", OPTIONS_CODE_FILE, false },
	{ "autos", OPTIONS_CODE_FILE, false },
	{ "none.fd", OPTIONS_CODE_FILE, false },
};

START_TEST(code)
{
	bool is_file = codes[_i].from == OPTIONS_CODE_FILE;
	struct options options;
	char text[64];

	conf("vars = /v\ncode = /other.fd");
	ck_assert_int_eq(parse(&options, "--config", path, "--code",
			       codes[_i].value),
			 EXIT_OK);
	ck_assert_int_eq(options.code_from, codes[_i].from);
	if (is_file)
		ck_assert_str_eq(options.code, codes[_i].value);
	else
		ck_assert_ptr_null(options.code);
	options_free(&options);
	(void)snprintf(text, sizeof(text), "vars = /v\ncode = %s",
		       codes[_i].value);
	conf(text);
	ck_assert_int_eq(parse(&options, "--config", path, NULL, NULL),
			 codes[_i].in_file ? EXIT_OK : EXIT_FILE);
	if (!codes[_i].in_file)
		ck_assert_ptr_nonnull(strstr(err.text, "is a relative path"));
	else
		ck_assert_int_eq(options.code_from, codes[_i].from);
	options_free(&options);
}
END_TEST

START_TEST(check_handover_is_for_the_command_line)
{
	struct options options;

	conf("vars = /v\ncheck-handover = yes\n");
	ck_assert_int_eq(parse(&options, "--config", path, NULL, NULL),
			 EXIT_FILE);
	ck_assert_ptr_nonnull(
		strstr(err.text, "a.conf:2: unknown option 'check-handover'"));
	options_free(&options);
	conf("vars = /v\n");
	ck_assert_int_eq(parse(&options, "--config", path, "--check-handover",
			       NULL),
			 EXIT_OK);
	ck_assert(options.check_handover);
	ck_assert_uint_eq(seen.name_calls, 0);
	options_free(&options);
}
END_TEST

START_TEST(the_name_by_the_callers_function)
{
	struct options options;

	write_file("web.conf", "vars = /v/%n.fd\njournal = /%n.j", 31);
	ck_assert_int_eq(parse(&options, "--config", directory, NULL, NULL),
			 EXIT_OK);
	ck_assert_str_eq(options.vars, "/v/web.fd");
	ck_assert_str_eq(options.journal, "/web.j");
	ck_assert_uint_eq(seen.name_calls, 1);
	options_free(&options);
	seen.name = NULL;
	ck_assert_int_eq(parse(&options, "--config", directory, NULL, NULL),
			 EXIT_DOMAIN);
	options_free(&options);
}
END_TEST

START_TEST(an_option_twice_is_refused)
{
	static const char *const twice[] = {
		"vars = /v\nmode = trap\nvars = /v\n",
		"force = no\nvars = /v\nforce = yes\n",
		"vars = /v\n#\nvars = /w",
	};
	struct options options;

	for (size_t i = 0; i < COUNT(twice); i++) {
		conf(twice[i]);
		ck_assert_int_eq(parse(&options, "--config", path, NULL, NULL),
				 EXIT_FILE);
		ck_assert_ptr_nonnull(strstr(err.text, "a.conf:3: '"));
		ck_assert_ptr_nonnull(strstr(err.text, "' for the second "));
		options_free(&options);
	}
	conf("vars = /v\nmode = trap\n");
	ck_assert_int_eq(parse(&options, "--config", path, "--vars", "w"),
			 EXIT_OK);
	ck_assert_str_eq(options.vars, "w");
	options_free(&options);
}
END_TEST

START_TEST(quoted_options)
{
	struct options options;

	conf("vars = \"/v/%n #1.fd\" # the first\nread-only = 'yes'\n"
	     "mode = \"trap\"\n");
	ck_assert_int_eq(parse(&options, "--config", path, NULL, NULL),
			 EXIT_OK);
	ck_assert_str_eq(options.vars, "/v/web #1.fd");
	ck_assert(options.read_only);
	ck_assert_int_eq(options.mode, WINDOW_TRAP);
	options_free(&options);
}
END_TEST

START_TEST(a_hostile_name_sets_no_option)
{
	struct options options;

	conf("vars = /v/%n.fd\n");
	seen.name = "x\nsandbox = none\nforce = yes\n#";
	ck_assert_int_eq(parse(&options, "--config", path, NULL, NULL),
			 EXIT_FILE);
	ck_assert_int_eq(options.sandbox, SANDBOX_FULL);
	ck_assert(!options.force);
	options_free(&options);
}
END_TEST

static TCase *
test_case(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	return tc;
}

static TCase *
names_case(void)
{
	TCase *tc = test_case("names");

	tcase_add_loop_test(tc, a_name_is_refused, 0, (int)COUNT(refused));
	tcase_add_loop_test(tc, a_name_is_accepted, 0, (int)COUNT(accepted));
	tcase_add_test(tc, the_longest_name_has_127_bytes);
	tcase_add_test(tc, any_two_bytes_are_shown);
	return tc;
}

static TCase *
files_case(void)
{
	TCase *tc = test_case("files");
	int count = (int)COUNT(refused);

	tcase_add_loop_test(tc, a_refused_name_sets_nothing, 0, count);
	tcase_add_loop_test(tc, a_refused_name_has_no_file, 0, count);
	tcase_add_test(tc, no_file_of_another_directory);
	tcase_add_test(tc, a_generated_file_is_the_second_choice);
	tcase_add_test(tc, the_name_in_several_values);
	tcase_add_test(tc, a_name_is_not_parsed);
	tcase_add_test(tc, the_longest_name_a_thousand_times);
	tcase_add_test(tc, the_name_is_looked_up_only_if_used);
	tcase_add_test(tc, a_name_in_an_option_is_refused);
	tcase_add_test(tc, missing_domain);
	tcase_add_test(tc, the_named_file_precedes_the_default);
	tcase_add_test(tc, lines);
	tcase_add_test(tc, the_largest_number_of_lines);
	tcase_add_test(tc, a_nul_byte_is_refused);
	tcase_add_test(tc, no_file);
	return tc;
}

static TCase *
grammar_case(void)
{
	TCase *tc = test_case("grammar");

	tcase_add_loop_test(tc, a_rule_of_the_grammar, 0, (int)COUNT(grammar));
	tcase_add_loop_test(tc, not_in_the_grammar, 0, (int)COUNT(wrong));
	tcase_add_test(tc, every_short_value);
	tcase_add_test(tc, a_name_has_no_syntax);
	tcase_add_test(tc, a_file_with_quotes_in_its_name);
	return tc;
}

static TCase *
options_case(void)
{
	TCase *tc = test_case("options");

	tcase_add_test(tc, defaults);
	tcase_add_test(tc, syncs);
	tcase_add_test(tc, settle);
	tcase_add_test(tc, sandboxes);
	tcase_add_test(tc, restarts);
	tcase_add_test(tc, restarts_and_user_from_a_file);
	tcase_add_loop_test(tc, code, 0, (int)COUNT(codes));
	tcase_add_test(tc, check_handover_is_for_the_command_line);
	tcase_add_test(tc, the_name_by_the_callers_function);
	tcase_add_test(tc, an_option_twice_is_refused);
	tcase_add_test(tc, quoted_options);
	tcase_add_test(tc, a_hostile_name_sets_no_option);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("config");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, names_case());
	suite_add_tcase(suite, files_case());
	suite_add_tcase(suite, grammar_case());
	suite_add_tcase(suite, options_case());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
