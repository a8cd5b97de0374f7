/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaches the flash to the domain and detaches it: opens and closes the
 * transport, the ioreq server, the device and the store.
 */
#ifndef PFLASHD_FLASH_H
#define PFLASHD_FLASH_H

#include "limit.h"
#include "options.h"
#include "pflash/device.h"
#include "pflash/pins.h"
#include "pflash/trace.h"
#include "worker/worker.h"

struct flash {
	const struct worker_start *start; /* borrowed */
	const struct options *options;    /* borrowed */
	struct files *files;              /* borrowed; client_files() */
	struct transport *transport;
	struct ioreq_server *server;
	struct store *store;
	struct device *device;
	struct trace *trace;     /* NULL: none; see tracer.h */
	struct handover *record; /* of this worker; freed by nobody */
	struct limit limit;      /* the write limit */
	struct pins *pins;       /* NULL: none; see pinning.h */
	struct limit refusals;   /* of lines in the log */
	bool started;            /* the server answers the guest */
	bool takes_over;         /* an earlier worker has attached the flash */
	bool suspended; /* the guest is suspended, the files are closed */
	/* Why --mode auto has chosen trap mode; "": it has not. */
	struct error trap_reason;
};

/*
 * Attaches the flash, or takes it over from an earlier worker.  All checks come
 * before the first change on disk.  The caller sets `start` and `options` and
 * zeroes the other members.  Returns EXIT_OK, or another exit code of options.h
 * and sets *err; call flash_detach() in both cases.
 */
int flash_attach(struct flash *flash, struct error *err);

/*
 * Allocates memory for handover_make() that is private to this process: zeroed,
 * page-aligned, to be freed by free().  NULL: out of memory.
 */
void *flash_private_record(void);

/* Updates the report to the supervisor (channel.h). */
void flash_report(struct flash *flash);

/*
 * Removes the flash from the guest: removes its frames, answers the pending
 * requests, and writes a checkpoint of the journal to VARS.  Closes everything.
 * 0, or -errno: the checkpoint failed.  If flash_attach() failed in a takeover,
 * the function does nothing, and the flash stays attached.
 */
int flash_detach(struct flash *flash);

#endif
