/* SPDX-License-Identifier: BSD-2-Clause */
/* Pinned variables: the judgement of an image. */
#include "pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ftw.h"
#include "variable.h"

#include "pflash/fv.h"

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
	const struct variable v = pin_name(pin);

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
	pin = pins_find(pins, v);
	if (!pin || !pin->wanted)
		return (pins->groups & PINS_BOOT) && pin_is_boot_entry(v) ?
			       refuse(why, v, "boot entries are pinned") :
			       0;
	if (!pin_allows(pin, v))
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

/*
 * While a reclaim is pending, the driver erases the headers in place and writes
 * them again, from the first byte on.  No volume header with other bytes may be
 * there, because the driver would find the destination of the pending write by
 * it; an incomplete one is not valid, and the driver makes it again
 * (FwBlockService.c, ValidateFvHeader()).
 */
static bool
is_being_written(const uint8_t *headers, const uint8_t *wanted, size_t size)
{
	size_t done = 0;

	while (done < size && headers[done] == wanted[done])
		done++;
	return fv_is_erased(headers + done, size - done);
}

/* The headers of volume and store, in place and in the spare area's copy. */
static int
judge_headers(const struct pins *pins, const struct varstore *store,
	      size_t base, struct error *why)
{
	size_t size = pins->headers_size;

	if (store->start - base == size &&
	    (memcmp(store->image, pins->headers, size) == 0 ||
	     (store->in_spare &&
	      is_being_written(store->image, pins->headers, size))) &&
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
	if (pins->held && store.in_spare) {
		pins_held_why(why);
		return -EPERM;
	}
	ret = judge_headers(pins, &store,
			    store.in_spare ? layout->ftw_spare : 0, why);
	if (ret == 0)
		ret = judge_variables(pins, &store, why);
	if (ret == 0)
		pins->in_spare = store.in_spare;
	return ret;
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
		    pin_has_value(pin, &pin->last))
			continue;
		if (pin_decide(pins, pin, &pin->last, why) < 0)
			return false;
	}
	return true;
}

/* After a refused reclaim. */
static void
hold(struct pins *pins, const uint8_t *image, size_t size)
{
	const struct fv_layout *layout = fv_layout_by_size(size);

	if (layout && !pins->in_spare && ftw_replaces_store(layout, image))
		pins->held = layout->variable_size;
}

size_t
pins_held(const struct pins *pins)
{
	return pins->held;
}

void
pins_held_why(struct error *why)
{
	error_set(why, EPERM,
		  "the firmware has reclaimed the store for a refused value, "
		  "and changes no variable any more until its next boot");
}

bool
pins_judge(struct pins *pins, const uint8_t *image, size_t size,
	   struct error *why)
{
	if (!pins->active)
		return true;
	if (judge_store(pins, image, size, why) == 0)
		return take_over(pins, why);
	hold(pins, image, size);
	return false;
}
