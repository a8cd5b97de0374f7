/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The handover record of pflashd 0.1, DOMID.live: a structure without sections
 * (docs/format.md, "The record of version 0.1").
 */
#ifndef IOREQ_HANDOVER_V01_H
#define IOREQ_HANDOVER_V01_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/handover.h"

/* Do the bytes begin with the magic number "PFLASHL1"? */
bool handover_v01_is(const uint8_t *bytes, size_t size);

/*
 * Copies all fields into `to`, without checking their values.  0, or -EINVAL
 * and sets *err: the record is truncated.
 */
int handover_v01_copy(struct handover *to, const uint8_t *bytes, size_t size,
		      struct error *err);

#endif
