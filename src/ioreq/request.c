/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From one request to accesses of the regions.
 *
 * Xen sends sizes 1, 2, 4 and 8, at any alignment, with a repeat count for
 * `rep` instructions; the addresses ascend, or descend with the direction flag
 * set.  With data_is_ptr the data lies in guest memory and moves along (xen
 * arch/x86/hvm/emulate.c, hvmemul_do_io() and hvmemul_rep_movs()).  Bytes
 * outside every region read 0xff and swallow writes, as a bus without a
 * device does.
 */
#include "guest.h"
#include "server.h"

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

/* The region that holds the whole access, or NULL. */
static inline const struct ioreq_region *
region_whole(const struct ioreq_server *server, enum ioreq_space space,
	     uint64_t addr, unsigned int size)
{
	const struct ioreq_region *region = region_find(server, space, addr);

	if (region && region->size - (addr - region->first) >= size)
		return region;
	return NULL;
}

static uint64_t
bus_read(struct ioreq_server *server, enum ioreq_space space, uint64_t addr,
	 unsigned int size)
{
	const struct ioreq_region *region = region_whole(server, space, addr,
							 size);
	uint64_t value = 0;

	if (region)
		return region->ops->read(region->opaque, addr - region->first,
					 size);
	if (size == 1) {
		server->stats.unclaimed++;
		return 0xff;
	}
	for (unsigned int i = 0; i < size; i++)
		value |= bus_read(server, space, addr + i, 1) << 8 * i;
	return value;
}

static void
bus_write(struct ioreq_server *server, enum ioreq_space space, uint64_t addr,
	  unsigned int size, uint64_t value)
{
	const struct ioreq_region *region = region_whole(server, space, addr,
							 size);

	if (region) {
		region->ops->write(region->opaque, addr - region->first, size,
				   value);
		return;
	}
	if (size == 1) {
		server->stats.unclaimed++;
		return;
	}
	for (unsigned int i = 0; i < size; i++)
		bus_write(server, space, addr + i, 1, value >> 8 * i & 0xff);
}

/* Element i of a repeated access that starts at `first`. */
static uint64_t
element(const struct ioreq *request, uint64_t first, uint32_t i)
{
	uint64_t distance = (uint64_t)i * request->size;

	return request->df ? first - distance : first + distance;
}

/* Memory moves along with the repeat count; rep ins and outs name one port. */
static uint64_t
device_address(const struct ioreq *request, uint32_t i)
{
	if (request->type == IOREQ_TYPE_PIO)
		return request->addr;
	return element(request, request->addr, i);
}

static inline void
note_done(const struct ioreq_server *server, uint32_t accesses)
{
	if (server->notes)
		server->notes->done(server->notes->opaque, accesses);
}

/*
 * Where the data is.  The flash has frames of the guest's memory, and Xen takes
 * an address there, from rep ins for one; but they are the chip's, and what
 * comes to them from elsewhere is an access of the chip.
 */
static bool
in_memory(const struct ioreq_server *server, uint64_t addr, unsigned int size)
{
	return !region_find(server, IOREQ_SPACE_MEMORY, addr) &&
	       !region_find(server, IOREQ_SPACE_MEMORY, addr + size - 1);
}

static uint64_t
data_read(struct ioreq_server *server, struct guest_mapping *map, uint64_t addr,
	  unsigned int size)
{
	uint64_t value = 0;

	if (in_memory(server, addr, size))
		return guest_read(map, addr, size);
	if (region_whole(server, IOREQ_SPACE_MEMORY, addr, size))
		return bus_read(server, IOREQ_SPACE_MEMORY, addr, size);
	for (unsigned int i = 0; i < size; i++)
		value |= data_read(server, map, addr + i, 1) << 8 * i;
	return value;
}

static void
data_write(struct ioreq_server *server, struct guest_mapping *map,
	   uint64_t addr, unsigned int size, uint64_t value)
{
	if (in_memory(server, addr, size)) {
		guest_write(map, addr, size, value);
		return;
	}
	if (region_whole(server, IOREQ_SPACE_MEMORY, addr, size)) {
		bus_write(server, IOREQ_SPACE_MEMORY, addr, size, value);
		return;
	}
	for (unsigned int i = 0; i < size; i++)
		data_write(server, map, addr + i, 1, value >> 8 * i & 0xff);
}

