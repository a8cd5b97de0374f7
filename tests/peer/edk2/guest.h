/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine that edk2's drivers run on: a guest of the simulated hypervisor
 * whose flash is a real device and store.  The flash's guest-physical address
 * is its address in this process as well, so that the pointers edk2 computes
 * need no translation.
 *
 * No load or store of the drivers reaches the memory at that address by
 * itself: all their code is compiled with calls in front of every one
 * (hooks.c), which make it a guest access.
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
	const char *blocks; /* as --block-size of pflashd */
	enum window_mode mode;
	enum cfi_personality personality;
	enum store_sync sync;
};

/* Both end the process when they fail: the test is broken then. */
void guest_power_on(const struct guest_config *config);
void guest_power_off(void);

/* One load or store of the guest's processor, of 1 to 8 bytes. */
uint64_t guest_load(uintptr_t addr, unsigned int size);
void guest_store(uintptr_t addr, unsigned int size, uint64_t value);

/* rep movsq and rep movsb from the flash, as edk2's CopyMem() does. */
void guest_copy(void *dst, uintptr_t src, size_t len);

/* Is any byte of it the flash's? */
bool guest_is_flash(uintptr_t addr, size_t len);

/* What the memory at the flash's address holds between accesses. */
#define HOOKS_POISON 0xa5

/* Performs the store that was announced last, see hooks.c. */
void hooks_settle(void);

/* What the store holds now. */
const uint8_t *guest_image(void);

/* Checks the invariants of chip, store and window, and the protocol. */
bool guest_verify(void);

/* From now on every write to the host's files fails with it; 0: none. */
void guest_fail_writes(int error);

/*
 * From now on the server is replaced by another between two accesses, after
 * some `interval` of them each time: it keeps the chip's state, and the next
 * one goes on with it.  The driver must not notice.  0: no more.
 */
void guest_replace_server(uint32_t interval);

/*
 * Ends the process with GUEST_CUT instead of performing the `count`th access
 * from now on; 0: never.
 */
#define GUEST_CUT 99
void guest_cut_after(uint64_t count);

#endif
