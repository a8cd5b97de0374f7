/* SPDX-License-Identifier: BSD-2-Clause */
/* Applies a list of changes to an image, as a whole or not at all. */
#include <errno.h>
#include <string.h>

#include "pflash/changes.h"

static int
lookup(const struct varstore *store, const struct edit_value *value,
       struct variable *v)
{
	return varstore_find(store, value->guid, value->name, value->name_size,
			     v);
}

static bool
is_time(const struct variable_time *a, const struct variable_time *b)
{
	return a->year == b->year && a->month == b->month && a->day == b->day &&
	       a->hour == b->hour && a->minute == b->minute &&
	       a->second == b->second;
}

/* True if the live variable is exactly this one, or if neither exists. */
static bool
is_live(const struct varstore *store, const struct edit_value *value, bool none)
{
	struct variable v;

	if (lookup(store, value, &v) < 0)
		return none;
	return !none && v.attributes == value->attributes &&
	       is_time(&v.time, &value->time) &&
	       v.data_size == value->data_size &&
	       !memcmp(v.data, value->data, v.data_size);
}

bool
changes_in_effect(const struct changes *changes, const struct varstore *store)
{
	const struct change *change;

	for (size_t i = 0; (change = changes_at(changes, i)); i++)
		if (!is_live(store, &change->value,
			     change->kind == CHANGE_REMOVE))
			return false;
	return true;
}

static int
not_as_planned(const struct change *change, struct error *err)
{
	const struct variable v = {
		.name = change->value.name,
		.name_size = change->value.name_size,
	};
	char name[128], guid[GUID_TEXT_SIZE];

	variable_name(&v, name, sizeof(name));
	guid_format(change->value.guid, guid);
	return error_set(err, ESTALE,
			 "the variable %s of vendor %s has changed since the "
			 "change of it was planned",
			 name, guid);
}

static int
check_conditions(const struct changes *changes, const struct varstore *store,
		 struct error *err)
{
	const struct change *change;

	for (size_t i = 0; (change = changes_at(changes, i)); i++)
		if (change->has_condition &&
		    !is_live(store, &change->expected, change->expects_none))
			return not_as_planned(change, err);
	return 0;
}

/* True if the change needs no more room than its variable has now. */
static bool
is_shrinking(const struct change *change, const struct varstore *store)
{
	struct variable v;

	if (change->kind == CHANGE_REMOVE)
		return true;
	return lookup(store, &change->value, &v) == 0 &&
	       change->value.data_size <= v.data_size;
}

static int
apply_one(struct edit *edit, const struct change *change, struct error *err)
{
	const struct edit_value *value = &change->value;
	int ret;

	if (change->kind == CHANGE_SET)
		return edit_set(edit, value, err);
	ret = edit_remove(edit, value->guid, value->name, value->name_size,
			  err);
	return ret == -ENOENT ? 0 : ret;
}

/*
 * Makes the changes that do not enlarge the live variables, then the others.
 * So they all fit if the result does, in any order of the list.  A change that
 * has been made does not belong to the second round: it is as large as its
 * variable, or the variable is gone and its kind is CHANGE_REMOVE.
 */
static int
apply_all(struct edit *edit, const struct changes *changes, struct error *err)
{
	const struct change *change;
	int ret;

	for (int shrinking = 1; shrinking >= 0; shrinking--)
		for (size_t i = 0; (change = changes_at(changes, i)); i++) {
			if (is_shrinking(change, edit_store(edit)) != shrinking)
				continue;
			ret = apply_one(edit, change, err);
			if (ret < 0)
				return ret;
		}
	return 0;
}

/* 1: the edit has the changes; 0: the image had them already. */
static int
apply_to_copy(const struct changes *changes, struct edit *edit,
	      struct error *err)
{
	int ret;

	if (changes_in_effect(changes, edit_store(edit)))
		return 0;
	ret = check_conditions(changes, edit_store(edit), err);
	if (ret == 0)
		ret = apply_all(edit, changes, err);
	return ret < 0 ? ret : 1;
}

int
changes_apply(const struct changes *changes, uint8_t *image, size_t size,
	      struct error *err)
{
	struct edit *edit;
	int ret = edit_begin(&edit, image, size, err);

	if (ret < 0)
		return ret;
	ret = apply_to_copy(changes, edit, err);
	if (ret > 0)
		memcpy(image, edit_image(edit), size);
	edit_end(edit);
	return ret;
}
