/* SPDX-License-Identifier: BSD-2-Clause */
#include "live.h"

int
varstore_each(const struct varstore *store,
	      int (*fn)(void *opaque, const struct variable *variable),
	      void *opaque)
{
	struct variable v = { 0 };
	struct live live;
	int ret;

	live_init(&live, store);
	while ((ret = live_next(&live, &v)) > 0) {
		ret = fn(opaque, &v);
		if (ret != 0)
			break;
	}
	live_free(&live);
	return ret;
}
