/* SPDX-License-Identifier: BSD-2-Clause */
/* The CFI query structure (JESD68.01) of one part. */
#ifndef PFLASH_CFI_QUERY_H
#define PFLASH_CFI_QUERY_H

#include <stdint.h>

#include "pflash/cfi.h"

void query_build(uint8_t table[CFI_QUERY_SIZE], const struct geometry *g);

#endif
