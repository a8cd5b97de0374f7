/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decodes one request into accesses of the regions.
 *
 * Xen sends accesses of 1, 2, 4 and 8 bytes, at any alignment, with a repeat
 * count for `rep` instructions.  The addresses ascend, or descend if the
 * direction flag is set.  With data_is_ptr the data is in guest memory, and its
 * address moves in the same way (xen/arch/x86/hvm/emulate.c, hvmemul_do_io()
 * and hvmemul_rep_movs()).  Bytes outside all regions are read as 0xff, and
 * writes to them have no effect, as on a bus without a device.
 */
#include "server.h"

/*
 * Not inlined: rare code must not cost the common single access registers and
 * instructions.
 */
#define RARE __attribute__((cold, noinline)) static

static inline const struct ioreq_region *
region_find(const struct ioreq_server *server, enum ioreq_space space,
	    uint64_t addr)
{
	for (unsigned int i = 0; i < server->region_count; i++) {
		const struct ioreq_region *region = &server->regions[i];

		/* Below the region the difference wraps to a large number. */
		if (region->space == space &&
		    addr - region->first < region->size)
			return region;
	}
	return NULL;
}

/* The region that contains the whole access, or NULL. */
static inline const struct ioreq_region *
region_whole(const struct ioreq_server *server, enum ioreq_space space,
	     uint64_t addr, unsigned int size)
{
	const struct ioreq_region *region = region_find(server, space, addr);

	if (region && region->size - (addr - region->first) >= size)
		return region;
	return NULL;
}

static inline uint64_t bus_read(struct ioreq_server *server,
				enum ioreq_space space, uint64_t addr,
				unsigned int size);
static inline void bus_write(struct ioreq_server *server,
			     enum ioreq_space space, uint64_t addr,
			     unsigned int size, uint64_t value);

/* No region contains the whole access: handle each byte separately. */
RARE uint64_t
bus_read_bytes(struct ioreq_server *server, enum ioreq_space space,
	       uint64_t addr, unsigned int size)
{
	uint64_t value = 0;

	if (size == 1) {
		server->stats.unclaimed++;
		return 0xff;
	}
	for (unsigned int i = 0; i < size; i++)
		value |= bus_read(server, space, addr + i, 1) << 8 * i;
	return value;
}

RARE void
bus_write_bytes(struct ioreq_server *server, enum ioreq_space space,
		uint64_t addr, unsigned int size, uint64_t value)
{
	if (size == 1) {
		server->stats.unclaimed++;
		return;
	}
	for (unsigned int i = 0; i < size; i++)
		bus_write(server, space, addr + i, 1, value >> 8 * i & 0xff);
}

static inline uint64_t
bus_read(struct ioreq_server *server, enum ioreq_space space, uint64_t addr,
	 unsigned int size)
{
	const struct ioreq_region *region = region_whole(server, space, addr,
							 size);

	if (!region)
		return bus_read_bytes(server, space, addr, size);
	return region->ops->read(region->opaque, addr - region->first, size);
}

static inline void
bus_write(struct ioreq_server *server, enum ioreq_space space, uint64_t addr,
	  unsigned int size, uint64_t value)
{
	const struct ioreq_region *region = region_whole(server, space, addr,
							 size);

	if (!region)
		bus_write_bytes(server, space, addr, size, value);
	else
		region->ops->write(region->opaque, addr - region->first, size,
				   value);
}

/*
 * Is the data of a request in memory of the guest?  Xen accepts addresses of
 * the flash's frames too (rep ins): such data is an access of the chip.
 */
static bool
in_memory(const struct ioreq_server *server, uint64_t addr, unsigned int size)
{
	return !region_find(server, IOREQ_SPACE_MEMORY, addr) &&
	       !region_find(server, IOREQ_SPACE_MEMORY, addr + size - 1);
}

