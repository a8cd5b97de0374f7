/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device that an earlier process has left behind: the server and the guest's
 * frames are there, the handover record has the rest.
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

/* The record counts when it is complete: `attached` is written last. */
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
	record->taken = !device->awaits_firmware;
	for (unsigned int i = 0; i < 2; i++) {
		/* Neither state has the chip yet: write all of it. */
		handover_next(record)->changes = device->chip.changes + 1;
		handover_write(&device->handover, 0);
	}
	__atomic_store_n(&record->attached, HANDOVER_ATTACHED,
			 __ATOMIC_RELEASE);
}

int
takeover_window(struct device *device, struct error *err)
{
	const struct handover *record = device->handover.record;
	struct transport *t = device->transport;

	if (record->mode & HANDOVER_CHANGING)
		return window_adopt_between(&device->window, t, record->base,
					    record->size, err);
	return window_adopt(&device->window, t, record->base, record->size,
			    record->mode & HANDOVER_DIRECT, err);
}

/* The state of the chip and its burst, as they were between two accesses. */
int
takeover_chip(struct device *device, struct error *err)
{
	struct handover *record = device->handover.record;
	const struct handover_state *state = handover_now(record);
	size_t len = cfi_state_size(&device->chip);

	if (record->attached == HANDOVER_SAVED &&
	    state_check_saved(device, err) < 0)
		return -ESTALE;
	if (strncmp(record->vars, store_path(device->store),
		    sizeof(record->vars) - 1) != 0)
		return error_set(err, EINVAL,
				 "the guest's flash is %.200s, and no other",
				 record->vars);
	if (store_resume_burst(device->store, &state->burst))
		return error_set(err, EINVAL,
				 "the burst that was open is not this file's");
	if (cfi_restore(&device->chip, state->chip, len))
		return error_set(err, EINVAL,
				 "the guest's flash is of another geometry or "
				 "personality");
	device->chip.changes = state->changes; /* they go on */
	record->takeovers++;
	record->attached = HANDOVER_ATTACHED;
	/* The record names the journal's last record, and opening adds some. */
	record_state(device);
	return 0;
}

/*
 * The process before has paused the guest for a change of the mode, or was
 * about to.  The record is written after the guest runs: if this process dies
 * in between, the guest is unpaused once more, which does no harm.
 */
void
takeover_end_pause(struct device *device)
{
	struct transport *t = device->transport;

	if (device->handover.record->mode & HANDOVER_PAUSED)
		t->ops->unpause(t);
	record_mode(device, 0);
}
