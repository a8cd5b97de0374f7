/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume.h"

#include <errno.h>
#include <string.h>

#include "guid.h"
#include "header.h"

#include "pflash/fv.h"
#include "pflash/le.h"

/*
 * A block map of 500 regions.  Without a limit a hostile image would keep the
 * search busy for a minute.
 */
#define HEADER_MOST 4096u

size_t
volume_length(const uint8_t *p, size_t left)
{
	uint64_t length = fv_length(p, left);
	uint16_t header;

	/* A VARS file ends with the volume of variables, which has no code. */
	if (length < FVH_MIN_LENGTH || length > left ||
	    !memcmp(p + FVH_FILE_SYSTEM_GUID, guid_nv_data, GUID_SIZE))
		return 0;
	header = get_le16(p + FVH_HEADER_LENGTH);
	if (header < FVH_MIN_LENGTH || header > length || header % 2 != 0 ||
	    header > HEADER_MOST || fv_header_sum(p, header) != 0)
		return 0;
	return (size_t)length;
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
		const uint8_t *p = image + size - left;

		if (fv_length(p, left) != left ||
		    volume_length(p, left) != left)
			continue;
		*off = size - left;
		return 0;
	}
	return error_set(
		err, ENOENT,
		"no firmware volume ends at offset %zu, the end of the image",
		size);
}
