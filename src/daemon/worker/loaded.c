/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/loaded.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pflash/firmware.h"

static int
copy_frames(struct transport *t, uint8_t *to, size_t size, struct error *err)
{
	unsigned int count = (unsigned int)(size / FRAME_SIZE);
	void *frames = t->ops->map(t, LOADED_ADDRESS >> FRAME_SHIFT, count,
				   PROT_READ);

	if (!frames)
		return error_errno(err, errno,
				   "%u frames of the guest's memory at %#x "
				   "cannot be mapped",
				   count, LOADED_ADDRESS);
	memcpy(to, frames, size);
	t->ops->unmap(t, frames, count);
	return 0;
}

/* Sets *size by the image's header, a multiple of FRAME_SIZE. */
static int
find_size(struct transport *t, size_t *size, struct error *err)
{
	uint8_t header[FRAME_SIZE];
	int ret = copy_frames(t, header, sizeof(header), err);

	return ret < 0 ? ret :
			 firmware_loaded(header, sizeof(header), LOADED_ADDRESS,
					 size, err);
}

int
loaded_read(struct transport *t, uint8_t **image, size_t *size,
	    struct error *err)
{
	int ret = find_size(t, size, err);

	*image = ret == 0 ? malloc(*size) : NULL;
	if (ret == 0 && !*image)
		ret = error_set(err, ENOMEM, "out of memory");
	if (ret == 0)
		ret = copy_frames(t, *image, *size, err);
	if (ret < 0) {
		free(*image);
		*image = NULL;
	}
	return ret;
}
