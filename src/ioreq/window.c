/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * direct_enter() claims the page type HVMMEM_ioreq_server, adds frames to the
 * hole, maps and fills them, and sets their type.  Xen allows this type only
 * for frames of type HVMMEM_ram_rw, and only if a server has claimed the type
 * (xen/arch/x86/hvm/dm.c, set_mem_type()).  When a server releases the type,
 * Xen makes the frames plain RAM again.  direct_leave() removes the frames,
 * which leaves the hole as it was before, and releases the type.
 */
#include "pflash/window.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pflash/probe.h"

struct window {
	struct transport *transport;
	const struct cfi *chip;
	uint64_t gfn;
	unsigned int count; /* frames */
	uint8_t *frames;    /* the mapping; NULL: trap mode, or deferred */
	uint32_t seen;      /* what the frames show: cfi_next_change() */
	bool populated;     /* the guest has the window's frames */
	bool owns;          /* the server has claimed the page type */
};

/* I/O APIC, HPET, local APICs, and Xen's special pages (public/hvm/e820.h). */
#define RESERVED_FIRST UINT64_C(0xfec00000)
#define RESERVED_LAST UINT64_C(0xfeffffff)

static int
check_memory(struct transport *t, uint64_t base, uint64_t size,
	     struct error *err)
{
	for (uint64_t addr = base; addr < base + size; addr += FRAME_SIZE) {
		int type = t->ops->get_type(t, addr >> FRAME_SHIFT);

		if (type < 0)
			return error_errno(
				err, -type,
				"cannot read the type of guest frame %#" PRIx64,
				addr >> FRAME_SHIFT);
		if (type != HVMMEM_mmio_dm)
			return error_set(err, EEXIST,
					 "the guest has memory at %#" PRIx64
					 ", where the flash should be",
					 addr);
	}
	return 0;
}

int
window_check_addresses(uint64_t base, uint64_t size, struct error *err)
{
	uint64_t last = base + size - 1;

	if (base % FRAME_SIZE || size % FRAME_SIZE || size == 0)
		return error_set(err, EINVAL,
				 "base %#" PRIx64 ": not a multiple of %#x",
				 base, FRAME_SIZE);
	if (base < WINDOW_HOLE_FIRST || last > WINDOW_HOLE_LAST ||
	    last < base || (base <= RESERVED_LAST && last >= RESERVED_FIRST))
		return error_set(err, EINVAL,
				 "%#" PRIx64 " to %#" PRIx64 " is not in the "
				 "hole for firmware, %#" PRIx64 " to %#" PRIx64
				 " without %#" PRIx64 " to %#" PRIx64,
				 base, last, WINDOW_HOLE_FIRST,
				 WINDOW_HOLE_LAST, RESERVED_FIRST,
				 RESERVED_LAST);
	return 0;
}

int
window_check_range(struct transport *t, uint64_t base, uint64_t size,
		   struct error *err)
{
	int ret = window_check_addresses(base, size, err);

	return ret < 0 ? ret : check_memory(t, base, size, err);
}

static int
frames_release(struct window *window)
{
	struct transport *t = window->transport;
	int ret = 0;

	if (window->frames)
		t->ops->unmap(t, window->frames, window->count);
	window->frames = NULL;
	if (window->populated)
		ret = t->ops->depopulate(t, window->gfn, window->count);
	if (ret >= 0)
		window->populated = false;
	return ret;
}

/* Xen makes frames of the type plain RAM, which the guest can write. */
static void
disown_type(struct window *window)
{
	struct transport *t = window->transport;

	if (window->owns)
		t->ops->own_type(t, false);
	window->owns = false;
}

/*
 * Also undoes an incomplete direct_enter().  Removes the frames first: frames
 * of the type and the hole both trap writes, plain RAM would not.
 */
static int
direct_leave(struct window *window)
{
	int ret = frames_release(window);

	disown_type(window);
	return ret < 0 ? -ENOTRECOVERABLE : 0;
}

