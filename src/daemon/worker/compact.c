/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/compact.h"

#include <errno.h>
#include <stdlib.h>

#include "log.h"
#include "pflash/fv.h"

/* A guest that may go on with what it knows of the flash. */
static bool
is_expected(const struct store *store)
{
	struct store_kept kept;
	struct error err;

	return store_recall(store, &kept, &err) < 0 || kept.tag[0];
}

static int
replace(struct store *store, const uint8_t *image, struct error *err)
{
	int ret = store_replace(store, image);

	if (ret == 0)
		ret = store_commit(store);
	if (ret < 0)
		return error_set(err, -ret, "%s", store_failure(store));
	return 0;
}

static int
compact_open(struct store *store, struct error *err)
{
	uint32_t size = store_size(store);
	uint8_t *image = is_expected(store) ? NULL : malloc(size);
	struct error why;
	int gained, ret = 0;

	if (!image)
		return 0;
	gained = fv_compact(store_image(store), size, image, &why);
	if (gained > 0)
		ret = replace(store, image, err);
	if (gained < 0)
		log_line(LOG_NOTICE, "not compacted: %s", why.text);
	else if (ret == 0)
		log_line(LOG_INFO, "compacted: %d bytes more for variables",
			 gained);
	free(image);
	return ret;
}

int
compact_store(const struct store_config *config, struct error *err)
{
	struct store_config whole = *config;
	struct store *store;
	int ret;

	whole.burst = NULL;
	whole.burst_limit = STORE_MAX_SIZE;
	ret = store_open(&store, &whole, NULL, err);
	if (ret < 0)
		return ret;
	ret = compact_open(store, err);
	if (store_close(store) < 0 && ret == 0)
		ret = error_set(err, EIO, "%s: could not be brought up to date",
				config->files->name[FILES_VARS]);
	return ret;
}
