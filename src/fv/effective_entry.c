/* SPDX-License-Identifier: BSD-2-Clause */
/* The effective view: its variables and their names. */
#include "effective.h"

#include "siphash.h"
#include "variable.h"

#include "pflash/le.h"

size_t
view_base(const struct effective *view)
{
	return view->source.store.in_spare ? view->layout->ftw_spare : 0;
}

bool
view_decode(const struct source *source, const uint8_t *image, size_t offset,
	    struct variable *variable)
{
	struct varstore store = source->store;

	store.image = image;
	*variable = (struct variable){ .next = offset };
	return variable_step(&store, variable) > 0;
}

size_t
view_entry_end(const struct effective *view, uint32_t index)
{
	if (index + 1 < view->count)
		return view->entries[index + 1].offset;
	return view->source.tail;
}

static uint64_t
hash(struct effective *view, const void *p, size_t len)
{
	view->work.bytes += len;
	return siphash(view->key, p, len);
}

/* The two headers are adjacent. */
uint64_t
view_hash_header(struct effective *view, const uint8_t *image)
{
	size_t base = view_base(view);

	return hash(view, image + base, view->source.store.start - base);
}

/* In the header the vendor GUID is last, so the name follows it. */
uint64_t
view_hash_name(struct effective *view, const struct variable *v)
{
	return hash(view, v->guid, GUID_SIZE + v->name_size);
}

/* Hashes the members that define a value, without the padding of EFI_TIME. */
uint64_t
view_hash_value(struct effective *view, uint64_t name, const struct variable *v)
{
	uint8_t value[40], *time = value + 32;

	put_le64(value, name);
	put_le64(value + 8, hash(view, v->data, v->data_size));
	put_le64(value + 16, v->monotonic_count);
	put_le32(value + 24, v->attributes);
	put_le32(value + 28, v->key_index);
	put_le16(time, v->time.year);
	time[2] = v->time.month;
	time[3] = v->time.day;
	time[4] = v->time.hour;
	time[5] = v->time.minute;
	time[6] = v->time.second;
	time[7] = 0;
	return hash(view, value, sizeof(value));
}

/*
 * FindVariableEx() (VariableParsing.c:463): the first variable in the state
 * VARIABLE_ADDED, or else the last one in VARIABLE_IN_TRANSITION.
 */
uint32_t
view_choose(struct effective *view, const struct name *name)
{
	const struct entry *entries = view->entries;
	uint32_t added = NONE, moving = NONE;

	for (uint32_t i = name->first; i != NONE; i = entries[i].next) {
		view->work.choices++;
		if (entries[i].state == VARIABLE_ADDED) {
			if (added == NONE || i < added)
				added = i;
		} else if (moving == NONE || i > moving) {
			moving = i;
		}
	}
	return added != NONE ? added : moving;
}

/*
 * Notes the effective variable of a name before the first change of the name in
 * an update.
 */
static void
mark(struct effective *view, uint32_t index)
{
	struct name *name = &view->names.names[index];
	struct change *change = &view->changes[view->change_count];

	view->generation++;
	if (name->change)
		return;
	*change = (struct change){ .name = index, .offset = NONE };
	if (name->winner != NONE) {
		change->offset = view->entries[name->winner].offset;
		change->value = view->entries[name->winner].value;
	}
	name->change = ++view->change_count;
}

/* Makes a variable one that can be effective. */
static void
link_entry(struct effective *view, uint32_t index, const struct variable *v)
{
	struct entry *entry = &view->entries[index];
	uint64_t hashed = view_hash_name(view, v);
	struct name *name;

	entry->name = names_get(&view->names, hashed);
	mark(view, entry->name);
	name = &view->names.names[entry->name];
	entry->value = view_hash_value(view, hashed, v);
	entry->prev = NONE;
	entry->next = name->first;
	if (name->first != NONE)
		view->entries[name->first].prev = index;
	name->first = index;
}

static void
unlink_entry(struct effective *view, uint32_t index)
{
	struct entry *entry = &view->entries[index];

	if (entry->name == NONE)
		return;
	mark(view, entry->name);
	if (entry->prev == NONE)
		view->names.names[entry->name].first = entry->next;
	else
		view->entries[entry->prev].next = entry->next;
	if (entry->next != NONE)
		view->entries[entry->next].prev = entry->prev;
	entry->name = NONE;
}

void
view_append(struct effective *view, const struct variable *v)
{
	struct entry *entry = &view->entries[view->count];

	entry->offset = (uint32_t)v->offset & (VIEW_MAX_SIZE - 1);
	entry->state = v->state;
	entry->name = NONE;
	if (variable_can_be_live(v->state))
		link_entry(view, view->count, v);
	view->count++;
}

void
view_truncate(struct effective *view, uint32_t index)
{
	for (uint32_t i = index; i < view->count; i++)
		unlink_entry(view, i);
	if (index < view->count)
		view->count = index;
}

void
view_replace(struct effective *view, uint32_t index, const struct variable *v,
	     bool rewritten)
{
	struct entry *entry = &view->entries[index];
	bool can_be_live = variable_can_be_live(v->state);

	if (rewritten || !can_be_live)
		unlink_entry(view, index);
	else if (entry->name != NONE && entry->state != v->state)
		mark(view, entry->name);
	entry->state = v->state;
	if (can_be_live && entry->name == NONE)
		link_entry(view, index, v);
}

/* Chooses the effective variable of a name.  True if it differs. */
static bool
settle(struct effective *view, const struct change *change)
{
	struct name *name = &view->names.names[change->name];
	uint64_t value = 0;

	name->change = 0;
	name->winner = view_choose(view, name);
	if (name->winner != NONE)
		value = view->entries[name->winner].value;
	view->sum += value - change->value;
	if (name->first == NONE)
		names_remove(&view->names, change->name);
	return value != change->value ||
	       (name->winner == NONE) != (change->offset == NONE);
}

void
view_settle(struct effective *view)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < view->change_count; i++)
		if (settle(view, &view->changes[i]))
			view->changes[kept++] = view->changes[i];
	view->change_count = kept;
}
