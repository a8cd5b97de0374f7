/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Converts a variable's name to UTF-8.  The guest chooses the name, and the
 * result goes to terminals and files, so it is always well-formed (RFC 3629)
 * and has no control characters.
 */
#include <string.h>

#include "pflash/le.h"
#include "pflash/utf16.h"
#include "pflash/varstore.h"

#define REPLACEMENT 0xfffdu

/* Returns the character at *off and moves *off behind it. */
static uint32_t
next_character(const uint8_t *name, uint32_t size, uint32_t *off)
{
	uint32_t used, c = utf16_get(name + *off, size - *off, &used);

	*off += used;
	/* C0, DEL and C1 controls; unpaired surrogates. */
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || utf16_is_surrogate(c))
		return REPLACEMENT;
	return c;
}

static size_t
encode(uint32_t c, char *bytes)
{
	if (c < 0x80) {
		bytes[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		bytes[0] = (char)(0xc0 | c >> 6);
		bytes[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		bytes[0] = (char)(0xe0 | c >> 12);
		bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	bytes[0] = (char)(0xf0 | c >> 18);
	bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
	bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
	bytes[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

size_t
variable_name(const struct variable *variable, char *text, size_t size)
{
	uint32_t end = variable->name_size & ~1u, off = 0;
	size_t total = 0, written = 0;
	char bytes[4];

	while (off < end && get_le16(variable->name + off) != 0) {
		size_t len = encode(next_character(variable->name, end, &off),
				    bytes);

		/* Append whole characters, and none after the cut. */
		if (written == total && len < size - written) {
			memcpy(text + written, bytes, len);
			written += len;
		}
		total += len;
	}
	text[written] = '\0';
	return total;
}
