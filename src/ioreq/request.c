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

static const struct ioreq_region *
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
static const struct ioreq_region *
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

static void
note_done(const struct ioreq_server *server, uint32_t accesses)
{
	if (server->notes)
		server->notes->done(server->notes->opaque, accesses);
}

/* What was read is lost with who read it: all is read again. */
static void
handle_read(struct ioreq_server *server, struct ioreq *request,
	    enum ioreq_space space)
{
	struct guest_mapping map = { .transport = server->transport };
	uint64_t data = request->data;

	for (uint32_t i = 0; i < request->count; i++) {
		uint64_t value = bus_read(server, space,
					  device_address(request, i),
					  request->size);

		if (request->data_is_ptr)
			guest_write(&map, element(request, data, i),
				    request->size, value);
		else
			request->data = value;
		note_done(server, i + 1);
	}
	guest_unmap(&map);
	server->stats.reads++;
}

static void
handle_write(struct ioreq_server *server, struct ioreq *request,
	     enum ioreq_space space, uint32_t done)
{
	struct guest_mapping map = { .transport = server->transport };
	uint64_t value = request->data;

	for (uint32_t i = done; i < request->count; i++) {
		if (request->data_is_ptr)
			value = guest_read(&map,
					   element(request, request->data, i),
					   request->size);
		bus_write(server, space, device_address(request, i),
			  request->size, value);
		note_done(server, i + 1);
	}
	guest_unmap(&map);
	server->stats.writes++;
}

static void
handle_access(struct ioreq_server *server, struct ioreq *request,
	      enum ioreq_space space, uint32_t done)
{
	server->stats.pointers += request->data_is_ptr;
	if (request->dir == IOREQ_READ)
		handle_read(server, request, space);
	else
		handle_write(server, request, space, done);
}

static void
handle_unknown(struct ioreq_server *server, struct ioreq *request)
{
	server->stats.unclaimed++;
	if (request->dir == IOREQ_READ && !request->data_is_ptr)
		request->data = UINT64_MAX;
}

/* What Xen can have sent (hvmemul_do_io(): sizes; hvm_emulate: 4096 reps). */
static bool
access_ok(const struct ioreq *request)
{
	return (request->size == 1 || request->size == 2 ||
		request->size == 4 || request->size == 8) &&
	       request->count <= 4096;
}

void
request_handle(struct ioreq_server *server, struct ioreq *request,
	       uint32_t done)
{
	server->stats.requests++;
	if (request->type == IOREQ_TYPE_INVALIDATE) {
		server->stats.invalidates++; /* nothing stays mapped */
		return;
	}
	if (!access_ok(request)) {
		handle_unknown(server, request);
		return;
	}
	if (request->type == IOREQ_TYPE_COPY)
		handle_access(server, request, IOREQ_SPACE_MEMORY, done);
	else if (request->type == IOREQ_TYPE_PIO)
		handle_access(server, request, IOREQ_SPACE_PORT, done);
	else
		handle_unknown(server, request);
}
