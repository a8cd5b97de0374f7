/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The members of struct device, for the files that implement one flash device:
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
	struct handover_writer handover; /* record NULL: none is written */
	bool adopted;         /* the flash of an earlier process, takeover.c */
	bool awaits_firmware; /* loader.c has claimed fw_cfg's ports */
	bool restored;        /* the guest had saved memory at the flash */
};

/* loader.c: claims fw_cfg's ports until the firmware accesses them. */
int loader_claim(struct device *device, struct error *err);
void loader_release(struct device *device);

/* mode.c: pauses the guest while no request is in progress; false: failed. */
bool device_pause_guest(struct device *device);

/*
 * saved.c: the chip's state in FILE.state.  The tag says for which guest the
 * state is valid:
 *
 *	the name of an incarnation	a server ended, and the guest runs on
 *	"saved CHECKSUM UUID"		this guest was saved with this image
 *	""				none: only the protection registers are
 *
 * Each function returns 0, or -errno and sets *err.
 */

/* Loads the state into the chip; -ESTALE: see device_connect(). */
int state_load(struct device *device, struct error *err);
/* Saves the chip's state with a tag. */
int state_save(struct device *device, const char *tag, struct error *err);
/* For DEVICE_SAVE_STATE. */
int state_save_at_close(struct device *device, struct error *err);
/* -ESTALE: the state is not that of this guest, saved with this image. */
int state_check_saved(struct device *device, struct error *err);

/*
 * takeover.c: takes over the device of an earlier process, from the handover
 * record: its window, then the chip's state and the open burst.  At the end it
 * unpauses the guest, if that process died during a change of the mode.
 */
int takeover_window(struct device *device, struct error *err);
int takeover_chip(struct device *device, struct error *err);
void takeover_end_pause(struct device *device);

/* takeover.c: writes the handover record; no effect without a record. */
void record_attached(struct device *device);
/* After it, for a store that waits for its guest (struct store_config). */
void record_released(struct device *device);
/* `mode`: HANDOVER_PAUSED and HANDOVER_CHANGING, or 0. */
void record_mode(struct device *device, uint32_t mode);
/* The state of the chip and the open burst. */
void record_state(struct device *device);

#endif
