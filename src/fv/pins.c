/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pinned variables: their values, the start, and the judgement of an image.
 */
#include "pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ftw.h"
#include "guid.h"
#include "variable.h"

#include "pflash/fv.h"

/* A pinned name.  The bytes of `key` are GUID and name, with its NUL. */
struct pin {
	const struct pin_rule *rule; /* NULL: named by the host */
	uint8_t *key;
	uint32_t name_size;
	bool wanted;  /* by the groups; other pins are only in the record */
	bool decided; /* the rest is valid */
	bool present; /* false: there must be no such variable */
	uint32_t attributes;
	struct variable_time time;
	uint8_t *data;
	uint32_t data_size;
	/* Of one judgement: variables that may be taken for this one. */
	unsigned int found;
	struct variable last; /* of these */
};

struct pins {
	unsigned int groups;
	struct pin *pins; /* sorted by their keys */
	size_t count, room;
	bool active;
	bool changed; /* since pins_load() */
	/* The headers of volume and store, which no firmware changes. */
	uint8_t *headers;
	size_t headers_size;
};

static int
no_memory(struct error *err)
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

static struct pin *
find(struct pins *pins, const struct variable *v)
{
	bool found;
	size_t index = place(pins, v, &found);

	return found ? &pins->pins[index] : NULL;
}

