/* SPDX-License-Identifier: BSD-2-Clause */
#include "varname.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

#include "pflash/le.h"
#include "pflash/text.h"

/* --- units to text -------------------------------------------------------- */

static bool
is_high(uint32_t unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static bool
is_low(uint32_t unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

/* The number of bytes of the name's units, without a NUL at the end. */
static uint32_t
units_size(const struct variable *variable)
{
	uint32_t size = variable->name_size & ~1u;

	if (size && get_le16(variable->name + size - 2) == 0)
		size -= 2;
	return size;
}

/*
 * The character at `off`, of one unit or, with *pair, of two.  A surrogate is
 * unpaired.
 */
static uint32_t
character(const uint8_t *units, uint32_t size, uint32_t off, bool *pair)
{
	uint32_t high = get_le16(units + off), low;

	*pair = false;
	if (!is_high(high) || size - off < 4)
		return high;
	low = get_le16(units + off + 2);
	if (!is_low(low))
		return high;
	*pair = true;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static char *
put_utf8(char *to, uint32_t c)
{
	static const uint8_t leads[] = { 0, 0xc0, 0xe0, 0xf0 };
	unsigned int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	*to++ = (char)(leads[more] | c >> 6 * more);
	while (more--)
		*to++ = (char)(0x80 | (c >> 6 * more & 0x3f));
	return to;
}

static char *
put_escape(char *to, const uint8_t *unit)
{
	return to + sprintf(to, "\\u%04x", get_le16(unit));
}

char *
name_text(const struct variable *variable, bool word)
{
	const uint8_t *units = variable->name;
	uint32_t size = units_size(variable), c;
	/* A unit is an escape of 6 bytes at most. */
	char *text = malloc(3 * (size_t)size + 1), *to = text;
	bool pair;

	for (uint32_t off = 0; text && off < size; off += pair ? 4 : 2) {
		c = character(units, size, off, &pair);
		if (c == '\\') {
			*to++ = '\\';
			*to++ = '\\';
		} else if (show_is_hidden(c) || is_high(c) || is_low(c) ||
			   (word && (c == ' ' || c == ':'))) {
			to = put_escape(to, units + off);
			if (pair)
				to = put_escape(to, units + off + 2);
		} else {
			to = put_utf8(to, c);
		}
	}
	if (text)
		*to = '\0';
	return text;
}

bool
name_is_unpaired(const struct variable *variable)
{
	uint32_t size = units_size(variable), c;
	bool pair;

	for (uint32_t off = 0; off < size; off += pair ? 4 : 2) {
		c = character(variable->name, size, off, &pair);
		if (is_high(c) || is_low(c))
			return true;
	}
	return false;
}

const char *
name_vendor(const struct variable *variable, char guid[GUID_TEXT_SIZE])
{
	const char *known = guid_name(variable->guid);

	if (known)
		return known;
	guid_format(variable->guid, guid);
	return guid;
}

/* --- text to units -------------------------------------------------------- */

static void
put_unit(struct name *name, uint32_t unit)
{
	put_le16(name->units + name->size, (uint16_t)unit);
	name->size += 2;
}

static void
put_character(struct name *name, uint32_t c)
{
	if (c < 0x10000) {
		put_unit(name, c);
		return;
	}
	put_unit(name, 0xd7c0 + (c >> 10));
	put_unit(name, 0xdc00 + (c & 0x3ff));
}

/* Returns the length of the escape, or 0 if it is none. */
static size_t
read_escape(const char *text, size_t len, uint32_t *unit)
{
	char digits[5] = "";

	if (len >= 2 && text[1] == '\\') {
		*unit = '\\';
		return 2;
	}
	if (len < 6 || text[1] != 'u')
		return 0;
	memcpy(digits, text + 2, 4);
	if (strspn(digits, "0123456789abcdefABCDEF") != 4)
		return 0;
	*unit = (uint32_t)strtoul(digits, NULL, 16);
	return 6;
}

static int
read_text(struct name *name, const char *text, size_t len, bool escapes,
	  struct error *err)
{
	uint32_t c;
	size_t used;

	for (; len; text += used, len -= used) {
		if (escapes && *text == '\\') {
			used = read_escape(text, len, &c);
			if (!used)
				return error_set(
					err, EINVAL,
					"the name has a '\\' that does "
					"not begin \\\\ or \\uXXXX");
			put_unit(name, c);
			continue;
		}
		used = text_decode(text, len, &c);
		if (!used)
			return error_set(err, EINVAL, "the name is not UTF-8");
		put_character(name, c);
	}
	if (!name->size)
		return error_set(err, EINVAL, "the name is empty");
	put_unit(name, 0);
	return 0;
}

static int
read_name(struct name *name, const char *text, size_t len, bool escapes,
	  struct error *err)
{
	int ret;

	/* A byte of UTF-8 becomes one unit at most. */
	*name = (struct name){ .units = malloc(2 * len + 2) };
	if (!name->units)
		return error_set(err, ENOMEM, "out of memory");
	ret = read_text(name, text, len, escapes, err);
	if (ret < 0)
		name_free(name);
	return ret;
}

int
name_read(struct name *name, const char *text, struct error *err)
{
	return read_name(name, text, strlen(text), true, err);
}

int
name_read_plain(struct name *name, const char *text, size_t len,
		struct error *err)
{
	return read_name(name, text, len, false, err);
}

void
name_free(struct name *name)
{
	free(name->units);
	*name = (struct name){ .units = NULL };
}
