/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching the flash to the domain and taking it off again: the way from the
 * options to the event loop.
 */
#ifndef PFLASHD_FLASH_H
#define PFLASHD_FLASH_H

#include "limit.h"
#include "options.h"
#include "pflash/device.h"
#include "worker/worker.h"

struct flash {
	const struct worker_start *start; /* borrowed */
	const struct options *options;    /* borrowed */
	struct files *files;
	struct transport *transport;
	struct ioreq_server *server;
	struct store *store;
	struct device *device;
	struct handover *record;
	struct limit limit;
	bool started;
	bool adopts;    /* the flash of a worker that died */
	bool suspended; /* the guest: it has let go of the file */
	/* Why auto mode is trap mode; "": it is not. */
	struct error trap_reason;
};

/*
 * Everything is checked before anything on disk is changed.  Returns EXIT_OK,
 * or the exit code that fits the failure, with its sentence; flash_detach()
 * is due in both cases.
 */
int flash_attach(struct flash *flash, struct error *err);

/*
 * Memory for a handover record that no other process sees, as handover_make()
 * wants it; free() it.  NULL without memory.
 */
void *flash_private_record(void);

/* Brings the supervisor's report up to date. */
void flash_report(struct flash *flash);

/*
 * Gives back the guest's frames, answers what is pending, folds the journal
 * into VARS.  -errno if that failed; everything is freed all the same.
 */
int flash_detach(struct flash *flash);

#endif
