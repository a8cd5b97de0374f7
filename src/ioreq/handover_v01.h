/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The record of version 0.1, "PFLASHL1", DOMID.live: a structure of that
 * program's, without sections.
 */
#ifndef IOREQ_HANDOVER_V01_H
#define IOREQ_HANDOVER_V01_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/handover.h"

bool handover_v01_is(const uint8_t *bytes, size_t size);

/* Copies all of it; what it says is not checked.  -EINVAL: it is cut off. */
int handover_v01_copy(struct handover *to, const uint8_t *bytes, size_t size,
		      struct error *err);

#endif
