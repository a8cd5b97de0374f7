/* SPDX-License-Identifier: BSD-2-Clause */
/* Replaces the image of a VARS file, in whatever state its files are. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "enqueue.h"
#include "pflash/fv.h"
#include "pflashctl.h"

struct replacing {
	const uint8_t *image;
	size_t size;
};

static int
replace(void *opaque, const struct store *store, uint8_t *image,
	struct error *err)
{
	const struct replacing *new = opaque;

	if (new->size != store_size(store))
		return error_set(err, EINVAL, "%s: has %u bytes, not %zu",
				 store_path(store), store_size(store),
				 new->size);
	memcpy(image, new->image, new->size);
	return 1;
}

static void
say_kept(const char *what, const char *name)
{
	if (name)
		printf("%s is kept: %s\n", what, name);
}

int
ctl_rescue(const struct ctl_options *options, const uint8_t *image, size_t size)
{
	struct store_config config = ctl_config(options);
	struct store_kept kept;
	struct error err;
	int ret;

	config.size = (uint32_t)size;
	ret = store_rescue(&config, image, (uint32_t)size, &kept, &err);
	say_kept("the VARS file that was there", kept.vars);
	say_kept("the journal that was there", kept.journal);
	store_kept_free(&kept);
	if (ret < 0)
		return ctl_refused(ret, &err);
	printf("%s: restored\n", options->files[0]);
	return CTL_OK;
}

static int
rewrite(const struct ctl_options *options, const uint8_t *image, size_t size)
{
	struct store_config config = ctl_config(options);
	struct replacing new = { image, size };
	struct error err;
	int ret;

	if (config.size)
		config.size = (uint32_t)size; /* a device */
	ret = store_rewrite(&config, replace, &new, &err);
	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

int
ctl_check_unused(const struct ctl_options *options)
{
	const struct store_config config = ctl_config(options);
	struct error err;
	int ret = store_check_free(&config, &err);

	/* A file that is missing or of a wrong size has no user. */
	if (ret < 0 && ret != -ENOENT && ret != -EINVAL)
		return ctl_refused(ret, &err);
	return CTL_OK;
}

/*
 * Another size is refused if a guest may know this one: there is a history, or
 * a variable store.  *rescue: the files do not open, or not with this size.
 */
static int
check_size(const struct ctl_options *options, const struct reader *reader,
	   size_t size, bool *rescue)
{
	enum reader_source source = reader_source(reader);
	struct fv_report report = { .count = 0 };

	*rescue = source != READER_SOUND;
	if (size == reader_size(reader) || source == READER_NOTHING ||
	    source == READER_VARS)
		return CTL_OK;
	if (source == READER_SOUND && !reader_has_journal(reader) &&
	    !fv_check(reader_image(reader), reader_size(reader), &report)) {
		*rescue = !ctl_is_device(options->files[0]);
		return CTL_OK;
	}
	return ctl_fail(CTL_FILE, "%s: has %u bytes, not %zu",
			options->files[0], reader_size(reader), size);
}

int
ctl_replace(const struct ctl_options *options, const uint8_t *image,
	    size_t size)
{
	const struct store_config config = ctl_config(options);
	int code = ctl_check_unused(options), ret;
	struct reader *reader;
	struct error err;
	bool rescue;

	if (code != CTL_OK)
		return code;
	ret = reader_open_rescue(&reader, &config, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	code = check_size(options, reader, size, &rescue);
	reader_close(reader);
	if (code != CTL_OK)
		return code;
	code = rescue ? ctl_rescue(options, image, size) :
			rewrite(options, image, size);
	if (code == CTL_OK)
		enqueue_note(&config);
	return code;
}
