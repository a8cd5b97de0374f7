/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching the flash to the domain and taking it off again: what stands
 * between the options and the event loop.
 */
#ifndef PFLASHD_FLASH_H
#define PFLASHD_FLASH_H

#include <time.h>

#include "domain.h"
#include "options.h"
#include "pflash/device.h"

struct flash {
	struct domain *domain;
	struct transport *transport;
	struct ioreq_server *server;
	struct store *store;
	struct device *device;
	struct live *live; /* or NULL */
	struct limit limit;
	int live_lock;
	char life[STORE_TAG_SIZE]; /* of the domain */
	char live_path[64];
	struct error live_reason;      /* why there is none */
	const struct options *options; /* borrowed */
	time_t since;                  /* attached */
	bool started;
	bool adopts;    /* what a process that died has left */
	bool suspended; /* and has not asked for anything since */
	bool pause;     /* the guest, on a failure */
	struct error
		trap_reason; /* why auto mode is trap mode; "": it is not */
};

/*
 * Everything is checked before anything on disk is changed.  Returns EXIT_OK,
 * or the exit code that fits the failure, with its sentence; flash_detach()
 * is due in both cases.
 */
int flash_attach(struct flash *flash, const struct options *options,
		 struct error *err);

/*
 * Gives back the guest's frames, answers what is pending, folds the journal
 * into VARS.  -errno if that failed; everything is freed all the same.
 */
int flash_detach(struct flash *flash);

#endif
