/* SPDX-License-Identifier: BSD-2-Clause */
#include "show.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "pflash/text.h"

bool
show_is_hidden(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0xad, 0xad },       /* soft hyphen */
		{ 0x61c, 0x61c },     /* Arabic letter mark */
		{ 0x180e, 0x180e },   /* vowel separator */
		{ 0x200b, 0x200f },   /* zero width, direction marks */
		{ 0x2028, 0x202e },   /* line ends, embeddings, overrides */
		{ 0x2060, 0x206f },   /* joiner, isolates */
		{ 0xfeff, 0xfeff },   /* byte order mark */
		{ 0xfff9, 0xfffb },   /* annotations */
		{ 0xe0000, 0xe0fff }, /* tags */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return text_is_control(code);
}

static size_t
show_bytes(FILE *to, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(to, "\\x%02x", (unsigned char)bytes[i]);
	return 4 * len;
}

static size_t
show(FILE *to, struct text text, bool spaces)
{
	size_t columns = 0, len;
	uint32_t code;

	for (size_t i = 0; i < text.len; i += len) {
		const char *p = text.bytes + i;

		len = text_decode(p, text.len - i, &code);
		if (len && !show_is_hidden(code) && (spaces || code != ' ')) {
			fwrite(p, 1, len, to);
			columns++;
			continue;
		}
		len = len ? len : 1;
		columns += show_bytes(to, p, len);
	}
	return columns;
}

static struct text
or_unknown(struct text text)
{
	return text.bytes ? text : (struct text){ "?", 1 };
}

size_t
show_text(FILE *to, struct text text)
{
	return show(to, or_unknown(text), true);
}

void
show_cell(FILE *to, struct text text, size_t width)
{
	for (size_t n = show(to, or_unknown(text), false); n < width; n++)
		fputc(' ', to);
}

void
show_label(FILE *to, struct text text)
{
	uint32_t code;
	size_t len;

	for (size_t i = 0; i < text.len; i += len) {
		const char *p = text.bytes + i;

		len = text_decode(p, text.len - i, &code);
		if (len == 0 || (show_is_hidden(code) && code != '\n')) {
			len = len ? len : 1;
			for (size_t k = 0; k < len; k++) {
				fputc('\\', to);
				(void)show_bytes(to, p + k, 1);
			}
		} else if (code == '\n') {
			fputs("\\n", to);
		} else {
			if (code == '"' || code == '\\')
				fputc('\\', to);
			fwrite(p, 1, len, to);
		}
	}
}

static void
show_escape(FILE *to, uint32_t code)
{
	if (code >= 0x10000) {
		fprintf(to, "\\u%04x", (unsigned int)(0xd7c0 + (code >> 10)));
		code = 0xdc00 + (code & 0x3ff);
	}
	fprintf(to, "\\u%04x", (unsigned int)code);
}

void
show_json(FILE *to, const char *json)
{
	size_t left = strlen(json), len;
	uint32_t code;

	for (; left; json += len, left -= len) {
		len = text_decode(json, left, &code);
		if (len == 1 && code != 0x7f) {
			fputc(*json, to);
			continue;
		}
		show_escape(to, len ? code : 0xfffd);
		len = len ? len : 1;
	}
}
