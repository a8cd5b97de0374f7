/* SPDX-License-Identifier: BSD-2-Clause */
/* The effective view: its variables, its changes, and its invariants. */
#include <stdlib.h>

#include "effective.h"
#include "variable.h"

struct effective_work
effective_work(const struct effective *view)
{
	struct effective_work work = view->work;

	work.probes = view->names.probes;
	return work;
}

static bool
is_effective(const struct effective *view, uint32_t index)
{
	uint32_t name = view->entries[index].name;

	return name != NONE && view->names.names[name].winner == index;
}

bool
effective_next(const struct effective *view, const uint8_t *image,
	       uint32_t *cursor, struct variable *variable)
{
	while (*cursor < view->count && !is_effective(view, *cursor))
		++*cursor;
	if (*cursor >= view->count ||
	    !view_decode(&view->source, image, view->entries[*cursor].offset,
			 variable))
		return false;
	++*cursor;
	variable->live = true;
	return true;
}

/* The offset of the name's effective variable now; NONE: it has none. */
static uint32_t
offset_now(const struct effective *view, const struct change *change)
{
	uint32_t winner = view->names.names[change->name].winner;

	return winner == NONE ? NONE : view->entries[winner].offset;
}

/* Added variables come last. */
static int
compare_changes(const void *a, const void *b, void *opaque)
{
	const struct effective *view = opaque;
	const struct change *x = a, *y = b;
	uint32_t i = x->offset, j = y->offset;

	if (i == NONE && j == NONE) {
		i = offset_now(view, x);
		j = offset_now(view, y);
	}
	return (i > j) - (i < j);
}

static int
report_change(const struct effective *view, const struct change *change,
	      const uint8_t *before, const uint8_t *after,
	      effective_change_fn fn, void *opaque)
{
	uint32_t now = offset_now(view, change);
	struct variable old, new;

	if (change->offset != NONE &&
	    !view_decode(&view->before, before, change->offset, &old))
		return 0;
	if (now != NONE && !view_decode(&view->source, after, now, &new))
		return 0;
	old.live = new.live = true;
	if (change->offset == NONE)
		return fn(opaque, EFFECTIVE_ADDED, NULL, &new);
	if (now == NONE)
		return fn(opaque, EFFECTIVE_REMOVED, &old, NULL);
	return fn(opaque, EFFECTIVE_CHANGED, &old, &new);
}

int
effective_changes(struct effective *view, const uint8_t *before,
		  const uint8_t *after, effective_change_fn fn, void *opaque)
{
	int ret = 0;

	if (!view->before.opened || !view->source.opened || view->before.full ||
	    view->source.full)
		return 0;
	qsort_r(view->changes, view->change_count, sizeof(*view->changes),
		compare_changes, view);
	for (uint32_t i = 0; i < view->change_count && !ret; i++)
		ret = report_change(view, &view->changes[i], before, after, fn,
				    opaque);
	return ret;
}

/* --- invariants --- */

/* The entry must be in the list of its name exactly if it can be effective. */
static bool
verify_link(const struct effective *view, uint32_t index)
{
	const struct entry *entry = &view->entries[index];
	const struct name *name = &view->names.names[entry->name];

	if (entry->name == NONE || !variable_can_be_live(entry->state))
		return entry->name == NONE &&
		       !variable_can_be_live(entry->state);
	if (entry->next != NONE && view->entries[entry->next].prev != index)
		return false;
	if (entry->prev == NONE)
		return name->first == index && !name->change;
	return view->entries[entry->prev].next == index &&
	       view->entries[entry->prev].name == entry->name;
}

static bool
verify_entry(struct effective *view, const uint8_t *image, uint32_t index)
{
	const struct entry *entry = &view->entries[index];
	uint64_t name;
	struct variable v;

	if (!view_decode(&view->source, image, entry->offset, &v) ||
	    v.next != view_entry_end(view, index) || v.state != entry->state ||
	    !verify_link(view, index))
		return false;
	if (entry->name == NONE)
		return true;
	name = view_hash_name(view, &v);
	return name == view->names.names[entry->name].hash &&
	       names_get(&view->names, name) == entry->name &&
	       entry->value == view_hash_value(view, name, &v) &&
	       view->names.names[entry->name].winner ==
		       view_choose(view, &view->names.names[entry->name]);
}

/* The chain must end at the tail, and each name must have a variable. */
static bool
verify_all(struct effective *view, const uint8_t *image)
{
	struct varstore store = view->source.store;
	struct variable v = { .next = view->source.tail };
	uint64_t sum = 0;
	uint32_t names = 0;
	int ret;

	for (uint32_t i = 0; i < view->count; i++) {
		if (!verify_entry(view, image, i))
			return false;
		names += view->entries[i].name != NONE &&
			 view->entries[i].prev == NONE;
		if (is_effective(view, i))
			sum += view->entries[i].value;
	}
	if (view->source.full)
		return view->count == view->room;
	store.image = image;
	ret = variable_step(&store, &v);
	return sum == view->sum && names == view->names.count && ret <= 0 &&
	       view->source.broken == (ret < 0) &&
	       view->header == view_hash_header(view, image);
}

bool
effective_verify(const struct effective *view, const uint8_t *image)
{
	struct effective scratch = *view; /* counts work of its own */
	struct error ignored;
	struct varstore store;

	if (varstore_open(&store, image, view->size, &ignored) < 0)
		return !view->source.opened && !view->count && !view->sum &&
		       !view->names.count;
	return view->source.opened && store.start == view->source.store.start &&
	       store.end == view->source.store.end &&
	       store.authenticated == view->source.store.authenticated &&
	       store.in_spare == view->source.store.in_spare &&
	       verify_all(&scratch, image);
}