static void
read_element(struct ioreq_server *server, struct guest_mapping *map,
	     struct ioreq *request, enum ioreq_space space, uint32_t i)
{
	uint64_t value = bus_read(server, space, device_address(request, i),
				  request->size);

	if (request->data_is_ptr)
		data_write(server, map, element(request, request->data, i),
			   request->size, value);
	else
		request->data = value;
}

static void
write_element(struct ioreq_server *server, struct guest_mapping *map,
	      const struct ioreq *request, enum ioreq_space space, uint32_t i)
{
	uint64_t value = request->data;

	if (request->data_is_ptr)
		value = data_read(server, map,
				  element(request, request->data, i),
				  request->size);
	bus_write(server, space, device_address(request, i), request->size,
		  value);
}

/* The first access of each call is made without asking: its caller has. */
static bool
handle_access(struct ioreq_server *server, struct ioreq *request,
	      enum ioreq_space space, uint32_t *done)
{
	struct guest_mapping map = { .transport = server->transport };
	uint32_t first = *done;

	for (; *done < request->count; ++*done) {
		if (*done > first && !gate_open(server))
			break;
		if (request->dir == IOREQ_READ)
			read_element(server, &map, request, space, *done);
		else
			write_element(server, &map, request, space, *done);
		note_done(server, *done + 1);
	}
	guest_unmap(&map);
	return *done >= request->count;
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

static void
handle_unknown(struct ioreq_server *server, struct ioreq *request)
{
	server->stats.unclaimed++;
	if (request->dir == IOREQ_READ && !request->data_is_ptr)
		request->data = UINT64_MAX;
}

#define SIZES (1u << 1 | 1u << 2 | 1u << 4 | 1u << 8)

/* What Xen can have sent (hvmemul_do_io(): sizes; hvm_emulate: 4096 reps). */
static inline bool
access_ok(const struct ioreq *request)
{
	return request->size <= 8 && SIZES >> request->size & 1 &&
	       request->count <= 4096;
}

/*
 * One access of one region, with its data in the request, as nearly all are.
 * false: it is something else, for handle_access().
 */
static inline bool
handle_single(struct ioreq_server *server, struct ioreq *request)
{
	const struct ioreq_region *region;

	if (request->count != 1 || request->data_is_ptr)
		return false;
	region = region_whole(server, IOREQ_SPACE_MEMORY, request->addr,
			      request->size);
	if (!region)
		return false;
	if (request->dir == IOREQ_READ) {
		request->data = region->ops->read(region->opaque,
						  request->addr - region->first,
						  request->size);
		server->stats.reads++;
	} else {
		region->ops->write(region->opaque,
				   request->addr - region->first, request->size,
				   request->data);
		server->stats.writes++;
	}
	note_done(server, 1);
	server->stats.requests++;
	return true;
}

static __attribute__((noinline)) bool
handle_any(struct ioreq_server *server, struct ioreq *request, uint32_t *done)
{
	struct ioreq_stats *stats = &server->stats;

	if (request->type == IOREQ_TYPE_INVALIDATE) {
		stats->invalidates++; /* nothing stays mapped */
	} else if (!access_ok(request) || (request->type != IOREQ_TYPE_COPY &&
					   request->type != IOREQ_TYPE_PIO)) {
		handle_unknown(server, request);
	} else {
		if (!handle_access(server, request,
				   request->type == IOREQ_TYPE_PIO ?
					   IOREQ_SPACE_PORT :
					   IOREQ_SPACE_MEMORY,
				   done))
			return false;
		count_access(stats, request);
	}
	stats->requests++;
	return true;
}

bool
request_handle(struct ioreq_server *server, struct ioreq *request,
	       uint32_t *done)
{
	if (request->type == IOREQ_TYPE_COPY && *done == 0 &&
	    access_ok(request) && handle_single(server, request))
		return true;
	return handle_any(server, request, done);
}
