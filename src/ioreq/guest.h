/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory, for requests with data_is_ptr: their data is at a
 * guest-physical address.
 *
 * Maps one frame at a time, for all accesses of one request.  Nothing stays
 * mapped between two requests.  So IOREQ_TYPE_INVALIDATE needs no action, and
 * Xen can free the frames of a dead domain.
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
	bool known;     /* `gfn` is valid; then frame NULL means: a hole */
	bool read_only; /* the guest cannot write the frame */
};

/*
 * 1 to 8 bytes, little-endian; the access may cross a frame boundary.  In a
 * hole, a read returns 0xff bytes and a write is dropped.  A write to a frame
 * that is read-only for the guest is dropped too.
 */
uint64_t guest_read(struct guest_mapping *map, uint64_t addr,
		    unsigned int size);
void guest_write(struct guest_mapping *map, uint64_t addr, unsigned int size,
		 uint64_t value);
/* Only guest_unmap() calls it. */
void guest_unmap_frame(struct guest_mapping *map);

/* Call it at the end of each request. */
static inline void
guest_unmap(struct guest_mapping *map)
{
	if (map->known)
		guest_unmap_frame(map);
}

#endif
