/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl create and accept. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "pflash/fv.h"
#include "pflashctl.h"

static int
formatted(const char *name, uint8_t **image, size_t *size)
{
	const struct fv_layout *layout = fv_layout_by_name(name);

	if (!layout)
		return ctl_fail(CTL_USAGE,
				"create: --layout: '%s' is not 2m or 4m", name);
	*size = layout->size;
	*image = malloc(*size);
	if (!*image)
		return ctl_fail(CTL_FAILED, "out of memory");
	fv_format(layout, *image);
	return CTL_OK;
}

/* Refuses a template that the firmware would not accept. */
static int
check_template(const char *path, const uint8_t *image, size_t size)
{
	struct fv_report report = { .count = 0 };
	struct error text;
	unsigned int i = 0;

	if (fv_check(image, size, &report))
		return CTL_OK;
	while (i < report.count && report.findings[i].severity != FV_ERROR)
		i++;
	fv_finding_text(&report.findings[i], &text);
	return ctl_fail(CTL_FILE, "%s: %s", path, text.text);
}

static int
create_file(const char *path, const uint8_t *image, size_t size,
	    struct error *err)
{
	const struct store_config config = {
		.path = path,
		.size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size,
	};

	return store_create(&config, image, err);
}

int
ctl_create(const struct ctl_options *options)
{
	uint8_t *image = NULL;
	size_t size = 0;
	struct error err;
	int code, ret;

	if (options->journal && !options->reset)
		return ctl_fail(CTL_USAGE, "create: --journal goes with "
					   "--reset only");
	if (!options->layout == !options->template)
		return ctl_fail(CTL_USAGE, "create: --layout or --template, "
					   "one of them");
	if (options->layout)
		code = formatted(options->layout, &image, &size);
	else
		code = ctl_load(options->template, &image, &size);
	if (code == CTL_OK && options->template)
		code = check_template(options->template, image, size);
	if (code == CTL_OK && options->reset) {
		code = ctl_replace(options, image, size);
	} else if (code == CTL_OK) {
		ret = create_file(options->files[0], image, size, &err);
		if (ret < 0)
			code = ctl_refused(ret, &err);
	}
	free(image);
	return code;
}

int
ctl_accept(const struct ctl_options *options)
{
	const struct store_config config = ctl_config(options);
	struct error err;
	bool changed;
	int ret = store_accept(&config, &changed, &err);

	if (ret < 0)
		return ctl_refused(ret, &err);
	puts(changed ? "accepted" :
		       "nothing to accept: the file matches its journal, or "
		       "has none");
	return CTL_OK;
}
