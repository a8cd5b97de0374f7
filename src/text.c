/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first byte of a sequence of 1 to 4 bytes. */
static const struct lead {
	uint8_t mask, bits;
	uint32_t least; /* smaller code points have a shorter sequence */
} leads[] = {
	{ 0x80, 0x00, 0 },
	{ 0xe0, 0xc0, 0x80 },
	{ 0xf0, 0xe0, 0x800 },
	{ 0xf8, 0xf0, 0x10000 },
};

#define LEADS (sizeof(leads) / sizeof(leads[0]))

size_t
text_decode(const char *text, size_t len, uint32_t *point)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t lead = 0;

	if (len == 0)
		return 0;
	while (lead < LEADS && (*bytes & leads[lead].mask) != leads[lead].bits)
		lead++;
	if (lead == LEADS || lead >= len)
		return 0;
	*point = *bytes & (uint8_t)~leads[lead].mask;
	for (size_t i = 1; i <= lead; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (bytes[i] & 0x3f);
	}
	if (*point < leads[lead].least || *point > 0x10ffff ||
	    (*point >= 0xd800 && *point <= 0xdfff))
		return 0;
	return lead + 1;
}

bool
text_is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

static bool
needs_escape(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '`')
			return true;
	return false;
}

/* The text within quotes; a quote is put outside of them. */
static void
quote(char *to, const char *text)
{
	*to++ = '\'';
	for (; *text; text++)
		if (*text == '\'')
			to = stpcpy(to, "'\\''");
		else
			*to++ = *text;
	(void)stpcpy(to, "'");
}

/* The text as the output of printf(1). */
static void
escape(char *to, const char *text)
{
	to = stpcpy(to, "\"$(printf '");
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || strchr("`'\\%", *text))
			to += sprintf(to, "\\%03o", (unsigned char)*text);
		else
			*to++ = *text;
	(void)stpcpy(to, "')\"");
}

char *
text_word(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._-+:,@%=";
	const char *here = *text == '-' ? "./" : ""; /* it is no option */
	char *path, *word = NULL;

	if (asprintf(&path, "%s%s", here, text) < 0)
		return NULL;
	word = malloc(4 * strlen(path) + sizeof("\"$(printf '')\""));
	if (word && needs_escape(path))
		escape(word, path);
	else if (word && (!*path || path[strspn(path, plain)]))
		quote(word, path);
	else if (word)
		strcpy(word, path);
	free(path);
	return word;
}

void
text_copy_printable(char *to, size_t room, const char *from, size_t len)
{
	const volatile char *bytes = from;
	size_t count = 0;
	char c;

	while (count < len && count < room - 1 && (c = bytes[count]) != '\0')
		to[count++] = c < ' ' || c > '~' ? '?' : c;
	to[count] = '\0';
}
