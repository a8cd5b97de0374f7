/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes over the device of an earlier process.  Xen still has the server and
 * the guest's frames; the handover record has the other data.
 */
#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void
record_mode(struct device *device, uint32_t mode)
{
	struct handover *record = device->handover.record;

	if (!record)
		return;
	if (window_mode(device->window) == WINDOW_DIRECT)
		mode |= HANDOVER_DIRECT;
	HANDOVER_ORDER();
	__atomic_store_n(&record->mode, mode, __ATOMIC_RELEASE);
	HANDOVER_ORDER();
}

void
record_state(struct device *device)
{
	const struct handover *record = device->handover.record;

	if (record)
		handover_write(&device->handover, handover_under_way(record));
}

/* Stores `attached` last: the record is valid only when it is complete. */
void
record_attached(struct device *device)
{
	const struct device_config *config = &device->config;
	struct handover *record = device->handover.record;

	if (!record)
		return;
	record->server = ioreq_server_id(device->server);
	memcpy(record->incarnation, config->incarnation,
	       sizeof(record->incarnation));
	(void)snprintf(record->vars, sizeof(record->vars), "%s",
		       store_path(device->store));
	record->base = config->base;
	record->size = config->geometry.size;
	record_mode(device, 0);
	record->window_ready = !device->awaits_firmware;
	for (unsigned int i = 0; i < 2; i++) {
		handover_next(record)->changes = 0; /* without contents */
		handover_write(&device->handover, 0);
	}
	__atomic_store_n(&record->attached, HANDOVER_ATTACHED,
			 __ATOMIC_RELEASE);
}

void
record_released(struct device *device)
{
	struct handover *record = device->handover.record;

	if (record && store_released(device->store))
		__atomic_store_n(&record->attached, HANDOVER_SAVED,
				 __ATOMIC_RELEASE);
}

int
takeover_window(struct device *device, struct error *err)
{
	const struct handover *record = device->handover.record;
	struct transport *t = device->transport;

	if (record->mode & HANDOVER_CHANGING)
		return window_adopt_changing(&device->window, t, record->base,
					     record->size, err);
	return window_adopt(&device->window, t, record->base, record->size,
			    record->mode & HANDOVER_DIRECT, err);
}

/* Restores the chip's state and the open burst after the last access. */
int
takeover_chip(struct device *device, struct error *err)
{
	struct handover *record = device->handover.record;
	const struct handover_state *state = handover_now(record);
	size_t len = cfi_state_size(&device->chip);

	if (record->attached == HANDOVER_SAVED &&
	    state_check_saved(device, err) < 0)
		return -ESTALE;
	if (store_resume_burst(device->store, &state->burst))
		return error_set(err, EINVAL,
				 "%s: cannot restore the open burst: the "
				 "handover record is damaged, or the journal "
				 "cannot be read",
				 store_path(device->store));
	if (cfi_restore(&device->chip, state->chip, len))
		return error_set(err, EINVAL,
				 "the guest's flash has another geometry or "
				 "personality: start pflashd with the options "
				 "of the earlier one");
	/* The other process counted its own changes: write the whole chip. */
	record->state[0].changes = record->state[1].changes = 0;
	record->takeovers++;
	record->attached = HANDOVER_ATTACHED;
	/* The state names the last record; opening the journal adds some. */
	record_state(device);
	return 0;
}

/*
 * If HANDOVER_PAUSED is set, the earlier process has paused the guest for a
 * change of the mode, or died just before it did.  Updates the record after the
 * unpause: if this process dies in between, the next one unpauses the guest
 * again, which does no harm.
 */
void
takeover_end_pause(struct device *device)
{
	struct transport *t = device->transport;

	if (device->handover.record->mode & HANDOVER_PAUSED)
		t->ops->unpause(t);
	record_mode(device, 0);
}
