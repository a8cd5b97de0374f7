/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's side of the simulation: turns a vCPU's accesses into requests, by
 * the rules of Xen (arch/x86/hvm/emulate.c):
 *
 *  - an access is split at frame boundaries, then chopped into powers of two
 *    of at most 8 bytes; start addresses stay as they are, aligned or not;
 *  - frames of RAM serve reads; writes to ram_ro are discarded; writes to
 *    HVMMEM_ioreq_server go to its owner, one element each, whatever ranges
 *    it claims;
 *  - a hole goes to the server that claims the whole access, else reads ones;
 *  - rep movs between a hole and RAM is one request a frame with data_is_ptr;
 *    rep stos to a hole is one request with a count; all else by element;
 *  - a vCPU takes its answer by executing the instruction again: if that makes
 *    another request by then, Xen crashes the domain.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim_impl.h"

void
sim_set_server(struct sim *sim, void (*run)(void *opaque), void *opaque)
{
	sim->run = run;
	sim->run_opaque = opaque;
}

static int
crash(struct sim *sim, const char *why, unsigned int state)
{
	if (!sim->crash[0])
		snprintf(sim->crash, sizeof(sim->crash), "%s (state %u)", why,
			 state);
	return -EPIPE;
}

/* Before the server can see the request: any vCPU's event may answer it. */
static void
expect_answer(struct sim *sim, unsigned int vcpu)
{
	pthread_mutex_lock(&sim->lock);
	sim->answered[vcpu] = false;
	pthread_mutex_unlock(&sim->lock);
}

static void
wait_answer(struct sim *sim, unsigned int vcpu)
{
	if (sim->run) {
		sim->run(sim->run_opaque);
		return;
	}
	pthread_mutex_lock(&sim->lock);
	sim->running--;
	pthread_cond_broadcast(&sim->wake);
	while (!sim->answered[vcpu] || sim->stats.paused)
		pthread_cond_wait(&sim->wake, &sim->lock);
	sim->running++;
	pthread_mutex_unlock(&sim->lock);
}

/* Begins an access: a pause of the domain waits for the end of each access. */
static void
vcpu_enter(struct sim *sim)
{
	if (sim->run)
		return;
	pthread_mutex_lock(&sim->lock);
	while (sim->stats.paused)
		pthread_cond_wait(&sim->wake, &sim->lock);
	sim->running++;
	pthread_mutex_unlock(&sim->lock);
}

static void
vcpu_leave(struct sim *sim)
{
	if (sim->run)
		return;
	pthread_mutex_lock(&sim->lock);
	sim->running--;
	pthread_cond_broadcast(&sim->wake);
	pthread_mutex_unlock(&sim->lock);
}

static int
exchange(struct sim *sim, unsigned int vcpu, struct ioreq *request)
{
	struct ioreq *slot = &sim->transport.page->vcpu_ioreq[vcpu];
	uint32_t port = slot->vp_eport;

	if (slot->state != STATE_IOREQ_NONE)
		return crash(sim, "the slot is in use", slot->state);
	request->vp_eport = port;
	request->state = STATE_IOREQ_NONE;
	*slot = *request;
	expect_answer(sim, vcpu);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	slot->state = STATE_IOREQ_READY;
	sim_raise(sim, vcpu);
	wait_answer(sim, vcpu);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (slot->state != STATE_IORESP_READY || !sim->answered[vcpu])
		return crash(sim, "the request was not answered", slot->state);
	if (slot->vp_eport != port)
		return crash(sim, "the event channel was altered", slot->state);
	request->data = slot->data;
	slot->state = STATE_IOREQ_NONE;
	return 0;
}

int
sim_request(struct sim *sim, unsigned int vcpu, struct ioreq *request)
{
	int ret;

	vcpu_enter(sim);
	ret = exchange(sim, vcpu, request);
	vcpu_leave(sim);
	return ret;
}

static uint64_t
send(struct sim *sim, unsigned int vcpu, struct ioreq request)
{
	if (request.dir == IOREQ_READ)
		sim->stats.trapped_reads++;
	else
		sim->stats.trapped_writes++;
	if (exchange(sim, vcpu, &request) < 0)
		return UINT64_MAX;
	return request.data;
}

