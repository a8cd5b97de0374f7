/* SPDX-License-Identifier: BSD-2-Clause */
/* The protocol of the shared page. */
#include "server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAUSE_NANOSECONDS 1000000000u

static int
server_open(struct ioreq_server **out, struct transport *t, struct error *err)
{
	struct ioreq_server *server = calloc(1, sizeof(*server));

	if (server)
		server->ports = calloc(t->vcpus, sizeof(*server->ports));
	if (!server || !server->ports) {
		free(server);
		return error_set(err, ENOMEM, "out of memory");
	}
	server->transport = t;
	*out = server;
	return 0;
}

static void
server_free(struct ioreq_server *server)
{
	free(server->ports);
	free(server);
}

int
ioreq_server_open(struct ioreq_server **out, struct transport *t,
		  struct error *err)
{
	struct ioreq_server *server;
	int ret = server_open(&server, t, err);

	if (ret < 0)
		return ret;
	ret = t->ops->create(t);
	if (ret < 0) {
		server_free(server);
		return error_errno(err, -ret, "cannot create an ioreq server");
	}
	*out = server;
	return 0;
}

int
ioreq_server_adopt(struct ioreq_server **out, struct transport *t, uint32_t id,
		   struct error *err)
{
	struct ioreq_server *server;
	int ret = server_open(&server, t, err);

	if (ret < 0)
		return ret;
	ret = t->ops->adopt(t, id);
	if (ret < 0) {
		server_free(server);
		return error_errno(err, -ret, "cannot adopt ioreq server %u",
				   id);
	}
	server->adopted = true;
	*out = server;
	return 0;
}

uint32_t
ioreq_server_id(const struct ioreq_server *server)
{
	return server->transport->ops->id(server->transport);
}

void
ioreq_server_set_notes(struct ioreq_server *server,
		       const struct ioreq_notes *notes)
{
	server->notes = notes;
}

void
ioreq_server_set_gate(struct ioreq_server *server,
		      const struct ioreq_gate *gate)
{
	server->gate = gate;
}

void
ioreq_server_set_patience(struct ioreq_server *server, uint64_t patience)
{
	server->patience = patience;
}

int
ioreq_server_add(struct ioreq_server *server, const struct ioreq_region *region,
		 struct error *err)
{
	struct transport *t = server->transport;
	int ret = 0;

	if (server->region_count == IOREQ_MAX_REGIONS)
		return error_set(err, ENOSPC, "too many regions");
	if (!server->adopted)
		ret = t->ops->claim(t, region->space, region->first,
				    region->first + region->size - 1);
	if (ret < 0)
		return error_errno(err, -ret,
				   "cannot claim %#" PRIx64 " to %#" PRIx64,
				   region->first,
				   region->first + region->size - 1);
	server->regions[server->region_count++] = *region;
	return 0;
}

/* Only data and state are written back. */
static void
slot_end(struct ioreq_server *server, unsigned int vcpu, uint64_t data)
{
	const struct ioreq_notes *notes = server->notes;
	struct transport *t = server->transport;
	struct ioreq *slot = &t->page->vcpu_ioreq[vcpu];

	slot->data = data;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	slot->state = STATE_IORESP_READY;
	/*
	 * The state must be there before the vCPU is woken to look at it.  It
	 * is woken by stores that come later, those of the hypervisor's.
	 */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (notes)
		notes->end(notes->opaque);
	t->ops->notify(t, server->ports[vcpu]);
}

/* True: it was answered; else it stops, at the gate. */
static bool
request_go_on(struct ioreq_server *server, unsigned int vcpu,
	      struct ioreq *request, uint32_t done)
{
	if (request_handle(server, request, &done)) {
		slot_end(server, vcpu, request->data);
		return true;
	}
	server->stopped = server->waits = true;
	server->vcpu = vcpu;
	server->request = *request;
	server->done = done;
	return false;
}

/*
 * Answers one slot, which is READY.  The request is copied out once, so that
 * what is checked is what is done.
 */
