/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/compact.h"

#include <errno.h>

#include "log.h"
#include "pflash/fv.h"

/*
 * True if the saved state belongs to a guest that may be restored: its memory
 * has addresses of variables.
 */
static bool
has_saved_guest(const struct store *store)
{
	struct store_state state;
	struct error err;

	return store_load_state(store, &state, &err) < 0 || state.tag[0];
}

static int
compact(void *opaque, const struct store *store, uint8_t *image,
	struct error *err)
{
	int *gained = opaque;
	struct error why;

	(void)err;
	if (has_saved_guest(store))
		return 0;
	*gained = fv_compact(store_image(store), store_size(store), image,
			     &why);
	if (*gained < 0)
		log_line(LOG_NOTICE, "not compacted: %s", why.text);
	return *gained > 0;
}

int
compact_store(const struct store_config *config, struct error *err)
{
	int gained = 0, ret = store_rewrite(config, compact, &gained, err);

	if (ret == 0 && gained > 0)
		log_line(LOG_INFO, "compacted: %d bytes more for variables",
			 gained);
	return ret;
}
