/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of changes.  Each value has one allocation: GUID, name, data.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/changes.h"

struct entry {
	struct change change;
	uint8_t *value;    /* what change.value points to */
	uint8_t *expected; /* the data that change.expected points to */
};

struct changes {
	struct entry *entries;
	size_t count, room;
};

static int
out_of_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for the list of changes");
}

struct variable
change_variable(const struct change *change)
{
	const struct edit_value *value = &change->value;

	return (struct variable){
		.guid = value->guid,
		.name = value->name,
		.name_size = value->name_size,
		.attributes = value->attributes,
		.time = value->time,
		.data = value->data,
		.data_size = value->data_size,
	};
}

struct changes *
changes_new(void)
{
	return calloc(1, sizeof(struct changes));
}

static void
entry_clear(struct entry *entry)
{
	free(entry->value);
	free(entry->expected);
}

void
changes_free(struct changes *changes)
{
	if (!changes)
		return;
	for (size_t i = 0; i < changes->count; i++)
		entry_clear(&changes->entries[i]);
	free(changes->entries);
	free(changes);
}

size_t
changes_count(const struct changes *changes)
{
	return changes->count;
}

const struct change *
changes_at(const struct changes *changes, size_t index)
{
	return index < changes->count ? &changes->entries[index].change : NULL;
}

static bool
is_named(const struct edit_value *value, const struct edit_value *other)
{
	return value->name_size == other->name_size &&
	       !memcmp(value->guid, other->guid, GUID_SIZE) &&
	       !memcmp(value->name, other->name, value->name_size);
}

static struct entry *
find(struct changes *changes, const struct edit_value *value)
{
	for (size_t i = 0; i < changes->count; i++)
		if (is_named(&changes->entries[i].change.value, value))
			return &changes->entries[i];
	return NULL;
}

/* The entry of this variable, or one that changes->count does not count yet. */
static struct entry *
entry_of(struct changes *changes, const struct edit_value *value)
{
	struct entry *entry = find(changes, value), *entries;
	size_t room = changes->room ? 2 * changes->room : 8;

	if (entry)
		return entry;
	if (changes->count == changes->room) {
		entries = reallocarray(changes->entries, room,
				       sizeof(*entries));
		if (!entries)
			return NULL;
		changes->entries = entries;
		changes->room = room;
	}
	entry = &changes->entries[changes->count];
	*entry = (struct entry){ .value = NULL };
	return entry;
}

/* Makes *to a copy of *from; its bytes are in the allocation returned. */
static uint8_t *
copy_value(struct edit_value *to, const struct edit_value *from)
{
	size_t named = (size_t)GUID_SIZE + from->name_size;
	uint8_t *bytes = malloc(named + from->data_size);

	if (!bytes)
		return NULL;
	memcpy(bytes, from->guid, GUID_SIZE);
	memcpy(bytes + GUID_SIZE, from->name, from->name_size);
	if (from->data_size)
		memcpy(bytes + named, from->data, from->data_size);
	*to = *from;
	to->guid = bytes;
	to->name = bytes + GUID_SIZE;
	to->data = bytes + named;
	return bytes;
}

static int
give_condition(struct entry *entry, const struct change *change,
	       struct error *err)
{
	struct edit_value expected;
	uint8_t *copy = copy_value(&expected, &change->expected);

	if (!copy)
		return out_of_memory(err);
	free(entry->expected);
	entry->expected = copy;
	entry->change.expected = expected;
	entry->change.has_condition = true;
	entry->change.expects_none = change->expects_none;
	return 0;
}

static int
make(struct entry *entry, const struct change *change, struct error *err)
{
	int ret = 0;

	*entry = (struct entry){ .change.kind = change->kind };
	entry->value = copy_value(&entry->change.value, &change->value);
	if (!entry->value)
		return out_of_memory(err);
	if (change->has_condition)
		ret = give_condition(entry, change, err);
	if (ret < 0)
		entry_clear(entry);
	return ret;
}

int
changes_add(struct changes *changes, const struct change *change,
	    struct error *err)
{
	struct entry *entry = entry_of(changes, &change->value);
	struct entry made;
	int ret;

	if (!entry)
		return out_of_memory(err);
	ret = make(&made, change, err);
	if (ret < 0)
		return ret;
	if (entry == &changes->entries[changes->count])
		changes->count++;
	else
		entry_clear(entry);
	*entry = made;
	return 0;
}

int
changes_set(struct changes *changes, const struct edit_value *value,
	    struct error *err)
{
	const struct change change = { .kind = CHANGE_SET, .value = *value };

	return changes_add(changes, &change, err);
}

int
changes_remove(struct changes *changes, const uint8_t *guid,
	       const uint8_t *name, uint32_t name_size, struct error *err)
{
	const struct change change = {
		.kind = CHANGE_REMOVE,
		.value = {
			.guid = guid,
			.name = name,
			.name_size = name_size,
		},
	};

	return changes_add(changes, &change, err);
}

/* The entry's variable was `v`; NULL: there was none. */
static int
expect(struct entry *entry, const struct variable *v, struct error *err)
{
	struct change condition = {
		.expects_none = !v,
		.expected = {
			.guid = entry->change.value.guid,
			.name = entry->change.value.name,
			.name_size = entry->change.value.name_size,
		},
	};

	if (v) {
		condition.expected.attributes = v->attributes;
		condition.expected.time = v->time;
		condition.expected.data = v->data;
		condition.expected.data_size = v->data_size;
	}
	return give_condition(entry, &condition, err);
}

int
changes_expect(struct changes *changes, const struct varstore *store,
	       struct error *err)
{
	struct variable v;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < changes->count; i++) {
		struct entry *entry = &changes->entries[i];
		const struct edit_value *value = &entry->change.value;
		int found = varstore_find(store, value->guid, value->name,
					  value->name_size, &v);

		ret = expect(entry, found == 0 ? &v : NULL, err);
	}
	return ret;
}
