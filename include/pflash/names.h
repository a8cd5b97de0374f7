/* SPDX-License-Identifier: BSD-2-Clause */
/* The words for settings of the flash, on command lines and in reports. */
#ifndef PFLASH_NAMES_H
#define PFLASH_NAMES_H

#include "pflash/parse.h"

extern const struct parse_choice names_mode[];        /* enum window_mode */
extern const struct parse_choice names_sync[];        /* enum store_sync */
extern const struct parse_choice names_personality[]; /* enum cfi_personality */
extern const struct parse_choice names_lanes[]; /* bytes of the bus, chips */

#endif
