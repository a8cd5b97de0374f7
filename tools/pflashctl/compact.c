/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl compact: makes room in the variable store by one burst. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pflash/fv.h"
#include "pflashctl.h"

static int
compact(const struct ctl_options *options, const struct reader *reader)
{
	uint32_t size = reader_size(reader);
	uint8_t *image = malloc(size);
	struct error err;
	int code = CTL_OK, gained;

	if (!image)
		return ctl_fail(CTL_FAILED, "out of memory");
	gained = fv_compact(reader_image(reader), size, image, &err);
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
	struct reader *reader;
	struct error err;
	int code, ret = store_check_free(&config, &err);

	if (ret == 0)
		ret = reader_open_files(&reader, &config, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	code = ctl_check_kind(options, reader_image(reader),
			      reader_size(reader), false);
	if (code == CTL_OK)
		code = compact(options, reader);
	reader_close(reader);
	return code;
}