/* Shows the whole view in frames that were just mapped. */
static void
fill(struct window *window)
{
	window->seen = 0;
	window_show(window);
}

static int
own_type(struct window *window, struct error *err)
{
	struct transport *t = window->transport;
	int ret = t->ops->own_type(t, true);

	window->owns = ret >= 0;
	if (ret < 0)
		return error_errno(
			err, -ret,
			"cannot claim writes to frames of type "
			"HVMMEM_ioreq_server%s",
			ret == -EBUSY ? " (another server has claimed them)" :
			ret == -EOPNOTSUPP ? " (no nested paging)" :
					     "");
	return 0;
}

/* Maps frames that the guest has. */
static int
frames_map(struct window *window, struct error *err)
{
	struct transport *t = window->transport;

	window->populated = true;
	window->frames = t->ops->map(t, window->gfn, window->count,
				     PROT_READ | PROT_WRITE);
	return window->frames ?
		       0 :
		       error_errno(err, errno, "cannot map the guest's frames");
}

/* Maps and fills frames that the guest has, and sets their type. */
static int
frames_claim(struct window *window, struct error *err)
{
	struct transport *t = window->transport;
	int ret = frames_map(window, err);

	if (ret < 0)
		return ret;
	if (window->chip)
		fill(window);
	ret = t->ops->set_type(t, HVMMEM_ioreq_server, window->gfn,
			       window->count);
	return ret < 0 ? error_errno(err, -ret,
				     "cannot set the type "
				     "of the flash's frames") :
			 0;
}

static int
populate(struct window *window, struct error *err)
{
	struct transport *t = window->transport;
	int ret = t->ops->populate(t, window->gfn, window->count);

	if (ret < 0)
		error_errno(err, -ret, "cannot give the guest %u frames",
			    window->count);
	return ret;
}

static int
direct_enter(struct window *window, struct error *err)
{
	int ret = own_type(window, err);

	if (ret == 0)
		ret = populate(window, err);
	if (ret == 0)
		ret = frames_claim(window, err);
	if (ret < 0 && direct_leave(window) < 0)
		ret = -ENOTRECOVERABLE;
	return ret;
}

static int
open_with(struct window **out, struct transport *t, uint64_t base,
	  uint32_t size, enum window_mode mode,
	  int (*enter)(struct window *window, struct error *err),
	  struct error *err)
{
	struct window *window = calloc(1, sizeof(*window));
	int ret = 0;

	err->text[0] = '\0';
	if (!window)
		return error_set(err, ENOMEM, "out of memory");
	window->transport = t;
	window->gfn = base >> FRAME_SHIFT;
	window->count = size / FRAME_SIZE;
	if (mode != WINDOW_TRAP)
		ret = enter(window, err);
	if (ret == -ENOTRECOVERABLE || (ret < 0 && mode == WINDOW_DIRECT)) {
		free(window);
		return ret;
	}
	*out = window;
	return 0;
}

int
window_open(struct window **out, struct transport *t, uint64_t base,
	    uint32_t size, enum window_mode mode, struct error *err)
{
	return open_with(out, t, base, size, mode, direct_enter, err);
}

int
window_open_later(struct window **out, struct transport *t, uint64_t base,
		  uint32_t size, enum window_mode mode, struct error *err)
{
	return open_with(out, t, base, size, mode, own_type, err);
}

/* The earlier process's claim and the type of its frames still exist. */
static int
adopt(struct window *window, struct error *err)
{
	struct transport *t = window->transport;
	int type = t->ops->get_type(t, window->gfn);

	window->owns = true;
	if (type < 0)
		return error_errno(err, -type,
				   "cannot read the type of the flash's "
				   "frames");
	return type == HVMMEM_ioreq_server ? frames_map(window, err) : 0;
}

int
window_adopt(struct window **out, struct transport *t, uint64_t base,
	     uint32_t size, bool owns, struct error *err)
{
	return open_with(out, t, base, size, owns ? WINDOW_DIRECT : WINDOW_TRAP,
			 adopt, err);
}

