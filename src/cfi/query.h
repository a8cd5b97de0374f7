/* SPDX-License-Identifier: BSD-2-Clause */
/* The CFI query structure (JESD68.01) of the chip. */
#ifndef PFLASH_CFI_QUERY_H
#define PFLASH_CFI_QUERY_H

#include <stdint.h>

#include "pflash/cfi.h"

/* Fills the table for a chip of `size` bytes in blocks of `block_size`. */
void query_build(uint8_t table[CFI_QUERY_SIZE], uint32_t size,
		 uint32_t block_size);

#endif
