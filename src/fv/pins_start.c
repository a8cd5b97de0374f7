/* SPDX-License-Identifier: BSD-2-Clause */
/* Pinned variables: the start of a guest. */
#include "pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ftw.h"

#include "pflash/fv.h"

static int
add_rules(struct pins *pins, struct error *err)
{
	for (const struct pin_rule *rule = pin_rules; rule->name; rule++) {
		struct pin *pin;

		if (!(rule->group & pins->groups))
			continue;
		pin = pins_add_name(pins, rule->guid, rule->name, rule);
		if (!pin)
			return pins_no_memory(err);
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
		.name = pins_platform_key,
		.name_size = sizeof(pins_platform_key),
	};
	const struct pin *pin = pins_find(pins, &pk);
	struct variable found;

	return (pin && pin->decided && pin->present) ||
	       varstore_find(store, guid_global, pins_platform_key,
			     sizeof(pins_platform_key), &found) == 0;
}

/* The boot entries of the record, or of the store if the record has none. */
static int
add_boot_entries(struct pins *pins, const struct varstore *store,
		 struct error *err)
{
	struct variable v = { 0 };

	for (size_t i = 0; i < pins->count; i++) {
		struct pin *pin = &pins->pins[i];
		const struct variable entry = pin_name(pin);

		pin->wanted = pin->wanted || pin_is_boot_entry(&entry);
	}
	if (pins_decided(pins, pins_boot_order, sizeof(pins_boot_order)))
		return 0;
	while (varstore_next(store, &v) > 0) {
		struct pin *pin;

		if (!v.live || !pin_is_boot_entry(&v))
			continue;
		pin = pins_add(pins, &v, NULL);
		if (!pin)
			return pins_no_memory(err);
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
			ret = pin_decide(pins, pin, found ? &v : NULL, err);
	}
	return ret;
}

static int
plan_pin(const struct pin *pin, const struct varstore *store,
	 struct changes *changes, struct error *err)
{
	struct edit_value value = pin_value(pin);
	struct variable v;
	bool found = varstore_find(store, value.guid, value.name,
				   value.name_size, &v) == 0;

	if (!pin->wanted || (found ? pin_allows(pin, &v) : !pin->present))
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
		if (v.live && pin_is_boot_entry(&v) && !pins_find(pins, &v))
			ret = changes_remove(changes, v.guid, v.name,
					     v.name_size, err);
	return ret;
}

static int
correct(struct pins *pins, uint8_t *image, size_t size, struct error *err)
{
	struct changes *changes = changes_new();
	struct varstore store;
	int ret = changes ? 0 : pins_no_memory(err);

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
		return pins_no_memory(err);
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
		return pins_no_memory(err);
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
	bool boot = pins_decided(pins, pins_boot_order,
				 sizeof(pins_boot_order));
	struct variable v = { 0 };
	struct varstore store;
	int ret = varstore_open(&store, image, size, err);

	for (size_t i = 0; i < pins->count && ret == 0; i++) {
		struct pin *pin = &pins->pins[i];
		bool found = varstore_find(&store, pin->key,
					   pin->key + GUID_SIZE, pin->name_size,
					   &v) == 0;

		if (pin->decided)
			ret = pin_decide(pins, pin, found ? &v : NULL, err);
	}
	v = (struct variable){ 0 };
	while (boot && ret == 0 && varstore_next(&store, &v) > 0) {
		struct pin *pin;

		if (!v.live || !pin_is_boot_entry(&v))
			continue;
		pin = pins_add(pins, &v, NULL);
		ret = pin ? pin_decide(pins, pin, &v, err) :
			    pins_no_memory(err);
	}
	return ret;
}

/* `image` becomes what the guest is to start with. */
static int
prepare(struct pins *pins, uint8_t *image, size_t size, struct error *err)
{
	bool optional = pins->groups == PINS_AUTO && pins->count == 0;
	int ret = keep_headers(pins, image, size, err), corrected;

	pins->held = 0;
	if (ret == 0)
		ret = choose(pins, image, size, err);
	else if (optional && ret == -EINVAL)
		ret = 0; /* not a flash of OVMF, and it never had a PK */
	pins->active = ret == 0 && pins_count(pins) > 0;
	if (!pins->active)
		return ret;
	ret = corrected = correct(pins, image, size, err);
	if (ret >= 0)
		ret = settle(pins, image, size, err);
	if (ret < 0)
		pins->active = false;
	return ret < 0 ? ret : corrected || ret;
}

int
pins_start(struct pins *pins, uint8_t *image, size_t size, struct error *err)
{
	uint8_t *copy = malloc(size);
	int ret;

	if (!copy)
		return pins_no_memory(err);
	memcpy(copy, image, size);
	ret = prepare(pins, copy, size, err);
	if (pins->active)
		ftw_forget_refused(fv_layout_by_size(size), copy);
	if (ret >= 0 && memcmp(image, copy, size) != 0) {
		memcpy(image, copy, size);
		ret = 1;
	}
	free(copy);
	return ret;
}

int
pins_continue(struct pins *pins, const uint8_t *image, size_t size,
	      struct error *err)
{
	const struct fv_layout *layout = fv_layout_by_size(size);
	uint8_t *copy = malloc(size);
	size_t at;
	int ret;

	if (!copy)
		return pins_no_memory(err);
	memcpy(copy, image, size);
	ret = prepare(pins, copy, size, err);
	if (pins->active && ftw_was_refused(layout, image, &at))
		pins->held = layout->variable_size;
	free(copy);
	return ret;
}
