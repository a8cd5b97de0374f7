/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine on which edk2's drivers run: a guest of the simulated hypervisor,
 * with the real device and store as its flash. The flash has the same address
 * in the guest's memory and in this process, so that the pointers that edk2
 * computes need no translation.
 *
 * The drivers never access the memory at that address by plain loads and
 * stores: their code is compiled with a call before each access (hooks.c),
 * which turns it into a guest access.
 */
#ifndef PEER_GUEST_H
#define PEER_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/cfi.h"
#include "pflash/store.h"
#include "pflash/window.h"

struct guest_config {
	const char *vars; /* an existing file */
	uint32_t base;
	uint32_t size;
	unsigned int width;
	unsigned int interleave;
	const char *blocks; /* as pflashd's --block-size */
	enum window_mode mode;
	enum cfi_personality personality;
	enum store_sync sync;
	/* As pflashd's --pin; NULL: no variable is pinned. */
	const char *pins;
	/* Called for each burst that the pins refuse. */
	void (*on_refusal)(void *opaque, const char *why);
};

/* Both functions end the process on failure: then the test itself is broken. */
void guest_power_on(const struct guest_config *config);
void guest_power_off(void);

/* One load or store of the guest's CPU, of 1 to 8 bytes. */
uint64_t guest_load(uintptr_t addr, unsigned int size);
void guest_store(uintptr_t addr, unsigned int size, uint64_t value);

/* Copies out of the flash with rep movsq and rep movsb, as edk2's CopyMem(). */
void guest_copy(void *dst, uintptr_t src, size_t len);

/* Returns true if any of these bytes is in the flash. */
bool guest_is_flash(uintptr_t addr, size_t len);

/* The content of the memory at the flash's address between accesses. */
#define HOOKS_POISON 0xa5

/* Performs the store that was announced last; see hooks.c. */
void hooks_settle(void);

/* Returns the store's current image. */
const uint8_t *guest_image(void);

/* True while the pins hold back changes, see pins_held(). */
bool guest_held(void);

/* Checks the invariants of chip, store, window and ioreq protocol. */
bool guest_verify(void);

/* Makes all later writes to the host's files fail with `error`; 0: succeed. */
void guest_fail_writes(int error);

/*
 * Replaces the server between two accesses, repeatedly, after about `interval`
 * accesses each time; 0: never. The new server continues with the saved state
 * of the chip, and the driver must not notice.
 */
void guest_replace_server(uint32_t interval);

/* Replaces it once. */
void guest_new_server(void);

/*
 * Commits the open burst between two accesses, as pflashd does when the guest
 * has been quiet for a while, after about `interval` accesses each time; 0:
 * never.
 */
void guest_commit_often(uint32_t interval);

/*
 * Ends the process with GUEST_CUT at the `count`th access from now on, without
 * performing that access; 0: never.
 */
#define GUEST_CUT 99
void guest_cut_after(uint64_t count);

/*
 * Boots in a new process, which calls run(arg), and adds 1 to *cuts if it is
 * cut.  Its random numbers come at most `apart` numbers after those of this
 * process.  Returns false, after a report, if it does not end as expected.
 */
bool guest_boot(void (*run)(const void *arg), const void *arg, uint32_t apart,
		unsigned int *cuts);

#endif