static bool
slot_answer(struct ioreq_server *server, unsigned int vcpu)
{
	const struct ioreq_notes *notes = server->notes;
	struct ioreq *slot = &server->transport->page->vcpu_ioreq[vcpu];
	struct ioreq request;

	if (server->stopped || !gate_open(server)) {
		server->waits = true;
		return false;
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	request = *slot;
	slot->state = STATE_IOREQ_INPROCESS;
	if (notes)
		notes->begin(notes->opaque, vcpu);
	return request_go_on(server, vcpu, &request, 0);
}

/* A dead process may have taken the request, or answered and woken nobody. */
static void
slot_resume(struct ioreq_server *server, unsigned int vcpu)
{
	const struct ioreq_notes *notes = server->notes;
	struct transport *t = server->transport;
	struct ioreq *slot = &t->page->vcpu_ioreq[vcpu];
	struct ioreq request;
	uint32_t done;

	if (slot->state == STATE_IORESP_READY)
		t->ops->notify(t, server->ports[vcpu]);
	if (slot->state != STATE_IOREQ_INPROCESS)
		return;
	done = notes ? notes->progress(notes->opaque, vcpu) : 0;
	if (notes && !done)
		notes->begin(notes->opaque, vcpu);
	request = *slot;
	/* What was read is lost with who read it: all is read again. */
	if (request.dir == IOREQ_READ)
		done = 0;
	request_go_on(server, vcpu, &request, done);
}

static int
bind_all(struct ioreq_server *server, struct error *err)
{
	struct transport *t = server->transport;

	for (unsigned int i = 0; i < t->vcpus; i++) {
		int port = t->ops->bind(t, t->page->vcpu_ioreq[i].vp_eport);

		if (port < 0)
			return error_errno(
				err, -port,
				"cannot bind vCPU %u's event channel", i);
		server->ports[i] = port;
	}
	return 0;
}

int
ioreq_server_start(struct ioreq_server *server, struct error *err)
{
	struct transport *t = server->transport;
	int ret = t->ops->enable(t, true);

	if (ret < 0)
		return error_errno(err, -ret, "cannot enable the ioreq server");
	ret = bind_all(server, err);
	for (unsigned int i = 0; server->adopted && !ret && i < t->vcpus; i++)
		slot_resume(server, i);
	/* What is added from now on is new. */
	server->adopted = false;
	return ret;
}

/* The request that was stopped; false if it goes on to be. */
static bool
stopped_answer(struct ioreq_server *server)
{
	struct ioreq request = server->request;

	if (!server->gate && !server->transport->ops->alive(server->transport))
		return false; /* nor is there anybody who waits for it */
	if (!gate_open(server)) {
		server->waits = true;
		return false;
	}
	server->stopped = false;
	return request_go_on(server, server->vcpu, &request, server->done);
}

static unsigned int
slots_answer(struct ioreq_server *server)
{
	const struct transport *t = server->transport;
	const struct ioreq *slots = t->page->vcpu_ioreq;
	unsigned int answered = server->stopped && stopped_answer(server);

	for (unsigned int i = 0; i < t->vcpus; i++)
		if (slots[i].state == STATE_IOREQ_READY)
			answered += slot_answer(server, i);
	return answered;
}

/* Whatever the gate says.  It may be called by a region's operations. */
static void
slots_answer_all(struct ioreq_server *server)
{
	const struct ioreq_gate *gate = server->gate;

	server->gate = NULL;
	slots_answer(server);
	server->gate = gate;
}

static uint64_t
nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* For the other thread of the processor's core. */
static inline void
relax(void)
{
#if defined(__i386__) || defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

#define LOOKS 16 /* at the slots, between two looks at the clock */

/* Until nothing has come for as long as there is patience. */
static unsigned int
slots_watch(struct ioreq_server *server)
{
	uint64_t last = nanoseconds(), now;
	unsigned int answered = 0;

	do {
		unsigned int more = 0;

		for (unsigned int i = 0; !more && i < LOOKS; i++) {
			relax();
			more = slots_answer(server);
		}
		answered += more;
		now = nanoseconds();
		if (more)
			last = now;
	} while (!server->waits && now - last < server->patience);
	return answered;
}

#define SOON 4    /* times the patience: such a one could be watched for */
#define CREDIT 16 /* how many of them make up for one time in vain */

/*
 * A firmware's next access is microseconds away, while to sleep and to be woken
 * takes tens of them, with an interrupt and some system calls.  But where guest
 * and server share a processor, the one cannot come while the other watches.
 */
static unsigned int
watch_if_worth(struct ioreq_server *server)
{
	bool soon = nanoseconds() - server->answered < SOON * server->patience;
	unsigned int answered = 0;

	if (soon && server->credit < CREDIT)
		server->credit++;
	if (server->credit > 0) {
		answered = slots_watch(server);
		server->credit = answered ? CREDIT : -CREDIT;
	}
	server->answered = nanoseconds();
	return answered;
}

unsigned int
ioreq_server_poll(struct ioreq_server *server)
{
	struct transport *t = server->transport;
	int port = t->ops->pending(t);
	unsigned int answered;

	server->waits = false;
	answered = slots_answer(server);
	/* No event is made meanwhile: the one that was taken is masked. */
	if (answered && server->patience && !server->waits)
		answered += watch_if_worth(server);
	if (port < 0)
		return answered;
	/*
	 * Unmasked before the slots are looked at for the last time, none falls
	 * between.  Other events leave the descriptor readable.
	 */
	t->ops->unmask(t, port);
	return server->waits ? answered : answered + slots_answer(server);
}

bool
ioreq_server_waits(const struct ioreq_server *server)
{
	return server->waits;
}

static bool
slots_idle(const struct ioreq_server *server)
{
	const struct transport *t = server->transport;

	for (unsigned int i = 0; i < t->vcpus; i++)
		if (t->page->vcpu_ioreq[i].state != STATE_IOREQ_NONE)
			return false;
	return true;
}

/*
 * A vCPU that accesses the flash all the time is without a request only for
 * the moment between two instructions, so that is what is watched for.
 */
bool
ioreq_server_pause(struct ioreq_server *server)
{
	struct transport *t = server->transport;
	uint64_t until = nanoseconds() + PAUSE_NANOSECONDS;

	do {
		slots_answer_all(server);
		if (!slots_idle(server))
			continue;
		if (t->ops->pause(t) < 0)
			return false;
		if (slots_idle(server))
			return true;
		t->ops->unpause(t);
	} while (nanoseconds() < until);
	return false;
}

void
ioreq_server_unpause(struct ioreq_server *server)
{
	server->transport->ops->unpause(server->transport);
}

const struct ioreq_stats *
ioreq_server_stats(const struct ioreq_server *server)
{
	return &server->stats;
}

static void
region_release(struct ioreq_server *server, const struct ioreq_region *region)
{
	struct transport *t = server->transport;

	t->ops->release(t, region->space, region->first,
			region->first + region->size - 1);
}

static struct ioreq_region *
region_at(struct ioreq_server *server, enum ioreq_space space, uint64_t first)
{
	for (unsigned int i = 0; i < server->region_count; i++) {
		struct ioreq_region *region = &server->regions[i];

		if (region->space == space && region->first == first)
			return region;
	}
	return NULL;
}

/*
 * Among what is answered here may be a request whose region's operation has
 * this same region removed.
 */
void
ioreq_server_remove(struct ioreq_server *server, enum ioreq_space space,
		    uint64_t first)
{
	struct ioreq_region *region = region_at(server, space, first);

	if (!region)
		return;
	region_release(server, region);
	slots_answer_all(server);
	region = region_at(server, space, first);
	if (region)
		*region = server->regions[--server->region_count];
}

void
ioreq_server_close(struct ioreq_server *server)
{
	struct transport *t = server->transport;

	for (unsigned int i = 0; i < server->region_count; i++)
		region_release(server, &server->regions[i]);
	t->ops->enable(t, false);
	slots_answer_all(server);
	t->ops->destroy(t);
	server_free(server);
}
