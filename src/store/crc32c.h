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
 * Extends the checksum `crc` of some bytes by the `len` bytes of `data`; begin
 * with 0.  The checksum of "123456789" is 0xe3069283.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/* The same result without the SSE4.2 instruction. */
uint32_t crc32c_table(uint32_t crc, const void *data, size_t len);

/* True if crc32c() uses the processor's CRC32 instruction (SSE4.2). */
bool crc32c_accelerated(void);

#endif
