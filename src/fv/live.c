/* SPDX-License-Identifier: BSD-2-Clause */
#include "live.h"

#include <sys/random.h>

#include "siphash.h"
#include "variable.h"

static uint32_t
count_variables(const struct varstore *store)
{
	struct variable v = { 0 };
	uint32_t count = 0;

	while (variable_step(store, &v) > 0)
		count++;
	return count;
}

/* In the header the vendor GUID is last, so the name follows it. */
static uint32_t
index_of(struct live *live, const struct variable *v)
{
	return names_get(&live->names,
			 siphash(live->key, v->guid, GUID_SIZE + v->name_size));
}

/*
 * FindVariableEx() (VariableParsing.c:463): the first variable in the state
 * VARIABLE_ADDED, or else the last one in VARIABLE_IN_TRANSITION.  `change`
 * notes that the name has one that is ADDED.
 */
static void
note(struct live *live, const struct variable *v)
{
	struct name *name = &live->names.names[index_of(live, v)];

	if (name->winner != NONE)
		name->first = (uint32_t)v->offset;
	if (name->change)
		return;
	name->winner = (uint32_t)v->offset;
	name->change = v->state == VARIABLE_ADDED;
}

void
live_init_room(struct live *live, const struct varstore *store, uint32_t more)
{
	struct variable v = { 0 };

	*live = (struct live){ .store = store };
	/* live_find() adds a name that is not there for a moment. */
	live->has_table = names_init(&live->names,
				     count_variables(store) + more + 1) &&
			  getrandom(live->key, sizeof(live->key), 0) ==
				  (ssize_t)sizeof(live->key);
	while (live->has_table && variable_step(store, &v) > 0)
		if (variable_can_be_live(v.state))
			note(live, &v);
}

void
live_init(struct live *live, const struct varstore *store)
{
	live_init_room(live, store, 0);
}

void
live_free(struct live *live)
{
	names_free(&live->names);
}

size_t
live_find(struct live *live, const struct variable *v)
{
	struct variable found;
	uint32_t index, offset;

	if (!live->has_table) {
		(void)varstore_find(live->store, v->guid, v->name, v->name_size,
				    &found);
		return found.offset;
	}
	index = index_of(live, v);
	offset = live->names.names[index].winner;
	if (offset != NONE)
		return offset;
	names_remove(&live->names, index);
	return 0;
}

bool
live_has_others(struct live *live, const struct variable *v)
{
	const struct name *name;

	if (!live->has_table)
		return true;
	name = &live->names.names[index_of(live, v)];
	return name->first != NONE;
}

void
live_update(struct live *live, const struct variable *v, size_t offset)
{
	uint32_t index;

	if (!live->has_table)
		return;
	index = index_of(live, v);
	if (!offset) {
		names_remove(&live->names, index);
		return;
	}
	live->names.names[index].first = NONE;
	live->names.names[index].winner = (uint32_t)offset;
}

int
live_next(struct live *live, struct variable *v)
{
	int ret = variable_step(live->store, v);

	v->live = ret > 0 && variable_can_be_live(v->state) &&
		  live_find(live, v) == v->offset;
	return ret;
}
