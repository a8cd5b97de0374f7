/* SPDX-License-Identifier: BSD-2-Clause */
/* What cfi.c and state.c know of each other. */
#ifndef PFLASH_CFI_STATE_H
#define PFLASH_CFI_STATE_H

#include "pflash/cfi.h"

/* struct cfi, `parts_at` */
uint32_t state_parts_at(const struct cfi *chip);

/* struct cfi, `plain`: after a change of the locks */
void cfi_settle(struct cfi *chip);

#endif