static unsigned int
count_ram(const struct window *window)
{
	struct transport *t = window->transport;
	unsigned int count = 0;

	for (unsigned int i = 0; i < window->count; i++)
		count += t->ops->get_type(t, window->gfn + i) == HVMMEM_ram_rw;
	return count;
}

/* Removes all frames in the range, which may have holes. */
static int
frames_remove_all(const struct window *window)
{
	struct transport *t = window->transport;
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < window->count; i++)
		if (t->ops->get_type(t, window->gfn + i) != HVMMEM_mmio_dm)
			ret = t->ops->depopulate(t, window->gfn + i, 1);
	return ret;
}

int
window_adopt_changing(struct window **out, struct transport *t, uint64_t base,
		      uint32_t size, struct error *err)
{
	int ret = open_with(out, t, base, size, WINDOW_TRAP, NULL, err);

	if (ret < 0)
		return ret;
	ret = frames_remove_all(*out);
	if (ret < 0) {
		free(*out);
		return error_errno(err, -ret,
				   "cannot remove the flash's frames from the "
				   "guest");
	}
	t->ops->own_type(t, false); /* fails if it is not claimed */
	return 0;
}

int
window_use_memory(struct window *window, struct error *err)
{
	err->text[0] = '\0';
	if (window->frames)
		return 0;
	if (window->owns) {
		if (count_ram(window) < window->count)
			error_set(err, ENXIO,
				  "the guest has no memory at "
				  "the flash");
		else if (frames_claim(window, err) == 0)
			return 0;
		direct_leave(window);
	}
	return frames_remove_all(window);
}

enum window_mode
window_mode(const struct window *window)
{
	return window->owns ? WINDOW_DIRECT : WINDOW_TRAP;
}

void
window_connect(struct window *window, const struct cfi *chip)
{
	window->chip = chip;
	fill(window);
}

void
window_show(struct window *window)
{
	uint32_t off, len;

	if (!window->frames)
		return;
	while (cfi_next_change(window->chip, &window->seen, &off, &len)) {
		cfi_render(window->chip, off, window->frames + off, len);
		PROBE_VIEW(off, len);
	}
}

/*
 * window_trap() has failed.  If the guest still has all frames, it has noticed
 * nothing: maps them again.
 */
static int
stay_direct(struct window *window, struct error *err)
{
	struct transport *t = window->transport;

	for (unsigned int i = 0; i < window->count; i++)
		if (t->ops->get_type(t, window->gfn + i) != HVMMEM_ioreq_server)
			return -ENOTRECOVERABLE;
	if (frames_map(window, err) < 0)
		return -ENOTRECOVERABLE;
	fill(window);
	return 0;
}

int
window_trap(struct window *window, struct error *err)
{
	bool populated = window->populated;
	int ret = frames_release(window);

	/* After a failure too: a frame that is left would prevent migration. */
	if (populated)
		ret = frames_remove_all(window);
	if (ret < 0) {
		struct error why;

		error_errno(err, -ret,
			    "cannot remove the flash's frames from the guest");
		return stay_direct(window, &why) < 0 ? -ENOTRECOVERABLE : ret;
	}
	/* A failure to release the type does no harm: no frame has it. */
	window->populated = false;
	disown_type(window);
	return 0;
}

int
window_direct(struct window *window, struct error *err)
{
	struct transport *t = window->transport;

	if (window->owns)
		return 0;
	t->ops->own_type(t, false); /* in case disown_type() has failed */
	return direct_enter(window, err);
}

void
window_close(struct window *window)
{
	(void)direct_leave(window);
	free(window);
}

bool
window_verify(const struct window *window)
{
	uint8_t expected[FRAME_SIZE];

	for (unsigned int i = 0; window->frames && i < window->count; i++) {
		size_t off = (size_t)i * FRAME_SIZE;

		cfi_render(window->chip, off, expected, FRAME_SIZE);
		if (memcmp(expected, window->frames + off, FRAME_SIZE) != 0)
			return false;
	}
	return true;
}
