/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <sys/mman.h>

/*
 * Remembers a hole too: thousands of elements of one request may be in the same
 * hole, and each attempt to map it is a hypercall.
 */
static uint8_t *
guest_byte(struct guest_mapping *map, uint64_t addr)
{
	uint64_t gfn = addr >> FRAME_SHIFT;
	struct transport *t = map->transport;

	if (!map->known || map->gfn != gfn) {
		guest_unmap(map);
		map->gfn = gfn;
		map->frame = t->ops->map(t, gfn, 1, PROT_READ | PROT_WRITE);
		map->read_only = t->ops->get_type(t, gfn) == HVMMEM_ram_ro;
		map->known = true;
	}
	return map->frame ? map->frame + addr % FRAME_SIZE : NULL;
}

uint64_t
guest_read(struct guest_mapping *map, uint64_t addr, unsigned int size)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++) {
		const uint8_t *byte = guest_byte(map, addr + i);

		value |= (uint64_t)(byte ? *byte : 0xff) << 8 * i;
	}
	return value;
}

void
guest_write(struct guest_mapping *map, uint64_t addr, unsigned int size,
	    uint64_t value)
{
	for (unsigned int i = 0; i < size; i++) {
		uint8_t *byte = guest_byte(map, addr + i);

		if (byte && !map->read_only)
			*byte = (uint8_t)(value >> 8 * i);
	}
}

void
guest_unmap_frame(struct guest_mapping *map)
{
	if (map->frame)
		map->transport->ops->unmap(map->transport, map->frame, 1);
	map->frame = NULL;
	map->known = false;
}