/* One access that Xen sends as one request, if the server claims it. */
static void
hole_read(struct sim *sim, unsigned int vcpu, uint64_t addr, uint8_t *dst,
	  unsigned int size)
{
	uint64_t value = UINT64_MAX;

	if (sim_claimed(sim, IOREQ_SPACE_MEMORY, addr, addr + size - 1))
		value = send(sim, vcpu,
			     (struct ioreq){
				     .type = IOREQ_TYPE_COPY,
				     .dir = IOREQ_READ,
				     .addr = addr,
				     .size = size,
				     .count = 1,
			     });
	memcpy(dst, &value, size);
}

static void
hole_write(struct sim *sim, unsigned int vcpu, uint64_t addr,
	   const uint8_t *src, unsigned int size, bool owned)
{
	uint64_t value = 0;

	if (!owned &&
	    !sim_claimed(sim, IOREQ_SPACE_MEMORY, addr, addr + size - 1))
		return;
	memcpy(&value, src, size);
	send(sim, vcpu,
	     (struct ioreq){
		     .type = IOREQ_TYPE_COPY,
		     .dir = IOREQ_WRITE,
		     .addr = addr,
		     .size = size,
		     .count = 1,
		     .data = value,
	     });
}

/* The largest power of two up to `size` and 8. */
static unsigned int
chop(unsigned int size)
{
	unsigned int part = 8;

	while (part > size)
		part >>= 1;
	return part;
}

static unsigned int
to_frame_end(uint64_t addr, unsigned int size)
{
	unsigned int left = FRAME_SIZE - (unsigned int)(addr % FRAME_SIZE);

	return size < left ? size : left;
}

static void
read_bytes(struct sim *sim, unsigned int vcpu, uint64_t addr, uint8_t *out,
	   unsigned int size)
{
	while (size) {
		uint64_t gfn = addr >> FRAME_SHIFT;
		unsigned int part = to_frame_end(addr, size);

		if (sim_is_ram(sim_entry(sim, gfn))) {
			memcpy(out, sim_frame(sim, gfn) + addr % FRAME_SIZE,
			       part);
			sim->stats.direct_reads++;
		} else {
			part = chop(part);
			hole_read(sim, vcpu, addr, out, part);
		}
		addr += part;
		out += part;
		size -= part;
	}
}

static void
write_bytes(struct sim *sim, unsigned int vcpu, uint64_t addr,
	    const uint8_t *in, unsigned int size)
{
	while (size) {
		uint64_t gfn = addr >> FRAME_SHIFT;
		const struct sim_entry *entry = sim_entry(sim, gfn);
		unsigned int part = to_frame_end(addr, size);
		bool owned = entry->type == HVMMEM_ioreq_server;

		if (sim_is_ram(entry) && entry->type == HVMMEM_ram_rw) {
			memcpy(sim_frame(sim, gfn) + addr % FRAME_SIZE, in,
			       part);
		} else if (!sim_is_ram(entry) || owned) {
			part = chop(part);
			hole_write(sim, vcpu, addr, in, part, owned);
		}
		addr += part;
		in += part;
		size -= part;
	}
}

void
sim_guest_read(struct sim *sim, unsigned int vcpu, uint64_t addr, void *dst,
	       unsigned int size)
{
	vcpu_enter(sim);
	read_bytes(sim, vcpu, addr, dst, size);
	vcpu_leave(sim);
}

void
sim_guest_write(struct sim *sim, unsigned int vcpu, uint64_t addr,
		const void *src, unsigned int size)
{
	vcpu_enter(sim);
	write_bytes(sim, vcpu, addr, src, size);
	vcpu_leave(sim);
}

static uint64_t
port_access(struct sim *sim, unsigned int vcpu, struct ioreq request)
{
	uint64_t value = UINT64_MAX;

	request.type = IOREQ_TYPE_PIO;
	request.count = 1;
	vcpu_enter(sim);
	if (sim_claimed(sim, IOREQ_SPACE_PORT, request.addr,
			request.addr + request.size - 1))
		value = send(sim, vcpu, request);
	vcpu_leave(sim);
	return value;
}

uint32_t
sim_guest_in(struct sim *sim, unsigned int vcpu, uint16_t port,
	     unsigned int size)
{
	return (uint32_t)port_access(sim, vcpu,
				     (struct ioreq){
					     .dir = IOREQ_READ,
					     .addr = port,
					     .size = size,
				     });
}