/* The pin of this name, a new one if necessary; NULL: no memory. */
static struct pin *
add(struct pins *pins, const struct variable *v, const struct pin_rule *rule)
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
static struct pin *
add_name(struct pins *pins, const uint8_t *guid, const char *name,
	 const struct pin_rule *rule)
{
	uint8_t wide[2 * (NAME_MOST + 1)] = { 0 };
	size_t len = strlen(name);
	struct variable v = { .guid = guid, .name = wide };

	for (size_t i = 0; i < len; i++)
		wide[2 * i] = (uint8_t)name[i];
	v.name_size = (uint32_t)(2 * (len + 1));
	return add(pins, &v, rule);
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
	pin = add_name(pins, guid, colon + 1, NULL);
	if (!pin)
		return no_memory(err);
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
		ret = no_memory(err);
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

/* Decides that there is no such variable, or, with `v`, that it is this one. */
static int
decide(struct pins *pins, struct pin *pin, const struct variable *v,
       struct error *err)
{
	uint8_t *data = NULL;

	if (v) {
		data = malloc(v->data_size + (size_t)1);
		if (!data)
			return no_memory(err);
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

static uint64_t
as_number(const struct variable_time *time)
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

/* New signature lists behind the pinned bytes, and no older time stamp. */
static bool
has_grown(const struct pin *pin, const struct variable *v)
{
	return pin->rule && pin->rule->change == PIN_GROWS &&
	       v->attributes == pin->attributes &&
	       as_number(&v->time) >= as_number(&pin->time) &&
	       v->data_size >= pin->data_size &&
	       memcmp(v->data, pin->data, pin->data_size) == 0 &&
	       pin_is_lists(v->data + pin->data_size,
			    v->data_size - pin->data_size);
}

/* True if the variable may be there under the pin's name. */
static bool
allows(const struct pin *pin, const struct variable *v)
{
	if (!pin->present)
		return may_make(pin, v);
	return (v->attributes == pin->attributes &&
		as_number(&v->time) == as_number(&pin->time) &&
		has_data(v, pin->data, pin->data_size)) ||
	       has_grown(pin, v);
}

static struct variable
name_of(const struct pin *pin)
{
	return (struct variable){
		.guid = pin->key,
		.name = pin->key + GUID_SIZE,
		.name_size = pin->name_size,
	};
}

static const uint8_t platform_key[] = { 'P', 0, 'K', 0, 0, 0 };
static const uint8_t boot_order[] = {
	'B', 0, 'o', 0, 'o', 0, 't', 0, 'O', 0,
	'r', 0, 'd', 0, 'e', 0, 'r', 0, 0,   0,
};

/* True if the record has a value, or that there is none, for this name. */
static bool
is_decided(struct pins *pins, const uint8_t *name, uint32_t size)
{
	const struct variable v = {
		.guid = guid_global,
		.name = name,
		.name_size = size,
	};
	const struct pin *pin = find(pins, &v);

	return pin && pin->decided;
}

/* --- the record --- */

static struct edit_value
value_of(const struct pin *pin)
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
	const struct edit_value *value = &change->value;
	const struct variable v = {
		.guid = value->guid,
		.name = value->name,
		.name_size = value->name_size,
		.attributes = value->attributes,
		.time = value->time,
		.data = value->data,
		.data_size = value->data_size,
	};
	struct pin *pin = add(pins, &v, NULL);

	if (!pin)
		return no_memory(err);
	return decide(pins, pin, change->kind == CHANGE_SET ? &v : NULL, err);
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
		struct edit_value value = value_of(pin);

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
	bool boot = is_decided(pins, boot_order, sizeof(boot_order));
	int ret = 0;

	for (size_t i = 0; i < changes_count(changes) && ret == 0; i++) {
		const struct change *change = changes_at(changes, i);
		const struct variable v = {
			.guid = change->value.guid,
			.name = change->value.name,
			.name_size = change->value.name_size,
		};
		const struct pin *pin = find(pins, &v);

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

/* --- the judgement --- */

static int
refuse(struct error *why, const struct variable *v, const char *reason)
{
	char name[128], guid[GUID_TEXT_SIZE];
	const char *vendor = guid_name(v->guid);

	(void)variable_name(v, name, sizeof(name));
	guid_format(v->guid, guid);
	return error_set(why, EPERM, "%s:%s: %s", vendor ? vendor : guid, name,
			 reason);
}

static int
refuse_pin(struct error *why, const struct pin *pin, const char *reason)
{
	const struct variable v = name_of(pin);

	return refuse(why, &v, reason);
}

static bool
is_pinned_vendor(const struct pins *pins, const uint8_t *guid)
{
	for (size_t i = 0; i < pins->count; i++)
		if (pins->pins[i].wanted &&
		    memcmp(pins->pins[i].key, guid, GUID_SIZE) == 0)
			return true;
	return false;
}

/*
 * edk2 compares as many bytes of a name as the variable in flash claims to
 * have, even none (VariableParsing.c:505), so that a name that is no string can
 * be taken for another one.
 */
static int
judge_variable(struct pins *pins, const struct variable *v, struct error *why)
{
	struct pin *pin;

	if (!variable_name_valid(v))
		return is_pinned_vendor(pins, v->guid) ?
			       refuse(why, v,
				      "the name is no string, and the firmware "
				      "could take it for a pinned one") :
			       0;
	pin = find(pins, v);
	if (!pin || !pin->wanted)
		return (pins->groups & PINS_BOOT) && pin_is_boot_entry(v) ?
			       refuse(why, v, "boot entries are pinned") :
			       0;
	if (!allows(pin, v))
		return refuse(why, v,
			      pin->present ?
				      "another value than the pinned one" :
				      "is pinned as missing");
	pin->found++;
	pin->last = *v;
	return 0;
}

static int
judge_variables(struct pins *pins, const struct varstore *store,
		struct error *why)
{
	struct variable v = { 0 };
	int ret, step;

	for (size_t i = 0; i < pins->count; i++)
		pins->pins[i].found = 0;
	while ((step = variable_step(store, &v)) > 0) {
		if (!variable_can_be_live(v.state))
			continue;
		ret = judge_variable(pins, &v, why);
		if (ret < 0)
			return ret;
	}
	if (step < 0)
		return error_set(why, EPERM,
				 "the variables could not be read to their "
				 "end");
	for (size_t i = 0; i < pins->count; i++)
		if (pins->pins[i].wanted && pins->pins[i].present &&
		    !pins->pins[i].found)
			return refuse_pin(why, &pins->pins[i],
					  "would be removed");
	return 0;
}

/* The headers of volume and store, in place and in the spare area's copy. */
static int
judge_headers(const struct pins *pins, const struct varstore *store,
	      size_t base, struct error *why)
{
	size_t size = pins->headers_size;

	if (store->start - base == size &&
	    memcmp(store->image, pins->headers, size) == 0 &&
	    memcmp(store->image + base, pins->headers, size) == 0)
		return 0;
	return error_set(why, EPERM,
			 "the header of the volume or of the variable store "
			 "would be changed");
}

static int
judge_store(struct pins *pins, const uint8_t *image, size_t size,
	    struct error *why)
{
	const struct fv_layout *layout = fv_layout_by_size(size);
	struct varstore store;
	int ret;

	if (ftw_writes_other(layout, image))
		return error_set(why, EPERM,
				 "the firmware would write something else than "
				 "a copy of the variables at its next boot");
	if (varstore_open(&store, image, size, why) < 0)
		return -EPERM;
	ret = judge_headers(pins, &store,
			    store.in_spare ? layout->ftw_spare : 0, why);
	return ret < 0 ? ret : judge_variables(pins, &store, why);
}

/*
 * A new value that is allowed becomes the pinned one when no older one is left:
 * the driver deletes that one last (Variable.c:2324).
 */
static bool
take_over(struct pins *pins, struct error *why)
{
	for (size_t i = 0; i < pins->count; i++) {
		struct pin *pin = &pins->pins[i];

		if (!pin->wanted || pin->found != 1 ||
		    (pin->present && pin->last.data_size == pin->data_size &&
		     as_number(&pin->last.time) == as_number(&pin->time)))
			continue;
		if (decide(pins, pin, &pin->last, why) < 0)
			return false;
	}
	return true;
}

bool
pins_judge(struct pins *pins, const uint8_t *image, size_t size,
	   struct error *why)
{
	if (!pins->active)
		return true;
	return judge_store(pins, image, size, why) == 0 && take_over(pins, why);
}

/* --- the start --- */

static int
add_rules(struct pins *pins, struct error *err)
{
	for (const struct pin_rule *rule = pin_rules; rule->name; rule++) {
		struct pin *pin;

		if (!(rule->group & pins->groups))
			continue;
		pin = add_name(pins, rule->guid, rule->name, rule);
		if (!pin)
			return no_memory(err);
		pin->rule = rule; /* of a name in the record, too */
		pin->wanted = true;
	}
	return 0;
}

static bool
has_pk(struct pins *pins, const struct varstore *store)
{
	const struct variable pk = {
		.guid = guid_global,
		.name = platform_key,
		.name_size = sizeof(platform_key),
	};
	const struct pin *pin = find(pins, &pk);
	struct variable found;

	return (pin && pin->decided && pin->present) ||
	       varstore_find(store, guid_global, platform_key,
			     sizeof(platform_key), &found) == 0;
}

/* The boot entries of the record, or of the store if the record has none. */
static int
add_boot_entries(struct pins *pins, const struct varstore *store,
		 struct error *err)
{
	struct variable v = { 0 };

	for (size_t i = 0; i < pins->count; i++) {
		struct pin *pin = &pins->pins[i];
		const struct variable entry = name_of(pin);

		pin->wanted = pin->wanted || pin_is_boot_entry(&entry);
	}
	if (is_decided(pins, boot_order, sizeof(boot_order)))
		return 0;
	while (varstore_next(store, &v) > 0) {
		struct pin *pin;

		if (!v.live || !pin_is_boot_entry(&v))
			continue;
		pin = add(pins, &v, NULL);
		if (!pin)
			return no_memory(err);
		pin->wanted = true;
	}
	return 0;
}

/* Decides what the record does not say, by the variables that are there. */
static int
decide_rest(struct pins *pins, const struct varstore *store, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; i < pins->count && ret == 0; i++) {
		struct pin *pin = &pins->pins[i];
		struct variable v;
		bool found = varstore_find(store, pin->key,
					   pin->key + GUID_SIZE, pin->name_size,
					   &v) == 0;

		if (pin->wanted && !pin->decided)
			ret = decide(pins, pin, found ? &v : NULL, err);
	}
	return ret;
}

static int
plan_pin(const struct pin *pin, const struct varstore *store,
	 struct changes *changes, struct error *err)
{
	struct edit_value value = value_of(pin);
	struct variable v;
	bool found = varstore_find(store, value.guid, value.name,
				   value.name_size, &v) == 0;

	if (!pin->wanted || (found ? allows(pin, &v) : !pin->present))
		return 0;
	return pin->present ? changes_set(changes, &value, err) :
			      changes_remove(changes, value.guid, value.name,
					     value.name_size, err);
}

/* Plans the removal of boot entries that are not pinned. */
static int
plan_boot_entries(struct pins *pins, const struct varstore *store,
		  struct changes *changes, struct error *err)
{
	struct variable v = { 0 };
	int ret = 0;

	if (!(pins->groups & PINS_BOOT))
		return 0;
	while (ret == 0 && varstore_next(store, &v) > 0)
		if (v.live && pin_is_boot_entry(&v) && !find(pins, &v))
			ret = changes_remove(changes, v.guid, v.name,
					     v.name_size, err);
	return ret;
}

static int
correct(struct pins *pins, uint8_t *image, size_t size, struct error *err)
{
	struct changes *changes = changes_new();
	struct varstore store;
	int ret = changes ? 0 : no_memory(err);

	if (ret == 0)
		ret = varstore_open(&store, image, size, err);
	for (size_t i = 0; i < pins->count && ret == 0; i++)
		ret = plan_pin(&pins->pins[i], &store, changes, err);
	if (ret == 0)
		ret = plan_boot_entries(pins, &store, changes, err);
	if (ret == 0 && changes_count(changes))
		ret = changes_apply(changes, image, size, err);
	changes_free(changes);
	return ret;
}

/*
 * An older value of a pinned name that a power cut has left is dropped by a
 * compaction.
 */
static int
settle(struct pins *pins, uint8_t *image, size_t size, struct error *err)
{
	uint8_t *compact;
	struct error why;
	int ret = 0;

	if (pins_judge(pins, image, size, &why))
		return 0;
	compact = malloc(size);
	if (!compact)
		return no_memory(err);
	ret = fv_compact(image, size, compact, err);
	if (ret >= 0 && !pins_judge(pins, compact, size, err))
		ret = -EINVAL;
	if (ret >= 0)
		memcpy(image, compact, size);
	free(compact);
	return ret < 0 ? ret : 1;
}

static int
keep_headers(struct pins *pins, const uint8_t *image, size_t size,
	     struct error *err)
{
	struct fv_report report = { .count = 0 };
	struct varstore store;

	if (!fv_check(image, size, &report) || !report.layout)
		return error_set(
			err, EINVAL,
			"pinned variables need a flash of a known "
			"layout without errors: see `pflashctl check`");
	if (varstore_open(&store, image, size, err) < 0)
		return -EINVAL;
	pins->headers_size = store.start -
			     (store.in_spare ? report.layout->ftw_spare : 0);
	free(pins->headers);
	pins->headers = malloc(pins->headers_size);
	if (!pins->headers)
		return no_memory(err);
	memcpy(pins->headers, image, pins->headers_size);
	return 0;
}

/* Decides which variables are pinned, and their values. */
static int
choose(struct pins *pins, const uint8_t *image, size_t size, struct error *err)
{
	const unsigned int secure = PINS_KEYS | PINS_MOK;
	struct varstore store;
	int ret = varstore_open(&store, image, size, err);

	if (ret < 0)
		return ret;
	if (pins->groups & PINS_AUTO)
		pins->groups |= secure;
	if (!has_pk(pins, &store))
		pins->groups &= ~secure;
	ret = add_rules(pins, err);
	if (ret == 0 && (pins->groups & PINS_BOOT))
		ret = add_boot_entries(pins, &store, err);
	return ret == 0 ? decide_rest(pins, &store, err) : ret;
}

size_t
pins_count(const struct pins *pins)
{
	size_t count = 0;

	for (size_t i = 0; i < pins->count; i++)
		count += pins->pins[i].wanted;
	return count;
}

int
pins_accept(struct pins *pins, const uint8_t *image, size_t size,
	    struct error *err)
{
	bool boot = is_decided(pins, boot_order, sizeof(boot_order));
	struct variable v = { 0 };
	struct varstore store;
	int ret = varstore_open(&store, image, size, err);

	for (size_t i = 0; i < pins->count && ret == 0; i++) {
		struct pin *pin = &pins->pins[i];
		bool found = varstore_find(&store, pin->key,
					   pin->key + GUID_SIZE, pin->name_size,
					   &v) == 0;

		if (pin->decided)
			ret = decide(pins, pin, found ? &v : NULL, err);
	}
	v = (struct variable){ 0 };
	while (boot && ret == 0 && varstore_next(&store, &v) > 0) {
		struct pin *pin;

		if (!v.live || !pin_is_boot_entry(&v))
			continue;
		pin = add(pins, &v, NULL);
		ret = pin ? decide(pins, pin, &v, err) : no_memory(err);
	}
	return ret;
}

int
pins_start(struct pins *pins, uint8_t *image, size_t size, struct error *err)
{
	uint8_t *copy = malloc(size);
	int ret, corrected = 0, settled = 0;
	bool optional;

	if (!copy)
		return no_memory(err);
	memcpy(copy, image, size);
	optional = pins->groups == PINS_AUTO && pins->count == 0;
	ret = keep_headers(pins, copy, size, err);
	if (ret == 0)
		ret = choose(pins, copy, size, err);
	else if (optional && ret == -EINVAL)
		ret = 0; /* not a flash of OVMF, and it never had a PK */
	pins->active = ret == 0 && pins_count(pins) > 0;
	if (pins->active)
		ret = corrected = correct(pins, copy, size, err);
	if (pins->active && ret >= 0)
		ret = settled = settle(pins, copy, size, err);
	if (ret >= 0)
		memcpy(image, copy, size);
	else
		pins->active = false;
	free(copy);
	return ret < 0 ? ret : corrected || settled;
}
