/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/statetag.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool
state_tag_needs_image(const struct store_state *state, uint32_t checksum)
{
	size_t prefix = strlen(STATE_TAG_SAVED);
	char saved[32];

	if (state->len == 0 || state->tag[0] == '\0')
		return false;
	if (strncmp(state->tag, STATE_TAG_SAVED, prefix) != 0)
		return true;
	(void)snprintf(saved, sizeof(saved), STATE_TAG_SAVED "%08" PRIx32 " ",
		       checksum);
	return strncmp(state->tag, saved, strlen(saved)) == 0;
}
