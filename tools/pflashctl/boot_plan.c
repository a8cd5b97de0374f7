/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot_text.h"
#include "pflash/le.h"

#define NUMBERS 0x10000u

struct planning {
	struct boot_state state;
	struct changes *changes;
};

static int
begin(struct planning *planning, const struct edit_target *target,
      struct changes *changes, struct error *err)
{
	planning->changes = changes;
	return boot_state_read(&planning->state, target->store, err);
}

/* --- changes of one variable --- */

static bool
is_equal(const struct varstore *store, const uint8_t *name, uint32_t name_size,
	 const uint8_t *data, size_t size)
{
	struct variable old;

	return varstore_find(store, guid_global, name, name_size, &old) == 0 &&
	       old.attributes == BOOT_ATTRIBUTES && old.data_size == size &&
	       memcmp(old.data, data, size) == 0;
}

static int
put(struct planning *planning, const uint8_t *name, uint32_t name_size,
    const uint8_t *data, size_t size, struct error *err)
{
	const struct edit_value value = {
		.guid = guid_global,
		.name = name,
		.name_size = name_size,
		.attributes = BOOT_ATTRIBUTES,
		.data = data,
		.data_size = (uint32_t)size,
	};

	if (is_equal(planning->state.store, name, name_size, data, size))
		return 0;
	return changes_set(planning->changes, &value, err);
}

static int
put_named(struct planning *planning, const char *name, const uint8_t *data,
	  size_t size, struct error *err)
{
	uint8_t bytes[BOOT_NAME_SIZE];
	uint32_t len = boot_name(bytes, name);

	return put(planning, bytes, len, data, size, err);
}

static int
put_entry(struct planning *planning, uint16_t number, const uint8_t *data,
	  size_t size, struct error *err)
{
	uint8_t name[BOOT_NAME_SIZE];
	uint32_t len = boot_name_of(name, number);

	return put(planning, name, len, data, size, err);
}

static int
drop_named(struct planning *planning, const char *name, struct error *err)
{
	struct variable old;

	if (boot_find(planning->state.store, name, &old) < 0)
		return 0;
	return changes_remove(planning->changes, guid_global, old.name,
			      old.name_size, err);
}

static int
drop_entry(struct planning *planning, const struct boot_variable *entry,
	   struct error *err)
{
	return changes_remove(planning->changes, guid_global,
			      entry->variable.name, entry->variable.name_size,
			      err);
}

/* An empty BootOrder does not exist. */
static int
put_order(struct planning *planning, const uint16_t *order, size_t count,
	  struct error *err)
{
	uint8_t *bytes;
	int ret;

	if (count == 0)
		return drop_named(planning, "BootOrder", err);
	bytes = malloc(2 * count);
	if (!bytes)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		put_le16(bytes + 2 * i, order[i]);
	ret = put_named(planning, "BootOrder", bytes, 2 * count, err);
	free(bytes);
	return ret;
}

/* --- add --- */

/* An entry with the same value; NULL: there is none. */
static const struct boot_variable *
find_equal(const struct boot_state *state, const struct boot_add *add)
{
	for (size_t i = 0; i < state->count; i++) {
		const struct variable *old = &state->entries[i].variable;

		if (old->data_size == add->size &&
		    memcmp(old->data, add->value, add->size) == 0 &&
		    (!add->has_number ||
		     state->entries[i].number == add->number))
			return &state->entries[i];
	}
	return NULL;
}

static int
choose_number(const struct boot_state *state, const struct boot_add *add,
	      uint16_t *number, struct error *err)
{
	if (!add->has_number)
		return boot_state_free_number(state, number, err);
	*number = add->number;
	if (boot_state_entry(state, *number))
		return error_set(err, EEXIST,
				 "Boot%04X is another entry; remove it before, "
				 "or leave out --number",
				 *number);
	return 0;
}

