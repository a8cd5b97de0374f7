/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "guid.h"
#include "header.h"

#include "pflash/fv.h"
#include "pflash/le.h"

/* Volumes are 8-byte aligned (PI specification vol. 3, section 3.2.1). */
#define FV_ALIGNMENT 8u

static bool
is_volume(const uint8_t *p, size_t left)
{
	uint16_t header;

	/* A VARS file ends with the volume of variables, which has no code. */
	if (!fv_has_signature(p) ||
	    !memcmp(p + FVH_FILE_SYSTEM_GUID, guid_nv_data, GUID_SIZE) ||
	    get_le64(p + FVH_FV_LENGTH) != left)
		return false;
	header = get_le16(p + FVH_HEADER_LENGTH);
	return header >= FVH_MIN_LENGTH && header <= left && header % 2 == 0 &&
	       fv_header_sum(p, header) == 0;
}

/*
 * The search begins at the end of the image: a volume that contains another
 * volume is longer, so it is not found first.
 */
int
fv_find_sec(const uint8_t *image, size_t size, size_t *off, struct error *err)
{
	size_t left;

	for (left = FVH_MIN_LENGTH; left <= size; left += FV_ALIGNMENT) {
		if (!is_volume(image + size - left, left))
			continue;
		*off = size - left;
		return 0;
	}
	return error_set(
		err, ENOENT,
		"no firmware volume ends at offset %zu, the end of the image",
		size);
}
