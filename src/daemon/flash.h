/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching the flash to the domain and taking it off again: what stands
 * between the options and the event loop.
 */
#ifndef PFLASHD_FLASH_H
#define PFLASHD_FLASH_H

#include <time.h>

#include <sys/types.h>

#include "options.h"
#include "pflash/device.h"
#include "sandbox.h"
#include "worker.h"

struct flash {
	struct domain *domain; /* NULL: there is none; borrowed */
	pid_t keeper;
	struct transport *transport;
	struct ioreq_server *server;
	struct store *store;
	struct device *device;
	struct handover *live; /* or NULL */
	struct limit limit;
	int live_lock;
	struct error live_reason;      /* why there is none */
	enum sandbox_level sandbox;    /* that was reached */
	struct error sandbox_reason;   /* why it is not the full one */
	const struct options *options; /* borrowed */
	time_t since;                  /* attached */
	bool started;
	bool adopts;    /* what a process that died has left */
	bool suspended; /* and does not go on, as far as it is known */
	bool pause;     /* the guest, on a failure */
	struct error
		trap_reason; /* why auto mode is trap mode; "": it is not */
};

/*
 * Everything is checked before anything on disk is changed.  Returns EXIT_OK,
 * or the exit code that fits the failure, with its sentence; flash_detach()
 * is due in both cases.
 */
int flash_attach(struct flash *flash, const struct worker_start *start,
		 struct error *err);

/*
 * Gives back the guest's frames, answers what is pending, folds the journal
 * into VARS.  -errno if that failed; everything is freed all the same.
 */
int flash_detach(struct flash *flash);

#endif
