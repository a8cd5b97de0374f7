/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Installs OVMF's SEC volume at the address for which it is linked.
 *
 * On PVH the firmware is loaded at 1 MiB and runs there, but it reads through
 * pointers to its link address, which ends at 4 GiB.  Without memory at that
 * address each of these reads traps.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "pflash/window.h"

#define FOUR_GIB (UINT64_C(1) << 32)

/*
 * Is the code present already?  Then an earlier server of this domain has
 * installed it, or the domain was restored.  After xl restore the frames are
 * writable: makes them read-only again.
 */
static bool
code_present(struct transport *t, uint64_t gfn, const uint8_t *code,
	     unsigned int count)
{
	int type = t->ops->get_type(t, gfn);
	void *frames;
	bool same;

	if (type != HVMMEM_ram_ro && type != HVMMEM_ram_rw)
		return false;
	frames = t->ops->map(t, gfn, count, PROT_READ);
	if (!frames)
		return false;
	same = memcmp(frames, code, (size_t)count * FRAME_SIZE) == 0;
	t->ops->unmap(t, frames, count);
	return same && (type == HVMMEM_ram_ro ||
			t->ops->set_type(t, HVMMEM_ram_ro, gfn, count) >= 0);
}

static int
code_fill(struct transport *t, uint64_t gfn, const uint8_t *code,
	  unsigned int count)
{
	void *frames = t->ops->map(t, gfn, count, PROT_READ | PROT_WRITE);

	if (!frames)
		return -errno;
	memcpy(frames, code, (size_t)count * FRAME_SIZE);
	t->ops->unmap(t, frames, count);
	return t->ops->set_type(t, HVMMEM_ram_ro, gfn, count);
}

int
window_install_code(struct transport *t, const uint8_t *code, size_t size,
		    struct error *err)
{
	unsigned int count = (unsigned int)(size / FRAME_SIZE);
	uint64_t base = FOUR_GIB - size;
	uint64_t gfn = base >> FRAME_SHIFT;
	int ret;

	if (code_present(t, gfn, code, count))
		return 0;
	ret = window_check_range(t, base, size, err);
	if (ret < 0)
		return ret;
	ret = t->ops->populate(t, gfn, count);
	if (ret < 0)
		return error_errno(err, -ret,
				   "cannot give the guest %u frames for the "
				   "firmware's code",
				   count);
	ret = code_fill(t, gfn, code, count);
	if (ret < 0) {
		t->ops->depopulate(t, gfn, count);
		return error_errno(err, -ret,
				   "cannot write the firmware's "
				   "code at %#" PRIx64,
				   base);
	}
	return 0;
}
