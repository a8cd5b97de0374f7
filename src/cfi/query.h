/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CFI query table (JESD68.01) that each part of the bank returns.  An index
 * is an address of the part; each entry is one byte.
 */
#ifndef PFLASH_CFI_QUERY_H
#define PFLASH_CFI_QUERY_H

#include <stdint.h>

#include "pflash/cfi.h"

/* cfi_init() has checked `config`. */
void query_build(uint8_t table[CFI_QUERY_SIZE],
		 const struct cfi_config *config);

#endif
