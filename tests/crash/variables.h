/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CRASH_VARIABLES_H
#define CRASH_VARIABLES_H

#include "script.h"

/*
 * Adds the bursts of so many changes of variables; one of them, in the middle,
 * is a reclaim. The image is an empty variable store of `size` bytes.
 */
void variables_add(struct script *script, uint32_t size, uint64_t *random,
		   unsigned int changes);

#endif
