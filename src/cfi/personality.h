/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The differences between the personalities, private to src/cfi.  The source of
 * each one is in docs/personalities.md.
 */
#ifndef PFLASH_CFI_PERSONALITY_H
#define PFLASH_CFI_PERSONALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/cfi.h"

struct personality {
	uint8_t cleared;     /* status bits that CLEAR STATUS clears */
	bool clear_to_array; /* CLEAR STATUS also returns to array view */
	bool overwrites;     /* programming can set bits, not only clear them */
	bool power_on_locked;  /* all blocks are locked at power-on */
	bool keeps_locks;      /* lock commands have an effect */
	bool refuses_buffer;   /* E8 fails while SR.4 or SR.5 is set */
	bool view_by_block;    /* by default a partition is an erase block */
	bool array_ends_views; /* READ ARRAY ends the views of all partitions */
};

/* Indexed by enum cfi_personality. */
extern const struct personality personalities[];

static inline const struct personality *
personality_of(const struct cfi *chip)
{
	return &personalities[chip->config.personality];
}

#endif
