/* SPDX-License-Identifier: BSD-2-Clause */
/* The pinned variables of a flash (pflash/pins.h): record, start, log. */
#ifndef PFLASHD_PINNING_H
#define PFLASHD_PINNING_H

#include "pflash/store.h"
#include "worker/flash.h"

/* Reads the record into flash->pins; NULL with --pin off. */
int pinning_read(struct flash *flash, struct error *err);

/*
 * For a guest that has not run: gives the open store its pinned values, as one
 * burst, and writes the record (pins_restore()).  `config` is that of the
 * store.  0, or -errno with a sentence: the guest must not start.
 */
int pinning_start(struct flash *flash, const struct store_config *config,
		  struct error *err);

/*
 * For another guest: pins the values of the record in the open store.  -EINVAL
 * with a sentence: the store has other values, and may not be changed while the
 * memory of the guest has their addresses, or because it is read-only.
 */
int pinning_continue(struct flash *flash, struct error *err);

/* store_config.on_refusal; `opaque` is the flash. */
void pinning_refused(void *opaque, const char *why);

#endif