RARE uint64_t
data_read(struct ioreq_server *server, uint64_t addr, unsigned int size)
{
	struct guest_mapping *map = &server->map;
	uint64_t value = 0;

	if (in_memory(server, addr, size))
		return guest_read(map, addr, size);
	if (region_whole(server, IOREQ_SPACE_MEMORY, addr, size))
		return bus_read(server, IOREQ_SPACE_MEMORY, addr, size);
	for (unsigned int i = 0; i < size; i++)
		value |= data_read(server, addr + i, 1) << 8 * i;
	return value;
}

RARE void
data_write(struct ioreq_server *server, uint64_t addr, unsigned int size,
	   uint64_t value)
{
	struct guest_mapping *map = &server->map;

	if (in_memory(server, addr, size)) {
		guest_write(map, addr, size, value);
		return;
	}
	if (region_whole(server, IOREQ_SPACE_MEMORY, addr, size)) {
		bus_write(server, IOREQ_SPACE_MEMORY, addr, size, value);
		return;
	}
	for (unsigned int i = 0; i < size; i++)
		data_write(server, addr + i, 1, value >> 8 * i & 0xff);
}

static inline void
make_access(struct ioreq_server *server, struct ioreq *request)
{
	const enum ioreq_space space = request->type == IOREQ_TYPE_PIO ?
					       IOREQ_SPACE_PORT :
					       IOREQ_SPACE_MEMORY;
	const unsigned int size = request->size;

	if (request->dir == IOREQ_WRITE) {
		uint64_t value = request->data_is_ptr ?
					 data_read(server, request->data,
						   size) :
					 request->data;

		bus_write(server, space, request->addr, size, value);
	} else {
		uint64_t value = bus_read(server, space, request->addr, size);

		if (request->data_is_ptr)
			data_write(server, request->data, size, value);
		else
			request->data = value;
	}
}

void
request_skip(struct ioreq *request, uint32_t accesses)
{
	uint64_t distance = (uint64_t)accesses * request->size;

	if (request->df)
		distance = -distance;
	if (request->type != IOREQ_TYPE_PIO)
		request->addr += distance;
	if (request->data_is_ptr)
		request->data += distance;
}

/* False: the throttle stopped the request. */
static inline bool
make_accesses(struct ioreq_server *server, struct ioreq *request,
	      uint32_t *done)
{
	const uint32_t count = request->count;
	uint32_t i = *done;

	while (i < count) {
		make_access(server, request);
		i++;
		if (server->handover)
			handover_write(server->handover, i);
		if (i == count)
			break;
		request_skip(request, 1);
		if (!may_go_on(server))
			break;
	}
	guest_unmap(&server->map);
	*done = i;
	return i >= count;
}

static void
count_access(struct ioreq_stats *stats, const struct ioreq *request)
{
	stats->pointers += request->data_is_ptr;
	if (request->dir == IOREQ_READ)
		stats->reads++;
	else
		stats->writes++;
}

#define SIZES (1u << 1 | 1u << 2 | 1u << 4 | 1u << 8)

/*
 * Is this a request that Xen can send?  hvmemul_do_io() sends these sizes, and
 * at most 4096 repetitions.
 */
static inline bool
is_access(const struct ioreq *request)
{
	return (request->type == IOREQ_TYPE_COPY ||
		request->type == IOREQ_TYPE_PIO) &&
	       request->size <= 8 && SIZES >> request->size & 1 &&
	       request->count <= 4096;
}

/* IOREQ_TYPE_INVALIDATE needs no action: nothing stays mapped (guest.h). */
static void
answer_other(struct ioreq_server *server, struct ioreq *request)
{
	if (request->type == IOREQ_TYPE_INVALIDATE) {
		server->stats.invalidates++;
		return;
	}
	server->stats.unclaimed++;
	if (request->dir == IOREQ_READ && !request->data_is_ptr)
		request->data = UINT64_MAX;
}

bool
request_handle(struct ioreq_server *server, struct ioreq *request,
	       uint32_t *done)
{
	if (is_access(request)) {
		if (!make_accesses(server, request, done))
			return false;
		count_access(&server->stats, request);
	} else {
		answer_other(server, request);
	}
	server->stats.requests++;
	return true;
}
