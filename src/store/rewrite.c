/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "pflash/store.h"

static int
write_image(struct store *store, const uint8_t *image, struct error *err)
{
	int ret = store_replace(store, image);

	if (ret == 0)
		ret = store_commit(store);
	return ret < 0 ? error_set(err, -ret, "%s", store_failure(store)) : 0;
}

static int
edit_image(struct store *store, store_edit *edit, void *opaque,
	   struct error *err)
{
	uint8_t *image = malloc(store_size(store));
	int ret;

	if (!image)
		return error_set(err, ENOMEM, "out of memory");
	ret = edit(opaque, store, image, err);
	if (ret > 0)
		ret = write_image(store, image, err);
	free(image);
	return ret;
}

int
store_rewrite(const struct store_config *config, store_edit *edit, void *opaque,
	      struct error *err)
{
	struct store_config whole = *config;
	const char *path = config->path;
	struct store_recovery found;
	struct store *store;
	int ret;

	whole.burst = NULL;
	whole.burst_limit = STORE_MAX_SIZE;
	if (whole.sync == STORE_SYNC_OP) /* or each difference is a burst */
		whole.sync = STORE_SYNC_BURST;
	whole.on_failure = NULL;
	ret = store_open(&store, &whole, &found, err);
	if (ret < 0)
		return ret;
	if (config->recovered) {
		config->recovered->bursts += found.bursts;
		config->recovered->dropped_bytes += found.dropped_bytes;
	}
	ret = edit_image(store, edit, opaque, err);
	if (config->files)
		path = config->files->name[FILES_VARS];
	if (store_close(store) < 0 && ret == 0)
		ret = error_set(err, EIO,
				"%s: could not be brought up to date; its "
				"journal has all changes",
				path);
	return ret;
}