void
sim_guest_out(struct sim *sim, unsigned int vcpu, uint16_t port,
	      unsigned int size, uint32_t value)
{
	port_access(sim, vcpu,
		    (struct ioreq){
			    .dir = IOREQ_WRITE,
			    .addr = port,
			    .size = size,
			    .data = value,
		    });
}

/* Number of elements from `addr` on that lie in its frame; at least one. */
static unsigned int
in_frame(uint64_t addr, unsigned int size, unsigned int count, bool back)
{
	unsigned int off = (unsigned int)(addr % FRAME_SIZE);
	unsigned int fit;

	if (off + size > FRAME_SIZE)
		return 1;
	fit = back ? off / size + 1 : (FRAME_SIZE - off) / size;
	return fit < count ? fit : count;
}

/* True if all elements lie in a hole that the server claims. */
static bool
batch_target(struct sim *sim, uint64_t addr, unsigned int size,
	     unsigned int count, bool back)
{
	uint64_t span = (uint64_t)(count - 1) * size;
	uint64_t first = back ? addr - span : addr;

	return !sim_is_ram(sim_entry(sim, addr >> FRAME_SHIFT)) &&
	       sim_claimed(sim, IOREQ_SPACE_MEMORY, first,
			   first + span + size - 1);
}

static bool
is_plain_ram(struct sim *sim, uint64_t addr)
{
	const struct sim_entry *entry = sim_entry(sim, addr >> FRAME_SHIFT);

	return sim_is_ram(entry) && entry->type == HVMMEM_ram_rw;
}

static void
move_element(struct sim *sim, unsigned int vcpu, uint64_t dst, uint64_t src,
	     unsigned int size)
{
	const struct sim_entry *entry = sim_entry(sim, dst >> FRAME_SHIFT);
	bool owned = entry->type == HVMMEM_ioreq_server;
	uint8_t element[8];

	read_bytes(sim, vcpu, src, element, size);
	write_bytes(sim, vcpu, dst, element, size);
	if (owned && entry->type != HVMMEM_ioreq_server)
		crash(sim, "not the request that was answered", entry->type);
}

void
sim_guest_movs(struct sim *sim, unsigned int vcpu, uint64_t dst, uint64_t src,
	       unsigned int size, unsigned int count, bool back)
{
	while (count) {
		unsigned int n = in_frame(dst, size, count, back);
		bool reads, writes;

		vcpu_enter(sim);
		n = in_frame(src, size, n, back);
		reads = batch_target(sim, src, size, n, back) &&
			is_plain_ram(sim, dst);
		writes = batch_target(sim, dst, size, n, back) &&
			 is_plain_ram(sim, src);
		if (reads || writes) {
			send(sim, vcpu,
			     (struct ioreq){
				     .type = IOREQ_TYPE_COPY,
				     .data_is_ptr = 1,
				     .dir = reads ? IOREQ_READ : IOREQ_WRITE,
				     .addr = reads ? src : dst,
				     .data = reads ? dst : src,
				     .size = size,
				     .count = n,
				     .df = back,
			     });
		} else {
			n = 1;
			move_element(sim, vcpu, dst, src, size);
		}
		vcpu_leave(sim);
		dst += back ? -(uint64_t)n * size : (uint64_t)n * size;
		src += back ? -(uint64_t)n * size : (uint64_t)n * size;
		count -= n;
	}
}

void
sim_guest_stos(struct sim *sim, unsigned int vcpu, uint64_t dst, uint64_t value,
	       unsigned int size, unsigned int count, bool back)
{
	while (count) {
		unsigned int n = in_frame(dst, size, count, back);

		vcpu_enter(sim);
		if (batch_target(sim, dst, size, n, back)) {
			send(sim, vcpu,
			     (struct ioreq){
				     .type = IOREQ_TYPE_COPY,
				     .dir = IOREQ_WRITE,
				     .addr = dst,
				     .data = value,
				     .size = size,
				     .count = n,
				     .df = back,
			     });
		} else {
			n = 1;
			write_bytes(sim, vcpu, dst, (uint8_t *)&value, size);
		}
		vcpu_leave(sim);
		dst += back ? -(uint64_t)n * size : (uint64_t)n * size;
		count -= n;
	}
}