/* Moves the number to its place in BootOrder. */
static int
place_entry(struct planning *planning, const struct boot_add *add,
	    uint16_t number, struct error *err)
{
	const struct boot_state *state = &planning->state;
	uint16_t *order = calloc(state->order_count + 1, sizeof(*order));
	size_t count = 0, at = 0;
	int ret;

	if (!order)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < state->order_count; i++)
		if (state->order[i] != number)
			order[count++] = state->order[i];
	if (add->where == BOOT_LAST)
		at = count;
	else if (add->where == BOOT_AT_INDEX)
		at = add->index < count ? (size_t)add->index : count;
	memmove(order + at + 1, order + at, (count - at) * sizeof(*order));
	order[at] = number;
	ret = put_order(planning, order, count + 1, err);
	free(order);
	return ret;
}

static int
add_entry(struct planning *planning, const struct boot_add *add,
	  struct error *err)
{
	const struct boot_variable *equal = find_equal(&planning->state, add);
	uint16_t number;
	int ret = 0;

	if (equal)
		number = equal->number;
	else
		ret = choose_number(&planning->state, add, &number, err);
	if (ret == 0)
		ret = put_entry(planning, number, add->value, add->size, err);
	if (ret < 0 || (equal && add->where == BOOT_ANYWHERE &&
			boot_state_place(&planning->state, number) >= 0))
		return ret;
	return place_entry(planning, add, number, err);
}

int
boot_plan_add(void *opaque, const struct edit_target *target,
	      struct changes *changes, struct error *err)
{
	struct planning planning;
	int ret = begin(&planning, target, changes, err);

	if (ret == 0)
		ret = add_entry(&planning, opaque, err);
	boot_state_free(&planning.state);
	return ret;
}

/* --- words --- */

typedef int use_word(struct planning *planning, const char *word, void *opaque,
		     struct error *err);

/* Calls use() for each word between the commas. */
static int
each_word(struct planning *planning, const char *words, use_word *use,
	  void *opaque, struct error *err)
{
	char *copy = strdup(words), *rest = copy, *word;
	int ret = copy ? 0 : error_set(err, ENOMEM, "out of memory");

	while (ret == 0 && (word = strsep(&rest, ",")) != NULL) {
		if (*word)
			ret = use(planning, word, opaque, err);
		else
			ret = error_set(err, EINVAL, "'%s' has an empty word",
					words);
	}
	free(copy);
	return ret;
}

/* Sets found[i] for the entries; -ENOENT: none matches. */
static int
match(const struct planning *planning, const char *word, bool *found,
      struct error *err)
{
	long count = boot_state_match(&planning->state, word, found, err);

	if (count == 0)
		return error_set(err, ENOENT, "has no boot entry '%s'", word);
	return count < 0 ? (int)count : 0;
}

/* --- rm --- */

/* A number of BootOrder without an entry can be removed, too. */
static int
mark_gone(struct planning *planning, const char *word, void *opaque,
	  struct error *err)
{
	const struct boot_state *state = &planning->state;
	bool *gone = opaque;
	bool *found = calloc(state->count + 1, sizeof(*found));
	long count;

	if (!found)
		return error_set(err, ENOMEM, "out of memory");
	count = boot_state_match(state, word, found, err);
	for (size_t i = 0; i < state->count; i++)
		if (found[i])
			gone[state->entries[i].number] = true;
	if (count == 0 && strlen(word) == 4 &&
	    strspn(word, "0123456789abcdefABCDEF") == 4)
		gone[strtoul(word, NULL, 16)] = true;
	free(found);
	return count < 0 ? (int)count : 0;
}

static int
drop_gone(struct planning *planning, const bool *gone, struct error *err)
{
	struct boot_state *state = &planning->state;
	size_t count = 0;
	int ret = 0;

	for (size_t i = 0; i < state->count && ret == 0; i++)
		if (gone[state->entries[i].number])
			ret = drop_entry(planning, &state->entries[i], err);
	for (size_t i = 0; i < state->order_count; i++)
		if (!gone[state->order[i]])
			state->order[count++] = state->order[i];
	if (ret == 0 && count < state->order_count)
		ret = put_order(planning, state->order, count, err);
	if (ret == 0 && state->has_next && gone[state->next])
		ret = drop_named(planning, "BootNext", err);
	return ret;
}

