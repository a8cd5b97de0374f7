/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of struct device, for the files that are one flash device:
 * device.c, loader.c, mode.c, saved.c and takeover.c.
 */
#ifndef PFLASH_IOREQ_DEVICE_H
#define PFLASH_IOREQ_DEVICE_H

#include "pflash/device.h"

struct device {
	struct device_config config;
	struct cfi chip;
	struct ioreq_server *server;
	struct transport *transport;
	struct store *store;
	struct window *window;
	struct handover_writer
		handover;     /* its record is NULL: none is written */
	bool adopted;         /* from the process before: takeover.c */
	bool awaits_firmware; /* loader.c has claimed fw_cfg's ports */
	bool restored;        /* the guest has memory saved with it there */
};

/* loader.c: claims fw_cfg's ports until the firmware asks for them. */
int loader_claim(struct device *device, struct error *err);
void loader_release(struct device *device);

/* mode.c: pauses the guest between two of its accesses; false: it can't. */
bool device_pause_guest(struct device *device);

/*
 * saved.c: the chip's state in FILE.state.  A tag says whose it is: an
 * incarnation of a guest (a server ended, the guest lives on), a guest that was
 * saved with this image, or nobody's, which keeps the protection register.
 */
int state_load(struct device *device, struct error *err);
int state_save(struct device *device, const char *tag, struct error *err);
int state_save_at_close(struct device *device, struct error *err);
int state_check_saved(struct device *device, struct error *err);

/* takeover.c: continues the device that an earlier process has left. */
int takeover_window(struct device *device, struct error *err);
int takeover_chip(struct device *device, struct error *err);
void takeover_end_pause(struct device *device);

/* The handover record; no-ops without one. */
void record_attached(struct device *device);
/* `mode`: HANDOVER_PAUSED and HANDOVER_CHANGING, while that is under way. */
void record_mode(struct device *device, uint32_t mode);
/* Chip and burst, between two requests. */
void record_state(struct device *device);

#endif
