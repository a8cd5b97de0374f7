/* SPDX-License-Identifier: BSD-2-Clause */
/* The tag of the saved state (docs/format.md, "The state file"). */
#ifndef PFLASH_STATETAG_H
#define PFLASH_STATETAG_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/store.h"

/* A tag of a guest that was saved begins with it. */
#define STATE_TAG_SAVED "saved "

/*
 * True if a guest may need the saved state with exactly this image, which has
 * the CRC32C `checksum`: a guest that is suspended or was saved, or one that
 * lives on without its pflashd.  Such a guest may also have come back since, or
 * have gone: the tag cannot tell.
 */
bool state_tag_needs_image(const struct store_state *state, uint32_t checksum);

#endif