int
boot_plan_remove(void *opaque, const struct edit_target *target,
		 struct changes *changes, struct error *err)
{
	const struct boot_select *select = opaque;
	bool *gone = calloc(NUMBERS, sizeof(*gone));
	struct planning planning;
	int ret;

	if (!gone)
		return error_set(err, ENOMEM, "out of memory");
	ret = begin(&planning, target, changes, err);
	if (ret == 0)
		ret = each_word(&planning, select->words, mark_gone, gone, err);
	if (ret == 0)
		ret = drop_gone(&planning, gone, err);
	boot_state_free(&planning.state);
	free(gone);
	return ret;
}

/* --- order --- */

struct ordering {
	uint16_t *numbers;
	size_t count;
	bool taken[NUMBERS];
};

static void
take(struct ordering *ordering, uint16_t number)
{
	if (!ordering->taken[number])
		ordering->numbers[ordering->count++] = number;
	ordering->taken[number] = true;
}

/* Of several entries, those in BootOrder come first, in its order. */
static int
take_word(struct planning *planning, const char *word, void *opaque,
	  struct error *err)
{
	const struct boot_state *state = &planning->state;
	struct ordering *ordering = opaque;
	bool *found = calloc(state->count + 1, sizeof(*found));
	int ret;

	if (!found)
		return error_set(err, ENOMEM, "out of memory");
	ret = match(planning, word, found, err);
	for (size_t i = 0; ret == 0 && i < state->order_count; i++) {
		const struct boot_variable *entry =
			boot_state_entry(state, state->order[i]);

		if (entry && found[entry - state->entries])
			take(ordering, entry->number);
	}
	for (size_t i = 0; ret == 0 && i < state->count; i++)
		if (found[i])
			take(ordering, state->entries[i].number);
	free(found);
	return ret;
}

static int
set_order(struct planning *planning, const struct boot_select *select,
	  struct ordering *ordering, struct error *err)
{
	const struct boot_state *state = &planning->state;
	int ret = each_word(planning, select->words, take_word, ordering, err);

	if (ret < 0)
		return ret;
	for (size_t i = 0; !select->only && i < state->order_count; i++)
		take(ordering, state->order[i]);
	return put_order(planning, ordering->numbers, ordering->count, err);
}

int
boot_plan_order(void *opaque, const struct edit_target *target,
		struct changes *changes, struct error *err)
{
	struct ordering *ordering = calloc(1, sizeof(*ordering));
	struct planning planning;
	int ret;

	if (!ordering)
		return error_set(err, ENOMEM, "out of memory");
	ret = begin(&planning, target, changes, err);
	if (ret == 0) {
		ordering->numbers = calloc(NUMBERS, sizeof(uint16_t));
		ret = ordering->numbers ?
			      set_order(&planning, opaque, ordering, err) :
			      error_set(err, ENOMEM, "out of memory");
	}
	boot_state_free(&planning.state);
	free(ordering->numbers);
	free(ordering);
	return ret;
}

/* --- next --- */

static int
find_one(const struct planning *planning, const char *word, uint16_t *number,
	 struct error *err)
{
	const struct boot_state *state = &planning->state;
	bool *found = calloc(state->count + 1, sizeof(*found));
	size_t count = 0;
	int ret;

	if (!found)
		return error_set(err, ENOMEM, "out of memory");
	ret = match(planning, word, found, err);
	for (size_t i = 0; ret == 0 && i < state->count; i++) {
		if (!found[i])
			continue;
		*number = state->entries[i].number;
		count++;
	}
	free(found);
	if (ret == 0 && count > 1)
		return error_set(err, EINVAL, "has %zu boot entries '%s'",
				 count, word);
	return ret;
}

int
boot_plan_next(void *opaque, const struct edit_target *target,
	       struct changes *changes, struct error *err)
{
	const struct boot_select *select = opaque;
	struct planning planning;
	uint8_t bytes[2];
	uint16_t number = 0;
	int ret = begin(&planning, target, changes, err);

