/* SPDX-License-Identifier: BSD-2-Clause */
/* Pinned variables: the list, its values, and their record. */
#include "pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/siglist.h"

int
pins_no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for pinned variables");
}

/* --- the list --- */

static int
compare(const struct pin *pin, const struct variable *v)
{
	int order = memcmp(pin->key, v->guid, GUID_SIZE);
	uint32_t least = pin->name_size < v->name_size ? pin->name_size :
							 v->name_size;

	if (order == 0)
		order = memcmp(pin->key + GUID_SIZE, v->name, least);
	if (order != 0)
		return order;
	return (pin->name_size > v->name_size) -
	       (pin->name_size < v->name_size);
}

/* The index of the name, or where it belongs. */
static size_t
place(const struct pins *pins, const struct variable *v, bool *found)
{
	size_t low = 0, high = pins->count;

	*found = false;
	while (low < high && !*found) {
		size_t middle = low + (high - low) / 2;
		int order = compare(&pins->pins[middle], v);

		*found = order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return high;
}

struct pin *
pins_find(struct pins *pins, const struct variable *v)
{
	bool found;
	size_t index = place(pins, v, &found);

	return found ? &pins->pins[index] : NULL;
}

struct pin *
pins_add(struct pins *pins, const struct variable *v,
	 const struct pin_rule *rule)
{
	size_t room = pins->room ? 2 * pins->room : 64, index;
	struct pin *more, *pin;
	bool found;

	index = place(pins, v, &found);
	if (found)
		return &pins->pins[index];
	if (pins->count == pins->room) {
		more = reallocarray(pins->pins, room, sizeof(*more));
		if (!more)
			return NULL;
		pins->pins = more;
		pins->room = room;
	}
	pin = &pins->pins[index];
	memmove(pin + 1, pin, (pins->count - index) * sizeof(*pin));
	*pin = (struct pin){ .rule = rule, .name_size = v->name_size };
	pin->key = malloc(GUID_SIZE + (size_t)v->name_size);
	if (!pin->key) {
		memmove(pin, pin + 1, (pins->count - index) * sizeof(*pin));
		return NULL;
	}
	memcpy(pin->key, v->guid, GUID_SIZE);
	memcpy(pin->key + GUID_SIZE, v->name, v->name_size);
	pins->count++;
	return pin;
}

#define NAME_MOST 128 /* characters of a name on the command line */

/* Adds an ASCII name. */
struct pin *
pins_add_name(struct pins *pins, const uint8_t *guid, const char *name,
	      const struct pin_rule *rule)
{
	uint8_t wide[2 * (NAME_MOST + 1)] = { 0 };
	size_t len = strlen(name);
	struct variable v = { .guid = guid, .name = wide };

	for (size_t i = 0; i < len; i++)
		wide[2 * i] = (uint8_t)name[i];
	v.name_size = (uint32_t)(2 * (len + 1));
	return pins_add(pins, &v, rule);
}

void
pins_free(struct pins *pins)
{
	if (!pins)
		return;
	for (size_t i = 0; i < pins->count; i++) {
		free(pins->pins[i].key);
		free(pins->pins[i].data);
	}
	free(pins->pins);
	free(pins->headers);
	free(pins);
}

/* --- the argument of --pin --- */

static const struct {
	const char *name;
	unsigned int group;
} group_names[] = {
	{ "auto", PINS_AUTO },
	{ "keys", PINS_KEYS },
	{ "mok", PINS_MOK },
	{ "boot", PINS_BOOT },
};

static int
parse_name(struct pins *pins, const char *word, struct error *err)
{
	const char *colon = strchr(word, ':');
	uint8_t guid[GUID_SIZE];
	struct pin *pin;

	if (!colon)
		return error_set(err, EINVAL,
				 "'%s' is not off, auto, keys, mok, boot or "
				 "GUID:NAME",
				 word);
	if (!guid_parse(word, (size_t)(colon - word), guid))
		return error_set(err, EINVAL, "'%s' does not begin with a GUID",
				 word);
	for (const char *c = colon + 1; *c; c++)
		if (*c < ' ' || *c > '~')
			return error_set(err, EINVAL,
					 "'%s' is not a name of printable "
					 "ASCII characters",
					 colon + 1);
	if (!colon[1] || strlen(colon + 1) > NAME_MOST)
		return error_set(err, EINVAL,
				 "'%s' is not a name of 1 to %d characters",
				 colon + 1, NAME_MOST);
	pin = pins_add_name(pins, guid, colon + 1, NULL);
	if (!pin)
		return pins_no_memory(err);
	pin->wanted = true;
	return 0;
}

static int
parse_word(struct pins *pins, const char *word, struct error *err)
{
	size_t count = sizeof(group_names) / sizeof(group_names[0]);

	for (size_t i = 0; i < count; i++)
		if (strcmp(word, group_names[i].name) == 0) {
			pins->groups |= group_names[i].group;
			return 0;
		}
	return parse_name(pins, word, err);
}

int
pins_parse(struct pins **out, const char *text, struct error *err)
{
	char *words, *rest, *word;
	struct pins *pins;
	int ret = 0;

	*out = NULL;
	if (strcmp(text, "off") == 0)
		return 0;
	pins = calloc(1, sizeof(*pins));
	words = rest = strdup(text);
	if (!pins || !words)
		ret = pins_no_memory(err);
	while (ret == 0 && (word = strsep(&rest, ",")))
		ret = parse_word(pins, word, err);
	free(words);
	if (ret < 0) {
		pins_free(pins);
		return ret;
	}
	*out = pins;
	return 0;
}

/* --- values --- */

int
pin_decide(struct pins *pins, struct pin *pin, const struct variable *v,
	   struct error *err)
{
	uint8_t *data = NULL;

	if (v) {
		data = malloc(v->data_size + (size_t)1);
		if (!data)
			return pins_no_memory(err);
		memcpy(data, v->data, v->data_size);
		pin->attributes = v->attributes;
		pin->time = v->time;
		pin->data_size = v->data_size;
	}
	free(pin->data);
	pin->data = data;
	pin->present = v != NULL;
	pin->decided = true;
	pins->changed = true;
	return 0;
}

uint64_t
pin_time(const struct variable_time *time)
{
	return (uint64_t)time->year << 40 | (uint64_t)time->month << 32 |
	       (uint64_t)time->day << 24 | (uint64_t)time->hour << 16 |
	       (uint64_t)time->minute << 8 | time->second;
}

static bool
has_data(const struct variable *v, const void *data, uint32_t size)
{
	return v->data_size == size && memcmp(v->data, data, size) == 0;
}

/* May a guest write this where there was no such variable? */
static bool
may_make(const struct pin *pin, const struct variable *v)
{
	const struct pin_rule *rule = pin->rule;

	if (!rule || (rule->change != PIN_MADE && rule->change != PIN_FIRST))
		return false;
	return rule->change == PIN_FIRST ||
	       (v->attributes == rule->attributes &&
		has_data(v, rule->data, rule->data_size));
}

/* New signature lists behind the pinned bytes, as an append writes them. */
static bool
has_more_lists(const struct pin *pin, const struct variable *v)
{
	return v->data_size >= pin->data_size &&
	       memcmp(v->data, pin->data, pin->data_size) == 0 &&
	       siglist_check(v->data + pin->data_size,
			     v->data_size - pin->data_size, NULL, NULL) == 0;
}

/*
 * Every pinned signature is there, with its owner: Windows gives some hashes of
 * dbx another meaning by their owner.
 */
static bool
has_all_signatures(const struct pin *pin, const struct variable *v)
{
	const struct siglists new = { (uint8_t *)v->data, v->data_size };
	struct siglist_walk walk;
	struct signature old;
	int step;

	if (siglist_check(v->data, v->data_size, NULL, NULL) < 0 ||
	    siglist_check(pin->data, pin->data_size, NULL, NULL) < 0)
		return false;
	siglist_begin(&walk, pin->data, pin->data_size);
	while ((step = siglist_next(&walk, &old, NULL)) > 0)
		if (!siglists_have(&new, &old, true))
			return false;
	return step == 0;
}

/* It only narrows trust, and its time stamp is no older one. */
static bool
has_grown(const struct pin *pin, const struct variable *v)
{
	return pin->rule && pin->rule->change == PIN_GROWS &&
	       v->attributes == pin->attributes &&
	       pin_time(&v->time) >= pin_time(&pin->time) &&
	       (has_more_lists(pin, v) || has_all_signatures(pin, v));
}

bool
pin_has_value(const struct pin *pin, const struct variable *v)
{
	return pin->present && v->attributes == pin->attributes &&
	       pin_time(&v->time) == pin_time(&pin->time) &&
	       has_data(v, pin->data, pin->data_size);
}

bool
pin_allows(const struct pin *pin, const struct variable *v)
{
	if (!pin->present)
		return may_make(pin, v);
	return pin_has_value(pin, v) || has_grown(pin, v);
}

struct variable
pin_name(const struct pin *pin)
{
	return (struct variable){
		.guid = pin->key,
		.name = pin->key + GUID_SIZE,
		.name_size = pin->name_size,
	};
}

const uint8_t pins_platform_key[6] = { 'P', 0, 'K', 0, 0, 0 };
const uint8_t pins_boot_order[20] = {
	'B', 0, 'o', 0, 'o', 0, 't', 0, 'O', 0,
	'r', 0, 'd', 0, 'e', 0, 'r', 0, 0,   0,
};

bool
pins_decided(struct pins *pins, const uint8_t *name, uint32_t size)
{
	const struct variable v = {
		.guid = guid_global,
		.name = name,
		.name_size = size,
	};
	const struct pin *pin = pins_find(pins, &v);

	return pin && pin->decided;
}

/* --- the record --- */

struct edit_value
pin_value(const struct pin *pin)
{
	return (struct edit_value){
		.guid = pin->key,
		.name = pin->key + GUID_SIZE,
		.name_size = pin->name_size,
		.attributes = pin->attributes,
		.time = pin->time,
		.data = pin->data,
		.data_size = pin->data_size,
	};
}

static int
load(struct pins *pins, const struct change *change, struct error *err)
{
	const struct variable v = change_variable(change);
	struct pin *pin = pins_add(pins, &v, NULL);

	if (!pin)
		return pins_no_memory(err);
	return pin_decide(pins, pin, change->kind == CHANGE_SET ? &v : NULL,
			  err);
}

int
pins_load(struct pins *pins, const struct changes *record, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; i < changes_count(record) && ret == 0; i++)
		ret = load(pins, changes_at(record, i), err);
	pins->changed = false;
	return ret;
}

bool
pins_changed(const struct pins *pins)
{
	return pins->changed;
}

int
pins_save(const struct pins *pins, struct changes *record, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; i < pins->count && ret == 0; i++) {
		const struct pin *pin = &pins->pins[i];
		struct edit_value value = pin_value(pin);

		if (pin->decided && pin->present)
			ret = changes_set(record, &value, err);
		else if (pin->decided)
			ret = changes_remove(record, value.guid, value.name,
					     value.name_size, err);
	}
	return ret;
}

int
pins_host_changes(struct pins *pins, const struct changes *changes,
		  struct error *err)
{
	bool boot = pins_decided(pins, pins_boot_order,
				 sizeof(pins_boot_order));
	int ret = 0;

	for (size_t i = 0; i < changes_count(changes) && ret == 0; i++) {
		const struct change *change = changes_at(changes, i);
		const struct variable v = change_variable(change);
		const struct pin *pin = pins_find(pins, &v);

		if ((pin && pin->decided) || (boot && pin_is_boot_entry(&v)))
			ret = load(pins, change, err);
	}
	return ret;
}

bool
pins_active(const struct pins *pins)
{
	return pins->active;
}
