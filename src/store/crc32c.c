/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two implementations: the SSE4.2 instruction, and "slicing by 8" with eight
 * tables of 256 entries.  Both process eight bytes in a step.  tables[k][b] is
 * the checksum state after the byte b and k zero bytes.
 */
#include "crc32c.h"

#include "pflash/le.h"

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

#define POLYNOMIAL 0x82f63b78u /* 0x1edc6f41 reflected */

static uint32_t tables[8][256];

static uint32_t
shift_byte(uint32_t crc)
{
	for (int bit = 0; bit < 8; bit++)
		crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
	return crc;
}

__attribute__((constructor)) static void
fill_tables(void)
{
	for (uint32_t i = 0; i < 256; i++)
		tables[0][i] = shift_byte(i);
	for (int k = 1; k < 8; k++)
		for (int i = 0; i < 256; i++)
			tables[k][i] = (tables[k - 1][i] >> 8) ^
				       tables[0][tables[k - 1][i] & 0xff];
}

static uint32_t
slice(uint64_t word)
{
	uint32_t crc = 0;

	for (int k = 0; k < 8; k++)
		crc ^= tables[7 - k][(word >> (8 * k)) & 0xff];
	return crc;
}

uint32_t
crc32c_table(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; len >= 8; p += 8, len -= 8)
		crc = slice(get_le64(p) ^ crc);
	for (; len; p++, len--)
		crc = (crc >> 8) ^ tables[0][(crc ^ *p) & 0xff];
	return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t state = ~crc;

	for (; len >= 8; p += 8, len -= 8)
		state = _mm_crc32_u64(state, get_le64(p));
	for (; len; p++, len--)
		state = _mm_crc32_u8((uint32_t)state, *p);
	return ~(uint32_t)state;
}

bool
crc32c_accelerated(void)
{
	return __builtin_cpu_supports("sse4.2");
}

uint32_t
crc32c(uint32_t crc, const void *data, size_t len)
{
	if (crc32c_accelerated())
		return crc32c_sse42(crc, data, len);
	return crc32c_table(crc, data, len);
}
#else
bool
crc32c_accelerated(void)
{
	return false;
}

uint32_t
crc32c(uint32_t crc, const void *data, size_t len)
{
	return crc32c_table(crc, data, len);
}
#endif