	if (ret == 0 && select->clear) {
		ret = drop_named(&planning, "BootNext", err);
	} else if (ret == 0) {
		ret = find_one(&planning, select->words, &number, err);
		if (ret == 0) {
			put_le16(bytes, number);
			ret = put_named(&planning, "BootNext", bytes, 2, err);
		}
	}
	boot_state_free(&planning.state);
	return ret;
}

/* --- timeout, setup --- */

int
boot_plan_timeout(void *opaque, const struct edit_target *target,
		  struct changes *changes, struct error *err)
{
	const struct boot_number *number = opaque;
	struct planning planning = { .state = { .store = target->store },
				     .changes = changes };
	uint8_t bytes[2];

	if (number->clear)
		return drop_named(&planning, "Timeout", err);
	put_le16(bytes, number->value);
	return put_named(&planning, "Timeout", bytes, sizeof(bytes), err);
}

int
boot_plan_setup(void *opaque, const struct edit_target *target,
		struct changes *changes, struct error *err)
{
	const struct boot_number *number = opaque;
	struct planning planning = { .state = { .store = target->store },
				     .changes = changes };
	struct variable old;
	uint64_t value = 0;
	uint8_t bytes[8];
	bool found = boot_find(target->store, "OsIndications", &old) == 0;

	if (!found && number->clear)
		return 0;
	/* edk2 removes a value of another size, BdsEntry.c:620. */
	if (found && old.data_size == sizeof(bytes))
		value = get_le64(old.data);
	if (number->clear)
		value &= ~(uint64_t)BOOT_TO_SETUP;
	else
		value |= BOOT_TO_SETUP;
	put_le64(bytes, value);
	return put_named(&planning, "OsIndications", bytes, sizeof(bytes), err);
}

/* --- reset, copy --- */

int
boot_plan_reset(void *opaque, const struct edit_target *target,
		struct changes *changes, struct error *err)
{
	struct planning planning;
	int ret = begin(&planning, target, changes, err);

	(void)opaque;
	for (size_t i = 0; ret == 0 && i < planning.state.count; i++)
		ret = drop_entry(&planning, &planning.state.entries[i], err);
	if (ret == 0)
		ret = drop_named(&planning, "BootOrder", err);
	if (ret == 0)
		ret = drop_named(&planning, "BootNext", err);
	boot_state_free(&planning.state);
	return ret;
}

static bool
is_good(const struct boot_state *state, uint16_t number)
{
	const struct boot_variable *entry = boot_state_entry(state, number);
	struct boot_entry contents;

	return entry && boot_entry_read(&contents, entry->variable.data,
					entry->variable.data_size, NULL) == 0;
}

static int
copy_entries(struct planning *planning, const struct boot_state *from,
	     struct error *err)
{
	const struct boot_state *state = &planning->state;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < state->count; i++)
		if (!is_good(from, state->entries[i].number))
			ret = drop_entry(planning, &state->entries[i], err);
	for (size_t i = 0; ret == 0 && i < from->count; i++) {
		const struct boot_variable *entry = &from->entries[i];

		if (is_good(from, entry->number))
			ret = put_entry(planning, entry->number,
					entry->variable.data,
					entry->variable.data_size, err);
	}
	return ret;
}

/* BootNext is for one guest, once. */
static int
copy_state(struct planning *planning, struct boot_state *from,
	   struct error *err)
{
	size_t count = 0;
	int ret = copy_entries(planning, from, err);

	for (size_t i = 0; i < from->order_count; i++)
		if (is_good(from, from->order[i]))
			from->order[count++] = from->order[i];
	if (ret == 0)
		ret = put_order(planning, from->order, count, err);
	return ret < 0 ? ret : drop_named(planning, "BootNext", err);
}

int
boot_plan_copy(void *opaque, const struct edit_target *target,
	       struct changes *changes, struct error *err)
{
	struct boot_state from;
	struct planning planning = { .state = { .store = NULL } };
	int ret = boot_state_read(&from, opaque, err);

	if (ret == 0)
		ret = begin(&planning, target, changes, err);
	if (ret == 0)
		ret = copy_state(&planning, &from, err);
	boot_state_free(&planning.state);
	boot_state_free(&from);
	return ret;
}
