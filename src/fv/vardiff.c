/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "pflash/varstore.h"

/* Compares two variables of one name. */
static bool
has_same_value(const struct variable *a, const struct variable *b)
{
	return a->attributes == b->attributes && a->data_size == b->data_size &&
	       !memcmp(a->data, b->data, a->data_size) &&
	       a->monotonic_count == b->monotonic_count &&
	       a->key_index == b->key_index && a->time.year == b->time.year &&
	       a->time.month == b->time.month && a->time.day == b->time.day &&
	       a->time.hour == b->time.hour &&
	       a->time.minute == b->time.minute &&
	       a->time.second == b->time.second;
}

static bool
has(const struct varstore *store, const struct variable *like,
    struct variable *found)
{
	return varstore_find(store, like->guid, like->name, like->name_size,
			     found) == 0;
}

static int
diff_old(const struct varstore *old, const struct varstore *new,
	 varstore_diff_fn fn, void *opaque, int *walked)
{
	struct variable v = { 0 }, other;
	int ret = 0;

	while (!ret && (*walked = varstore_next(old, &v)) > 0) {
		if (!v.live)
			continue;
		if (!has(new, &v, &other))
			ret = fn(opaque, VARSTORE_REMOVED, &v, NULL);
		else if (!has_same_value(&v, &other))
			ret = fn(opaque, VARSTORE_CHANGED, &v, &other);
	}
	return ret;
}

static int
diff_new(const struct varstore *old, const struct varstore *new,
	 varstore_diff_fn fn, void *opaque, int *walked)
{
	struct variable v = { 0 }, other;
	int ret = 0;

	while (!ret && (*walked = varstore_next(new, &v)) > 0)
		if (v.live && !has(old, &v, &other))
			ret = fn(opaque, VARSTORE_ADDED, NULL, &v);
	return ret;
}

int
varstore_diff(const struct varstore *old, const struct varstore *new,
	      varstore_diff_fn fn, void *opaque)
{
	int walked_old, walked_new;
	int ret = diff_old(old, new, fn, opaque, &walked_old);

	if (ret)
		return ret;
	ret = diff_new(old, new, fn, opaque, &walked_new);
	if (ret)
		return ret;
	return walked_old < 0 ? walked_old : walked_new;
}
