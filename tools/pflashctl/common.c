/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pflash/identify.h"
#include "pflash/load.h"
#include "pflashctl.h"

/* The size of the flash on a block device; 0: the size of the file. */
static uint32_t
device_size(const char *path)
{
	uint64_t size = 0;
	struct stat st;
	int fd;

	if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (load_device_size(fd, path, &size, NULL) < 0 ||
	    size > STORE_MAX_SIZE)
		size = 0;
	close(fd);
	return (uint32_t)size;
}

struct store_config
ctl_config(const struct ctl_options *options)
{
	/* pflashd limits the history: pflashctl drops nothing. */
	static const struct store_history all = { .bytes = UINT64_MAX };

	return (struct store_config){
		.path = options->files[0],
		.journal = options->journal,
		.size = device_size(options->files[0]),
		.history = &all,
	};
}

int
ctl_load(const char *path, uint8_t **bytes, size_t *size)
{
	struct error note, err;
	int ret = identify_template(path, bytes, size, &note, &err);

	if (ret < 0)
		return ctl_fail(CTL_FILE, "%s", err.text);
	if (ret > 0)
		puts(note.text);
	return CTL_OK;
}

int
ctl_image(const struct reader *reader, bool past, uint64_t sequence,
	  uint8_t **image, struct error *err)
{
	*image = malloc(reader_size(reader));
	if (!*image)
		return error_set(err, ENOMEM, "out of memory");
	if (past)
		return reader_past(reader, sequence, *image, err);
	memcpy(*image, reader_image(reader), reader_size(reader));
	return 0;
}

struct replacing {
	const char *path;
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
				 new->path, store_size(store), new->size);
	memcpy(image, new->image, new->size);
	return 1;
}

int
ctl_replace(const struct ctl_options *options, const uint8_t *image,
	    size_t size)
{
	const struct store_config config = ctl_config(options);
	struct replacing new = { options->files[0], image, size };
	struct error err;
	int ret = store_rewrite(&config, replace, &new, &err);

	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

void
ctl_format_time(uint64_t ns, char *text, size_t room)
{
	time_t seconds = (time_t)(ns / 1000000000u);
	struct tm local;

	if (!localtime_r(&seconds, &local) ||
	    !strftime(text, room, "%Y-%m-%d %H:%M:%S", &local))
		snprintf(text, room, "?");
}
