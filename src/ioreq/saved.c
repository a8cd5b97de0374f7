/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip's state in FILE.state, and its tag (device.h): for guests that are
 * saved and restored, and for a server that ends while its guest runs on.
 */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pflash/statetag.h"

int
state_save(struct device *device, const char *tag, struct error *err)
{
	struct store_state state = { .len = cfi_state_size(&device->chip) };

	(void)snprintf(state.tag, sizeof(state.tag), "%s", tag);
	cfi_save(&device->chip, state.record);
	return store_save_state(device->store, &state, err);
}

/* The tag of a guest that was saved with this image. */
static void
saved_tag(const struct device *device, char *tag)
{
	(void)snprintf(tag, STORE_TAG_SIZE, STATE_TAG_SAVED "%08" PRIx32 " %s",
		       store_checksum(device->store), device->config.guest);
}

static bool
of_this_incarnation(const struct device *device,
		    const struct store_state *state)
{
	const char *incarnation = device->config.incarnation;

	return incarnation[0] && strcmp(state->tag, incarnation) == 0;
}

static bool
of_this_image(const struct device *device, const struct store_state *state)
{
	char tag[STORE_TAG_SIZE];

	saved_tag(device, tag);
	return device->config.has_run && device->config.guest[0] &&
	       strcmp(state->tag, tag) == 0;
}

static bool
is_saved(const struct store_state *state)
{
	return strncmp(state->tag, STATE_TAG_SAVED, strlen(STATE_TAG_SAVED)) ==
	       0;
}

/*
 * Is this a restored guest for whose flash the state proves nothing?  A guest
 * that was saved in trap mode has no memory at the flash: the tag tells that it
 * was saved.
 */
static bool
is_stale(const struct device *device, const struct store_state *state)
{
	const struct device_config *config = &device->config;
	bool restored = device->restored ||
			(config->has_run && is_saved(state) &&
			 strcmp(state->tag +
					strlen(STATE_TAG_SAVED "01234567 "),
				config->guest) == 0);

	return restored && config->guest[0] && !config->force &&
	       store_failed(device->store) != -EROFS;
}

/*
 * Removes the state of an incarnation after it was restored: if it stayed in
 * the file, the next server would restore a stale state after a crash of this
 * one.
 */
static int
forget_incarnation(struct device *device, struct store_state *state,
		   struct error *err)
{
	if (state->tag[0] == '\0' || is_saved(state) ||
	    store_failed(device->store))
		return 0;
	state->tag[0] = '\0';
	if (cfi_protect_is_new(&device->chip))
		state->len = 0;
	return store_save_state(device->store, state, err);
}

/*
 * *ours: the state is valid for this guest.  -ESTALE: the guest needs a valid
 * state.
 */
static int
check_state(const struct device *device, const struct store_state *state,
	    bool *ours, struct error *err)
{
	const struct device_config *config = &device->config;

	*ours = of_this_image(device, state);
	if (!*ours && store_released(device->store))
		return error_set(err, ESTALE,
				 "%s: has come with another guest than this "
				 "one, or with another state of it",
				 store_path(device->store));
	if (!*ours && config->incoming && !config->force)
		return error_set(err, ESTALE,
				 "%s: not known to be what it was when this "
				 "guest was saved: the .state file does not "
				 "match this guest, which migrates to this "
				 "host and may have any name (--force attaches "
				 "it anyway)",
				 store_path(device->store));
	*ours = *ours || of_this_incarnation(device, state);
	if (!*ours && is_stale(device, state))
		return error_set(err, ESTALE,
				 "%s: not known to be what it was when this "
				 "guest was saved: the file has changed since, "
				 "or its .state file is missing, and the guest "
				 "would damage its variables (--force attaches "
				 "it anyway)",
				 store_path(device->store));
	return 0;
}

int
state_load(struct device *device, struct error *err)
{
	struct store_state state;
	int ret = store_load_state(device->store, &state, err);
	bool ours = false;

	if (ret == 0)
		ret = check_state(device, &state, &ours, err);
	if (ret < 0)
		return ret;
	if (state.len == 0)
		return 0;
	ret = (ours ? cfi_restore : cfi_restore_protect)(&device->chip,
							 state.record,
							 state.len);
	if (ret < 0)
		return error_set(err, EINVAL,
				 "%s: its .state file was saved by a chip of "
				 "another geometry: remove the .state file, "
				 "which also removes the protection registers",
				 store_path(device->store));
	return forget_incarnation(device, &state, err);
}

/* The files were closed, so another process may have changed them. */
int
state_check_saved(struct device *device, struct error *err)
{
	struct store_state state;
	int ret = store_load_state(device->store, &state, err);

	if (ret < 0 || of_this_image(device, &state))
		return ret;
	return error_set(err, ESTALE,
			 "%s: was changed by another process while the guest "
			 "was suspended",
			 store_path(device->store));
}

/* True if the guest has not used the flash: there is no state to save. */
static bool
as_at_power_on(const struct device *device)
{
	const struct cfi *chip = &device->chip;
	uint8_t now[CFI_STATE_MAX], then[CFI_STATE_MAX];
	size_t size = cfi_state_size(chip);
	struct cfi fresh;

	cfi_save(chip, now);
	cfi_init(&fresh, &chip->config);
	cfi_restore_protect(&fresh, now, size);
	cfi_save(&fresh, then);
	return memcmp(now, then, size) == 0;
}

/* From now on the guest can be restored with this image. */
static int
save_for_restore(struct device *device, struct error *err)
{
	char tag[STORE_TAG_SIZE];
	int ret;

	if (!device->config.guest[0] || store_failed(device->store) == -EROFS)
		return 0;
	saved_tag(device, tag);
	ret = state_save(device, tag, err);
	if (ret == 0 && device->handover.record)
		__atomic_store_n(&device->handover.record->attached,
				 HANDOVER_SAVED, __ATOMIC_RELEASE);
	return ret;
}

int
device_save(struct device *device, struct error *err)
{
	struct error why;
	int ret, released;

	if (store_released(device->store))
		return 0;
	device_flush(device);
	ret = save_for_restore(device, err);
	released = store_release(device->store, &why);
	if (ret == 0 && released < 0)
		*err = why;
	return ret < 0 ? ret : released;
}

bool
device_saved(const struct device *device)
{
	return store_released(device->store);
}

int
device_resume(struct device *device, bool last, struct error *err)
{
	int ret = store_retake(device->store, last, err);

	if (store_released(device->store))
		return ret;
	/* The journal may be a new file, with other record numbers. */
	record_state(device);
	if (device->handover.record)
		device->handover.record->attached = HANDOVER_ATTACHED;
	return ret;
}

/*
 * For the next server of this incarnation.  The new state replaces that of a
 * saved guest.
 */
int
state_save_at_close(struct device *device, struct error *err)
{
	const char *incarnation = device->config.incarnation;
	struct store_state state;

	if (!incarnation[0] || !device->store ||
	    store_released(device->store) ||
	    store_failed(device->store) == -EROFS)
		return 0;
	if (as_at_power_on(device) &&
	    (store_load_state(device->store, &state, err) < 0 ||
	     !is_saved(&state)))
		return 0;
	return state_save(device, incarnation, err);
}
