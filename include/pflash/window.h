/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's memory at the flash's address.
 *
 * Direct mode: the guest has frames of RAM there, with the type
 * HVMMEM_ioreq_server.  Xen serves reads from the frames, without a trap; all
 * writes become ioreqs (xen/include/public/hvm/hvm_op.h).  When a view of the
 * chip changes, window_show() fills the frames of its partition with the bytes
 * that reads must return from now on, while the vCPU that caused the change
 * waits for its answer.  Nothing reads the frames back.
 *
 * Trap mode: a hole; every access becomes an ioreq.
 *
 * Deferred window: hvmloader copies the firmware into memory of an HVM guest,
 * over the flash too.  window_open_later() leaves the range alone until
 * window_use_memory() claims the memory that the guest then has there.
 *
 * `base` is guest-physical, a multiple of FRAME_SIZE; sizes are in bytes.  A
 * window borrows its transport.  Unless a comment says otherwise, a function
 * returns 0, or -errno and sets *err.
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
	WINDOW_AUTO, /* direct if the host and the domain allow it, else trap */
	WINDOW_DIRECT,
	WINDOW_TRAP,
};

struct window;

/*
 * The addresses where a flash may be: the hole below 4 GiB, without the
 * interrupt controllers and Xen's special pages
 * (xen/include/public/hvm/e820.h).
 */
#define WINDOW_HOLE_FIRST UINT64_C(0xfc000000)
#define WINDOW_HOLE_LAST UINT64_C(0xffffffff)

/*
 * Checks the addresses without looking at the guest.  -EINVAL: not aligned to a
 * frame, or outside the hole.
 */
int window_check_addresses(uint64_t base, uint64_t size, struct error *err);

/*
 * Like window_check_addresses(), and checks that the guest has a hole there.
 * -EEXIST: the guest has memory in the range.
 */
int window_check_range(struct transport *t, uint64_t base, uint64_t size,
		       struct error *err);

/*
 * Opens a window at [base, base + size).  Call window_check_range() and create
 * the server before.  If WINDOW_AUTO falls back to trap mode, the function
 * returns 0 and *err has the reason; else the text of *err is empty.
 *
 * WINDOW_DIRECT: -EBUSY: another server has claimed the page type; -EOPNOTSUPP:
 * the domain has no nested paging; -ENOMEM: its memory limit is reached.
 * -ENOTRECOVERABLE, with WINDOW_AUTO too: Xen does not remove the new frames.
 */
int window_open(struct window **out, struct transport *t, uint64_t base,
		uint32_t size, enum window_mode mode, struct error *err);

/*
 * Like window_open(), for a deferred window.  Claims only the page type.  The
 * guest may have memory in the range; a hole in the range traps.
 */
int window_open_later(struct window **out, struct transport *t, uint64_t base,
		      uint32_t size, enum window_mode mode, struct error *err);

/*
 * Takes over the window of an earlier process.  `owns`: that process had
 * claimed the page type, which is direct mode or a deferred window for it; the
 * type of the guest's frames tells which of the two.
 */
int window_adopt(struct window **out, struct transport *t, uint64_t base,
		 uint32_t size, bool owns, struct error *err);

/*
 * Takes over the window of a process that died while it changed the mode.
 * Removes all frames, so the result is trap mode.  The guest must be paused.
 */
int window_adopt_changing(struct window **out, struct transport *t,
			  uint64_t base, uint32_t size, struct error *err);

/*
 * Claims the memory that the guest has in the range: maps, fills and types it
 * for direct mode, or removes it for trap mode.  If direct mode fails, the
 * window traps, the function returns 0 and *err has the reason; else the text
 * of *err is empty.  -errno: the memory could not be removed either; *err is
 * not set by this failure.
 */
int window_use_memory(struct window *window, struct error *err);

/*
 * Shows `chip` from now on.  The window borrows the chip, whose size must be
 * that of the window.
 */
void window_connect(struct window *window, const struct cfi *chip);

/* WINDOW_DIRECT or WINDOW_TRAP; of a deferred window, its future mode. */
enum window_mode window_mode(const struct window *window);

/* Fills the frames after a change of the view; no effect in trap mode. */
void window_show(struct window *window);

/*
 * Changes the mode: window_trap() leaves direct mode, window_direct() enters it
 * again.  The guest must be paused, because its memory is incomplete during the
 * change.  After an error the mode is unchanged.  -ENOTRECOVERABLE: the change
 * is incomplete, and the guest must not run.
 */
int window_trap(struct window *window, struct error *err);
int window_direct(struct window *window, struct error *err);

/* Leaves direct mode and frees the window. */
void window_close(struct window *window);

/* True if the frames have the bytes of the chip's view; for tests. */
bool window_verify(const struct window *window);

/*
 * Puts the firmware's SEC volume, `size` bytes (a multiple of FRAME_SIZE), into
 * read-only frames that end at 4 GiB, where OVMF's PVH entry expects it.  Keeps
 * frames that have the same contents already.  -EEXIST: the guest has other
 * memory there.
 */
int window_install_code(struct transport *t, const uint8_t *code, size_t size,
			struct error *err);

#endif
