/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offsets in VARIABLE_HEADER (PLAIN) and AUTHENTICATED_VARIABLE_HEADER (AUTH)
 * (VariableFormat.h:123-192).  The last field of both is the vendor GUID.
 */
#ifndef FV_VARIABLE_H
#define FV_VARIABLE_H

#include "pflash/varstore.h"

#define VARIABLE_START 0x55aau

enum {
	VARIABLE_STATE = 2, /* the first three are common to both */
	VARIABLE_RESERVED = 3,
	VARIABLE_ATTRIBUTES = 4,
	PLAIN_NAME_SIZE = 8, /* DataSize follows */
	PLAIN_SIZE = 32,
	AUTH_COUNT = 8,
	AUTH_TIME = 16,
	AUTH_KEY_INDEX = 32,
	AUTH_NAME_SIZE = 36, /* DataSize follows */
	AUTH_SIZE = 60,
};

/* GetVariable() finds variables in these two states only. */
static inline bool
variable_can_be_live(uint8_t state)
{
	return state == VARIABLE_ADDED || state == VARIABLE_IN_TRANSITION;
}

size_t variable_header_size(const struct varstore *store);

/* Like varstore_next(), but does not set variable->live. */
int variable_step(const struct varstore *store, struct variable *v);

/* True if the two have the same vendor GUID and name. */
bool variable_same_name(const struct variable *a, const struct variable *b);

#endif
