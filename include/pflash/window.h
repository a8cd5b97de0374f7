/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest reads at the flash's address.
 *
 * Direct: the guest has frames of RAM there, of the type HVMMEM_ioreq_server:
 * its reads are served by the frames and never trap, its writes all arrive as
 * ioreqs.  When the chip's view changes, window_show() fills the frames with
 * what reads must return from now on, while the vCPU that caused it still
 * waits for its answer.  The frames are only a view; nothing is read back.
 *
 * Trap: a hole, every access arrives as an ioreq.
 *
 * hvmloader puts a copy of the firmware into memory of the guest, over the
 * flash too.  A window that waits leaves the hole alone until then; what the
 * guest has there by the time of window_use_memory() becomes the window.
 *
 * The code tail is a firmware volume in read-only frames below 4 GiB, which
 * OVMF's PVH entry expects at its linked address.
 */
#ifndef PFLASH_WINDOW_H
#define PFLASH_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/cfi.h"
#include "pflash/error.h"
#include "pflash/transport.h"

enum window_mode {
	WINDOW_AUTO, /* direct if the host and the domain allow it */
	WINDOW_DIRECT,
	WINDOW_TRAP,
};

struct window;

/*
 * The part of the guest-physical address space where a flash may lie: the
 * hole below 4 GiB without the interrupt controllers and Xen's special pages.
 */
#define WINDOW_HOLE_FIRST UINT64_C(0xfc000000)
#define WINDOW_HOLE_LAST UINT64_C(0xffffffff)

/* The part of that which does not ask the guest; -EINVAL. */
int window_check_addresses(uint64_t base, uint64_t size, struct error *err);

/*
 * -EINVAL: `base` is not aligned to a frame, or the range leaves the hole;
 * -EEXIST: the guest has memory in the range.
 */
int window_check_range(struct transport *t, uint64_t base, uint64_t size,
		       struct error *err);

/*
 * Takes [base, base + size) after window_check_range() and with the server
 * created.  With WINDOW_AUTO, what hinders direct mode is left in `err` (else
 * its text is empty) and the window is one of WINDOW_TRAP.
 */
int window_open(struct window **out, struct transport *t, uint64_t base,
		uint32_t size, enum window_mode mode, struct error *err);

/*
 * The same for a window that waits.  The guest may have memory there already,
 * and sees a window of WINDOW_TRAP where it has none.
 */
int window_open_later(struct window **out, struct transport *t, uint64_t base,
		      uint32_t size, enum window_mode mode, struct error *err);

/*
 * The window that a process has left behind, which owned the type or did not:
 * what the guest has there says the rest.
 */
int window_adopt(struct window **out, struct transport *t, uint64_t base,
		 uint32_t size, bool owns, struct error *err);

/*
 * The window that a process has left behind while it changed its mode, with
 * the guest paused: it becomes one of WINDOW_TRAP.
 */
int window_adopt_between(struct window **out, struct transport *t,
			 uint64_t base, uint32_t size, struct error *err);

/*
 * Takes the memory that the guest has there by now.  If direct mode fails, its
 * reason is left in `err` (else its text is empty), and the window traps.
 * -errno: not even that.
 */
int window_use_memory(struct window *window, struct error *err);

/* The chip to show from now on; borrowed, and of the window's size. */
void window_connect(struct window *window, const struct cfi *chip);

/* WINDOW_DIRECT or WINDOW_TRAP; of one that waits, what it will be. */
enum window_mode window_mode(const struct window *window);

/* The chip's view has changed. */
void window_show(struct window *window);

/*
 * Leaves direct mode: the frames go, and every access is a request.  Enters it
 * again.  While the guest is paused, for in between its memory is not what it
 * should be.  On an error the window is as it was; -ENOTRECOVERABLE: it is not,
 * and the guest must not run.
 */
int window_trap(struct window *window, struct error *err);
int window_direct(struct window *window, struct error *err);

/* Leaves direct mode, and frees the window. */
void window_close(struct window *window);

/* Do the frames hold what the chip's view says? */
bool window_verify(const struct window *window);

/*
 * Puts `size` bytes (a whole number of frames) into read-only frames that end
 * at 4 GiB.  Frames of the same contents that are there already are kept.
 */
int window_install_code(struct transport *t, const uint8_t *code, size_t size,
			struct error *err);

#endif
