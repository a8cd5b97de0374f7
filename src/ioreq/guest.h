/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory, for requests whose data is a guest-physical address.
 *
 * Maps one frame at a time and keeps it for the next access of the same
 * request; nothing stays mapped between requests, so that there is nothing to
 * drop on IOREQ_TYPE_INVALIDATE and no frame of a dead domain is held.
 */
#ifndef PFLASH_IOREQ_GUEST_H
#define PFLASH_IOREQ_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/transport.h"

struct guest_mapping {
	struct transport *transport;
	uint64_t gfn;
	uint8_t *frame; /* NULL: nothing is mapped */
	bool known;     /* what `gfn` is: if it is not mapped, it is a hole */
	bool read_only; /* for the guest, as its firmware is */
};

/*
 * 1 to 8 bytes, little-endian, across a frame boundary too.  Where the guest
 * has no memory a read gives 0xff bytes and a write is dropped, and so it is
 * where the guest could not write itself.
 */
uint64_t guest_read(struct guest_mapping *map, uint64_t addr,
		    unsigned int size);
void guest_write(struct guest_mapping *map, uint64_t addr, unsigned int size,
		 uint64_t value);
/* For guest_unmap() alone. */
void guest_unmap_frame(struct guest_mapping *map);

static inline void
guest_unmap(struct guest_mapping *map)
{
	if (map->known)
		guest_unmap_frame(map);
}

#endif
