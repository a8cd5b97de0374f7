/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One flash device: the chip, the store behind it and the window in front of
 * it, joined to one region of an ioreq server.
 */
#ifndef PFLASH_DEVICE_H
#define PFLASH_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/cfi.h"
#include "pflash/error.h"
#include "pflash/handover.h"
#include "pflash/ioreq.h"
#include "pflash/store.h"
#include "pflash/window.h"

#define DEVICE_GUEST_SIZE 48

struct device_config {
	uint64_t base; /* guest-physical address of the flash */
	struct geometry geometry;
	enum window_mode mode;
	/*
	 * The guest's loader, hvmloader, puts memory where the flash is.  The
	 * flash takes it when the firmware first asks for QEMU's fw_cfg, which
	 * OVMF does in PEI, before its driver looks for a flash; until then it
	 * claims those two ports.
	 */
	bool after_loader;
	/*
	 * The guest was restored, or has lost its last server.  Memory that it
	 * has where the flash is was saved with it, and is taken at once.
	 */
	bool has_run;
	enum cfi_personality personality;
	bool show_busy; /* see struct cfi_config; for STORE_SYNC_OP */
	/*
	 * Names one life of a guest, from its creation to its end.  The state
	 * of the chip is taken up in the life it was kept in; "": in none.
	 */
	char incarnation[STORE_TAG_SIZE];
	/*
	 * Names a guest through all of its lives.  When it is restored the
	 * flash must be what it was when it was saved, or what the guest's
	 * memory has of it is wrong; "": that is not asked.
	 */
	char guest[DEVICE_GUEST_SIZE];
	/*
	 * The guest migrates to this host under a name that anybody could have
	 * chosen: the flash must be the one that it was saved with, whatever
	 * the mode, and whether the guest has memory there or not.
	 */
	bool incoming;
	bool force; /* neither is asked: the chip is at power-on then */
	/*
	 * Called when what the loader put there was taken (after_loader).  ret
	 * is 0 or the -errno for which the guest has no flash; `note` has the
	 * reason for that, or for trap mode, or an empty text.
	 */
	void (*taken)(void *opaque, int ret, const struct error *note);
	void *opaque;
	/*
	 * Where the device notes what another process needs to go on with it;
	 * made by handover_make(), borrowed.  NULL: nowhere.  The store must
	 * have its burst there.  If handover_load() has put a flash there, it
	 * is adopted, with its base, size and mode; the server must be, too.
	 *
	 * The record is complete when device_connect() has returned 0: after
	 * that, and before ioreq_server_start(), the caller puts it in the
	 * place of the one that it was loaded from.  Until then that earlier
	 * one still leads to the same state of flash and guest, so that a
	 * caller that dies or gives up just leaves everything as it is, without
	 * device_close().
	 */
	struct handover *handover;
};

struct device;

/*
 * Takes the flash's place in the guest: its region of the server and its
 * window.  All the hypervisor can refuse is asked for here, before a store
 * need exist.  Server and transport are borrowed.  `note` is set to the reason
 * when WINDOW_AUTO fell back to WINDOW_TRAP; its text is empty otherwise.
 */
int device_open(struct device **out, struct ioreq_server *server,
		struct transport *t, const struct device_config *config,
		struct error *note, struct error *err);

/*
 * Powers the chip on, with what is in the store and what was kept, or goes on
 * with an adopted one; before the server starts.  The store is borrowed.
 * -EINVAL: it is not of the configured size, or what it keeps is of another
 * kind of flash; -ESTALE: the guest was saved with another flash, or is
 * incoming and not known to have been saved with this one.
 */
int device_connect(struct device *device, struct store *store,
		   struct error *err);

uint64_t device_base(const struct device *device);
enum window_mode device_mode(const struct device *device);

/*
 * Leaves direct mode, or enters it, while the guest runs: it is paused between
 * two accesses.  On an error the mode is what it was.  -EAGAIN: the flash waits
 * for the guest's firmware, or the guest is suspended; -ETIMEDOUT: it could
 * not be paused; -ENOTRECOVERABLE: its memory is not as it should be, and it
 * stays paused; a process that adopts the device repairs that.
 */
int device_set_mode(struct device *device, enum window_mode mode,
		    struct error *err);

/* Is there a burst the guest has not ended? */
bool device_pending(const struct device *device);

/* Commits that burst, for a guest that never sends READ ARRAY. */
void device_flush(struct device *device);

/*
 * The guest is suspended: commits that burst, keeps the chip's state for a
 * guest that is restored from what is saved now, however often, as long as the
 * flash is not changed, and lets go of the file.  The -errno of a system call;
 * the file is let go of all the same.
 */
int device_save(struct device *device, struct error *err);
bool device_saved(const struct device *device);

/*
 * This guest goes on: takes the file again, before its next access is
 * answered.  See store_retake().
 */
int device_resume(struct device *device, bool last, struct error *err);

/* What becomes of the chip's state. */
enum device_end {
	DEVICE_ENDS,  /* it is lost, as with the power */
	DEVICE_LIVES, /* the next server of this life goes on with it */
};

/*
 * Gives the flash's place back; before ioreq_server_close().  The -errno of a
 * system call if the state could not be kept; the device is gone.
 */
int device_close(struct device *device, enum device_end end, struct error *err);

bool device_verify(const struct device *device);

#endif
