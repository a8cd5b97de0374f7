/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One flash device: joins the chip (cfi.h), the store (store.h), the window
 * (window.h) and one memory region of an ioreq server (ioreq.h).
 *
 * The order of calls: ioreq_server_open(), device_open(), store_open(),
 * device_connect(), ioreq_server_start(); at the end device_close(),
 * ioreq_server_close(), store_close().  The caller owns the server, the
 * transport and the store; the device borrows them until device_close().
 *
 * Addresses are guest-physical, sizes in bytes.  Unless a comment says
 * otherwise, a function returns 0, or -errno and sets *err.
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

#define DEVICE_GUEST_SIZE 48 /* bytes of a guest's UUID, with the '\0' */

/* device_open() copies the configuration; it borrows `handover`. */
struct device_config {
	uint64_t base; /* address of the flash */
	struct geometry geometry;
	enum window_mode mode;
	/*
	 * HVM: hvmloader copies the firmware over the flash after the attach.
	 * The device claims the ports of QEMU's fw_cfg.  OVMF accesses them in
	 * PEI, before its driver looks for a flash; at the first access the
	 * device claims the memory at the flash and releases the ports.
	 */
	bool after_loader;
	/*
	 * The guest was restored, or has lost its earlier server.  The device
	 * claims memory that the guest has at the flash.  Without has_run and
	 * after_loader, memory there is an error.
	 */
	bool has_run;
	enum cfi_personality personality;
	uint32_t partition; /* bytes; 0: as the personality says */
	bool show_busy; /* see struct cfi_config; for STORE_SYNC_OP */
	/*
	 * Identifies one incarnation of a guest, from its creation to its end.
	 * A saved state with this tag is restored.  "": no state is.
	 */
	char incarnation[STORE_TAG_SIZE];
	/*
	 * Identifies the guest in all its incarnations: its UUID.  When the
	 * guest is restored, the flash must be as it was when the guest was
	 * saved, because the guest's memory has copies of its contents.
	 * "": no check.
	 */
	char guest[DEVICE_GUEST_SIZE];
	/*
	 * The guest migrates to this host.  Anybody may have chosen its name,
	 * so the saved state must name this guest and this image, in each mode,
	 * whether or not the guest has memory at the flash.
	 */
	bool incoming;
	/* Skip the checks for `guest` and `incoming`: power the chip on. */
	bool force;
	/*
	 * Called when the device has claimed the memory (after_loader).  ret is
	 * 0, or the -errno because of which the guest has no flash.  `reason`
	 * is the reason for that or for trap mode, or has an empty text.
	 */
	void (*window_ready)(void *opaque, int ret, const struct error *reason);
	void *opaque; /* for window_ready() */
	/*
	 * The handover record, made by handover_make(); NULL: none.  The store
	 * must have its burst in the record.  If handover_load() has found an
	 * attached flash, the device takes over that flash, with its base, size
	 * and mode; the server must be adopted too.
	 *
	 * The record is complete when device_connect() has returned 0.  After
	 * that, and before ioreq_server_start(), the caller replaces the
	 * earlier process's record by it.  Until then the earlier record stays
	 * valid: a caller that dies or gives up leaves everything in place, and
	 * does not call device_close().
	 */
	struct handover *handover;
};

struct device;

/*
 * Adds the flash's region to the server, and opens the window.  Everything that
 * the hypervisor can refuse happens here, before a store is opened.
 *
 * *trap_reason: why WINDOW_AUTO has chosen trap mode; else its text is empty.
 * -EEXIST: the guest has memory at the flash; -EOPNOTSUPP: WINDOW_DIRECT is not
 * possible for a restored guest; and the errors of window_open() and
 * ioreq_server_add().  After a failure there is no device to close, but regions
 * may stay in the server: close it.
 */
int device_open(struct device **out, struct ioreq_server *server,
		struct transport *t, const struct device_config *config,
		struct error *trap_reason, struct error *err);

/*
 * Connects the store and powers the chip on, with the saved state of the store
 * if it is this guest's, or with the chip's state in the handover record.
 * Shows the view.  Call it before the server starts.
 *
 * -EINVAL: the store has another size, the saved state belongs to another
 * geometry, or the handover record does not match the store; -ESTALE: the flash
 * is not known to be what it was when the guest was saved.  After a failure the
 * caller calls device_close(), except in a takeover.
 */
int device_connect(struct device *device, struct store *store,
		   struct error *err);

uint64_t device_base(const struct device *device);
/* WINDOW_DIRECT or WINDOW_TRAP. */
enum window_mode device_mode(const struct device *device);

/*
 * Changes between direct and trap mode while the guest runs.  Pauses the guest
 * for the change, at a moment when none of its requests is in progress.
 *
 * After an error the mode is unchanged.  -EAGAIN: the firmware has not started
 * yet, or the guest is suspended; -ETIMEDOUT: the guest could not be paused;
 * -ENOTRECOVERABLE: the change is incomplete, and the guest stays paused; a
 * process that takes over the flash completes the change to trap mode.
 */
int device_set_mode(struct device *device, enum window_mode mode,
		    struct error *err);

/* Is there an open burst, which is not committed? */
bool device_pending(const struct device *device);

/*
 * Commits the open burst, for a guest that does not write READ ARRAY.  A write
 * error sets the chip's status bits.
 */
void device_flush(struct device *device);

/*
 * store_unsynced() and store_sync().  A write error sets the chip's status bits
 * if a burst is open, because the store undoes that burst; otherwise at the
 * next program or erase.
 */
uint64_t device_unsynced(const struct device *device);
void device_sync(struct device *device);

/*
 * store_behind() and store_settle().  A write error sets the chip's status bits
 * at the next program or erase, because no burst is open.
 */
bool device_behind(const struct device *device);
void device_settle(struct device *device);

/*
 * For a suspended guest: commits the open burst, saves the chip's state, and
 * closes and unlocks the store's files (store_release()).  The saved state is
 * valid for each restore of this guest until the image changes.  -errno of the
 * first failed system call; the files are closed even then.
 */
int device_save(struct device *device, struct error *err);
/* Are the files closed, by device_save()? */
bool device_saved(const struct device *device);

/*
 * The guest was resumed: opens and locks the files again, by store_retake(),
 * with its errors.  Call it before the guest's next access is answered.  `last`
 * says that the caller does not try again.
 */
int device_resume(struct device *device, bool last, struct error *err);

/* The chip's state (not its array) when the device is closed. */
enum device_at_close {
	DEVICE_DISCARD_STATE, /* as when the power is switched off */
	/* Save it for the next server of the same incarnation. */
	DEVICE_SAVE_STATE,
};

/*
 * Leaves direct mode, removes the region from the server, which answers the
 * pending requests, and frees the device.  Call it before ioreq_server_close().
 * -errno: the state could not be saved; the device is freed even then.
 */
int device_close(struct device *device, enum device_at_close state,
		 struct error *err);

/*
 * Puts the connected chip into a saved state, a record of cfi_save(), and shows
 * its view: for a recording that begins while the chip is at work.  Not for a
 * device with a handover record.  -EINVAL: not a record of this chip.
 */
int device_restore(struct device *device, const uint8_t *record, size_t len);

/* Checks the invariants of chip, store and window, for tests. */
bool device_verify(const struct device *device);

#endif
