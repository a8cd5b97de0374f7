/* SPDX-License-Identifier: BSD-2-Clause */
/* Room in the variable store, without the firmware's many writes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pflash/fv.h"
#include "pflashctl.h"

static int
compact(const struct ctl_options *options, const struct view *view)
{
	uint32_t size = view_size(view);
	uint8_t *image = malloc(size);
	struct error err;
	int code = CTL_OK, gained;

	if (!image)
		return ctl_fail(CTL_FAILED, "out of memory");
	gained = fv_compact(view_image(view), size, image, &err);
	if (gained < 0)
		code = ctl_fail(CTL_FILE, "%s: not compacted: %s",
				options->files[0], err.text);
	if (gained > 0)
		code = ctl_replace(options, image, size);
	if (code == CTL_OK)
		printf("%d bytes gained\n", gained);
	free(image);
	return code;
}

int
ctl_compact(const struct ctl_options *options)
{
	const struct store_config config = ctl_config(options);
	struct view *view;
	struct error err;
	int code, ret = store_check_free(&config, &err);

	if (ret == 0)
		ret = view_open_files(&view, &config, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	code = compact(options, view);
	view_close(view);
	return code;
}
