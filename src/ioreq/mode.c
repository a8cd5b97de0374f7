/* SPDX-License-Identifier: BSD-2-Clause */
/* The change between direct and trap mode while the guest runs. */
#include "device.h"

#include <errno.h>

#define PAUSE_TRIES 5 /* calls of ioreq_server_pause(), a second each */

/* Tries again: a guest that writes all the time is rarely without a request. */
bool
device_pause_guest(struct device *device)
{
	struct transport *t = device->transport;
	bool paused = false;

	for (int i = 0; !paused && i < PAUSE_TRIES && t->ops->alive(t); i++)
		paused = ioreq_server_pause(device->server);
	return paused;
}

int
device_set_mode(struct device *device, enum window_mode mode, struct error *err)
{
	int ret;

	if (mode == device_mode(device))
		return 0;
	if (device->awaits_firmware)
		return error_set(err, EAGAIN,
				 "the guest's firmware has not started yet");
	if (store_released(device->store))
		return error_set(err, EAGAIN, "the guest is suspended");
	record_mode(device, HANDOVER_PAUSED);
	if (!device_pause_guest(device)) {
		record_mode(device, 0);
		return error_set(err, ETIMEDOUT,
				 "the guest could not be paused at a moment "
				 "without a request: try again");
	}
	record_mode(device, HANDOVER_PAUSED | HANDOVER_CHANGING);
	ret = mode == WINDOW_TRAP ? window_trap(device->window, err) :
				    window_direct(device->window, err);
	if (ret == -ENOTRECOVERABLE)
		return ret;
	record_mode(device, HANDOVER_PAUSED);
	ioreq_server_unpause(device->server);
	record_mode(device, 0);
	return ret;
}
