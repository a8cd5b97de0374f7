/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offsets in VARIABLE_HEADER and AUTHENTICATED_VARIABLE_HEADER
 * (VariableFormat.h:123-192), whose last field is the vendor's GUID.
 */
#ifndef FV_VARIABLE_H
#define FV_VARIABLE_H

#include "pflash/varstore.h"

#define VARIABLE_START 0x55aau

enum {
	VARIABLE_STATE = 2, /* of both */
	VARIABLE_RESERVED = 3,
	VARIABLE_ATTRIBUTES = 4,
	PLAIN_NAME_SIZE = 8, /* and the data's behind it */
	PLAIN_SIZE = 32,
	AUTH_COUNT = 8,
	AUTH_TIME = 16,
	AUTH_KEY_INDEX = 32,
	AUTH_NAME_SIZE = 36, /* and the data's behind it */
	AUTH_SIZE = 60,
};

size_t variable_header_size(const struct varstore *store);

/* varstore_next() without looking whether it is live. */
int variable_step(const struct varstore *store, struct variable *v);

#endif
