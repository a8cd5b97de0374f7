/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl create and accept. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pflash/fv.h"
#include "pflash/identify.h"
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
create_file(const struct ctl_options *options, const uint8_t *image,
	    size_t size)
{
	const struct store_config config = {
		.path = options->files[0],
		.journal = options->journal,
		.size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size,
	};
	struct error err;
	int ret = store_create(&config, image, &err);

	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

static bool
is_blank(const uint8_t *bytes, size_t size)
{
	struct identity identity;

	identify_image(bytes, size, &identity);
	return identity_is_blank(&identity);
}

/* Writes the image to the start of a device, and its journal elsewhere. */
static int
create_device(const struct ctl_options *options, const uint8_t *image,
	      size_t size)
{
	struct store_config config = ctl_config(options);
	struct reader *reader;
	struct error err;
	int code, ret;

	if (options->journal && access(options->journal, F_OK) == 0)
		return ctl_fail(CTL_FILE,
				"%s: exists: a new flash needs a new journal",
				options->journal);
	config.size = (uint32_t)size;
	ret = reader_open_files(&reader, &config, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	code = ctl_check_kind(options, reader_image(reader), size, false);
	if (code == CTL_OK && !is_blank(reader_image(reader), size))
		code = ctl_fail(CTL_FILE,
				"%s: is not blank: `create --reset` replaces "
				"what is there",
				options->files[0]);
	reader_close(reader);
	return code == CTL_OK ? ctl_replace(options, image, size) : code;
}

/* Prepares a device that has all files of the flash. */
static int
create_complete(const struct ctl_options *options, const uint8_t *image,
		size_t size)
{
	const struct store_config config = {
		.path = options->files[0],
		.size = (uint32_t)size,
	};
	struct error err;
	int ret;

	if (options->journal)
		return ctl_fail(CTL_USAGE, "create: --device puts the journal "
					   "on the device: leave out "
					   "--journal");
	ret = store_create_device(&config, image, options->reset, &err);
	if (ret == -ENOSPC)
		return ctl_fail(CTL_FILE, "%s", err.text);
	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

static int
create(const struct ctl_options *options, const uint8_t *image, size_t size)
{
	if (options->device)
		return create_complete(options, image, size);
	if (options->reset)
		return ctl_replace(options, image, size);
	if (ctl_is_device(options->files[0]))
		return create_device(options, image, size);
	return create_file(options, image, size);
}

int
ctl_create(const struct ctl_options *options)
{
	uint8_t *image = NULL;
	size_t size = 0;
	int code;

	if (!options->layout == !options->template)
		return ctl_fail(CTL_USAGE, "create: --layout or --template, "
					   "one of them");
	if (options->layout)
		code = formatted(options->layout, &image, &size);
	else
		code = ctl_load(options->template, &image, &size);
	if (code == CTL_OK && options->template)
		code = check_template(options->template, image, size);
	if (code == CTL_OK)
		code = create(options, image, size);
	free(image);
	return code;
}

/*
 * True if a part of the journal would be lost: it is damaged, has a torn end,
 * or is of a flash of another size.
 */
static bool
loses_history(const struct reader *reader)
{
	uint32_t size;

	return !reader_journal_is_whole(reader) || reader_torn_bytes(reader) ||
	       !reader_vars(reader, &size) || size != reader_size(reader);
}

/*
 * Accepts VARS, keeps the journal under another name, and makes a new one with
 * the history that can be read.
 */
static int
accept_rescue(const struct ctl_options *options, const struct reader *reader,
	      const struct error *err)
{
	uint32_t size;
	const uint8_t *image = reader_vars(reader, &size);

	if (reader_source(reader) == READER_VARS_FITS) {
		image = reader_image(reader);
		size = reader_size(reader);
	}
	return image ? ctl_rescue(options, image, size) :
		       ctl_refused(-EUCLEAN, err);
}

static int
accept_vars(const struct ctl_options *options)
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

/* The contents of VARS alone; NULL: it cannot be a flash. */
static const uint8_t *
contents(const struct reader *reader, bool agree, uint32_t *size)
{
	if (!agree)
		return reader_vars(reader, size);
	*size = reader_size(reader);
	return reader_image(reader);
}

/*
 * Another kind of file, or a flash that has lost all contents, was not modified
 * on purpose.  What is wrong with other contents is printed when they have been
 * accepted: a driver other than OVMF may have written them.
 */
static int
accept_contents(const struct ctl_options *options, const struct reader *reader,
		bool agree, const struct error *err)
{
	struct fv_report report = { .count = 0 };
	uint32_t size;
	const uint8_t *vars = contents(reader, agree, &size);
	int code = vars ? ctl_check_kind(options, vars, size, true) : CTL_OK;

	if (code != CTL_OK)
		return code;
	if (vars)
		(void)fv_check(vars, size, &report);
	if (!agree && loses_history(reader))
		code = accept_rescue(options, reader, err);
	else
		code = accept_vars(options);
	if (code == CTL_OK)
		ctl_print_findings(&report);
	return code;
}

int
ctl_accept(const struct ctl_options *options)
{
	const struct store_config config = ctl_config(options);
	int code = ctl_check_unused(options), ret;
	struct reader *reader;
	struct error err;

	if (code != CTL_OK)
		return code;
	ret = reader_open_rescue(&reader, &config, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	code = accept_contents(options, reader, ret == 0, &err);
	reader_close(reader);
	return code;
}
