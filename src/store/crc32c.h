/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CRC32C: the Castagnoli polynomial 0x1edc6f41, reflected, initial value and
 * final inversion of all ones (RFC 3720, section 12.1).
 */
#ifndef STORE_CRC32C_H
#define STORE_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The checksum of `data` appended to what already has the checksum `crc`;
 * begin with 0.  The checksum of "123456789" is 0xe3069283.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/* The same without the processor's help, for a processor that has none. */
uint32_t crc32c_table(uint32_t crc, const void *data, size_t len);

/* Does crc32c() use the processor's CRC32 instruction (SSE4.2)? */
bool crc32c_accelerated(void);

#endif
