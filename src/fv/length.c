/* SPDX-License-Identifier: BSD-2-Clause */
#include "header.h"

#include "pflash/fv.h"
#include "pflash/le.h"

uint64_t
fv_length(const uint8_t *start, size_t size)
{
	if (size < FVH_MIN_LENGTH || !fv_has_signature(start))
		return 0;
	return get_le64(start + FVH_FV_LENGTH);
}
