/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between the personalities; docs/personalities.md says why. */
#ifndef PFLASH_CFI_PERSONALITY_H
#define PFLASH_CFI_PERSONALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/cfi.h"

struct personality {
	uint8_t cleared;     /* SR bits that CLEAR STATUS clears */
	bool clear_to_array; /* CLEAR STATUS also shows the array */
	bool overwrites;     /* programming stores, and does not only clear */
	bool power_on_locked;
	bool keeps_locks;
	bool refuses_buffer; /* E8 is refused while SR.4 or SR.5 is set */
};

/* By enum cfi_personality. */
extern const struct personality personalities[];

static inline const struct personality *
personality_of(const struct cfi *chip)
{
	return &personalities[chip->config.personality];
}

#endif
