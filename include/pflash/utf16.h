/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Characters in units of UTF-16LE (RFC 2781).  A guest chooses the units, so a
 * surrogate may be unpaired.
 */
#ifndef PFLASH_UTF16_H
#define PFLASH_UTF16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/le.h"

static inline bool
utf16_is_surrogate(uint32_t c)
{
	return c >= 0xd800 && c <= 0xdfff;
}

/*
 * The character at `units`, of which `size` bytes can be read, at least 2.
 * *used is 2, or 4 for a pair of surrogates.  An unpaired surrogate is its own
 * character.
 */
static inline uint32_t
utf16_get(const uint8_t *units, size_t size, uint32_t *used)
{
	uint32_t high = get_le16(units), low;

	*used = 2;
	if (high < 0xd800 || high > 0xdbff || size < 4)
		return high;
	low = get_le16(units + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return high;
	*used = 4;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* Writes a character, at most 0x10ffff; returns the bytes written, 2 or 4. */
static inline uint32_t
utf16_put(uint8_t *units, uint32_t c)
{
	if (c < 0x10000) {
		put_le16(units, (uint16_t)c);
		return 2;
	}
	put_le16(units, (uint16_t)(0xd7c0 + (c >> 10)));
	put_le16(units + 2, (uint16_t)(0xdc00 + (c & 0x3ff)));
	return 4;
}

#endif
