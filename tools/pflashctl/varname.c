/* SPDX-License-Identifier: BSD-2-Clause */
#include "varname.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

#include "pflash/le.h"
#include "pflash/text.h"
#include "pflash/utf16.h"

/* --- units to text -------------------------------------------------------- */

/* The number of bytes of the name's units, without a NUL at the end. */
static uint32_t
units_size(const struct variable *variable)
{
	uint32_t size = variable->name_size & ~1u;

	if (size && get_le16(variable->name + size - 2) == 0)
		size -= 2;
	return size;
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
	uint32_t used;

	for (uint32_t off = 0; text && off < size; off += used) {
		c = utf16_get(units + off, size - off, &used);
		if (c == '\\') {
			*to++ = '\\';
			*to++ = '\\';
		} else if (show_is_hidden(c) || utf16_is_surrogate(c) ||
			   (word && (c == ' ' || c == ':'))) {
			to = put_escape(to, units + off);
			if (used == 4)
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
	uint32_t size = units_size(variable), used;

	for (uint32_t off = 0; off < size; off += used)
		if (utf16_is_surrogate(utf16_get(variable->name + off,
						 size - off, &used)))
			return true;
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
		name->size += utf16_put(name->units + name->size, c);
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
