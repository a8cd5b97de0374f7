/* SPDX-License-Identifier: BSD-2-Clause */
#include "config_value.h"

#include <errno.h>
#include <string.h>

#define BLANKS " \t"
#define USE_QUOTES "if it belongs to the value, write the value in quotes"

bool
config_value_is_quoted(const char *text)
{
	return *text == '"' || *text == '\'';
}

static int
check_plain(const char *text, struct error *err)
{
	const char *hash = text;

	while ((hash = strchr(hash, '#')) != NULL) {
		if (hash == text || strchr(BLANKS, hash[-1]))
			return error_set(
				err, EINVAL,
				"a comment needs a line of its own; "
				"or, for a '#' behind a blank, " USE_QUOTES);
		hash++;
	}
	if (strpbrk(text, "\"'"))
		return error_set(err, EINVAL,
				 "a quote within a value: " USE_QUOTES);
	if (text[strlen(text) - 1] == '\\')
		return error_set(
			err, EINVAL,
			"a '\\' at the end of a line does not continue "
			"it: " USE_QUOTES);
	return 0;
}

/* Only blanks and a comment may follow the closing quote. */
static int
check_rest(const char *rest, struct error *err)
{
	size_t blanks = strspn(rest, BLANKS);

	if (!rest[blanks] || (blanks && rest[blanks] == '#'))
		return 0;
	return error_set(
		err, EINVAL,
		"'%s' behind the closing quote: only a blank and a "
		"comment may follow; in \"...\" write \\\" for a quote",
		rest + blanks);
}

/* Only double quotes have escapes: \" and \\. */
static int
unquote(char *text, struct error *err)
{
	const char quote = *text;
	const char *from = text + 1;
	char *to = text;

	while (*from && *from != quote) {
		if (quote == '"' && *from == '\\') {
			from++;
			if (*from != '"' && *from != '\\')
				return error_set(err, EINVAL,
						 "in \"...\" a '\\' must be "
						 "followed by '\"' or '\\': "
						 "write '\\\\', or use '...'");
		}
		*to++ = *from++;
	}
	if (!*from)
		return error_set(err, EINVAL, "the closing %c is missing",
				 quote);
	if (check_rest(from + 1, err) < 0)
		return -EINVAL;
	*to = '\0';
	return 0;
}

int
config_value(char *text, struct error *err)
{
	int ret = 0;

	if (*text)
		ret = config_value_is_quoted(text) ? unquote(text, err) :
						     check_plain(text, err);
	if (ret == 0 && !*text)
		ret = error_set(err, EINVAL,
				"the value is empty: write one, or remove the "
				"line");
	return ret;
}
