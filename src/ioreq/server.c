/* SPDX-License-Identifier: BSD-2-Clause */
/* The protocol of the shared page: ioreq.h. */
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
	server->transport = server->map.transport = t;
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
ioreq_server_set_handover(struct ioreq_server *server,
			  const struct handover_writer *writer)
{
	server->handover = writer;
}

void
ioreq_server_set_throttle(struct ioreq_server *server,
			  const struct ioreq_throttle *throttle)
{
	server->throttle = throttle;
}

void
ioreq_server_set_poll_budget(struct ioreq_server *server, uint64_t nanoseconds)
{
	server->poll_budget = nanoseconds;
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

/* Writes only data and state of the slot, and wakes the vCPU. */
static void
slot_end(struct ioreq_server *server, unsigned int vcpu, uint64_t data)
{
	struct transport *t = server->transport;
	struct ioreq *slot = &t->page->vcpu_ioreq[vcpu];

	slot->data = data;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	slot->state = STATE_IORESP_READY;
	/* The woken vCPU must see the state: the store precedes the wake-up. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (server->handover)
		handover_end(server->handover->record);
	t->ops->notify(t, server->ports[vcpu]);
}

/* True: the request was answered.  False: the throttle stopped it. */
static bool
request_go_on(struct ioreq_server *server, unsigned int vcpu,
	      struct ioreq *request, uint32_t done)
{
	if (request_handle(server, request, &done)) {
		slot_end(server, vcpu, request->data);
		return true;
	}
	server->stopped = server->throttled = true;
	server->vcpu = vcpu;
	server->request = *request;
	server->done = done;
	return false;
}

/*
 * Answers one slot, which is READY.  The server copies the request once, so
 * that the guest cannot change it after the checks.
 */
static bool
slot_answer(struct ioreq_server *server, unsigned int vcpu)
{
	struct ioreq *slot = &server->transport->page->vcpu_ioreq[vcpu];
	struct ioreq request;

	if (server->stopped || !may_go_on(server)) {
		server->throttled = true;
		return false;
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	request = *slot;
	slot->state = STATE_IOREQ_INPROCESS;
	if (server->handover)
		handover_begin(server->handover->record, vcpu);
	return request_go_on(server, vcpu, &request, 0);
}

/*
 * Continues a slot of an earlier process, which may have died after it began
 * the request, or after it answered without waking the vCPU.
 */
static void
slot_resume(struct ioreq_server *server, unsigned int vcpu)
{
	const struct handover_writer *handover = server->handover;
	struct transport *t = server->transport;
	struct ioreq *slot = &t->page->vcpu_ioreq[vcpu];
	struct ioreq request;
	uint32_t done;

	if (slot->state == STATE_IORESP_READY)
		t->ops->notify(t, server->ports[vcpu]);
	if (slot->state != STATE_IOREQ_INPROCESS)
		return;
	done = handover ? handover_progress(handover->record, vcpu) : 0;
	if (handover && !done)
		handover_begin(handover->record, vcpu);
	request = *slot;
	/* That process's copy of the read data is lost: read all again. */
	if (request.dir == IOREQ_READ)
		done = 0;
	request_skip(&request, done);
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
	/* ioreq_server_add() must claim later regions. */
	server->adopted = false;
	return ret;
}

/* Continues the stopped request.  True: it was answered. */
static bool
stopped_answer(struct ioreq_server *server)
{
	struct ioreq request = server->request;

	if (!server->throttle &&
	    !server->transport->ops->alive(server->transport))
		return false; /* the domain is gone: no vCPU waits */
	if (!may_go_on(server)) {
		server->throttled = true;
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

/* Ignores the throttle.  A region's operations may call this function. */
static void
slots_answer_all(struct ioreq_server *server)
{
	const struct ioreq_throttle *throttle = server->throttle;

	server->throttle = NULL;
	slots_answer(server);
	server->throttle = throttle;
}

static uint64_t
nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Lets the other hardware thread of the core run. */
static inline void
relax(void)
{
#if defined(__i386__) || defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

#define POLLS 16 /* polls of all slots for one reading of the clock */

/* Polls until no request has arrived for the poll budget. */
static unsigned int
slots_poll(struct ioreq_server *server)
{
	uint64_t last = nanoseconds(), now;
	unsigned int answered = 0;

	do {
		unsigned int more = 0;

		for (unsigned int i = 0; !more && i < POLLS; i++) {
			relax();
			more = slots_answer(server);
		}
		answered += more;
		now = nanoseconds();
		if (more)
			last = now;
	} while (!server->throttled && now - last < server->poll_budget);
	return answered;
}

#define SOON 4   /* poll budgets: polling could catch a request this soon */
#define SCORE 16 /* so many requests offset one poll without a request */

/*
 * The firmware makes its next access after some microseconds.  Sleep and
 * wake-up take tens of microseconds, with an interrupt and some system calls,
 * so polling is faster.  But if guest and server share a processor, polling
 * keeps the guest from running.  The score detects this: it becomes negative
 * after a poll without a request.
 */
static unsigned int
poll_if_worth(struct ioreq_server *server)
{
	bool soon = nanoseconds() - server->poll_ended <
		    SOON * server->poll_budget;
	unsigned int answered = 0;

	if (soon && server->poll_score < SCORE)
		server->poll_score++;
	if (server->poll_score > 0) {
		answered = slots_poll(server);
		server->poll_score = answered ? SCORE : -SCORE;
	}
	server->poll_ended = nanoseconds();
	return answered;
}

unsigned int
ioreq_server_poll(struct ioreq_server *server)
{
	struct transport *t = server->transport;
	int port = t->ops->pending(t);
	unsigned int answered;

	server->throttled = false;
	answered = slots_answer(server);
	/* The received event's port is masked: Xen sends no event for it. */
	if (answered && server->poll_budget && !server->throttled)
		answered += poll_if_worth(server);
	if (port < 0)
		return answered;
	/*
	 * Check the slots again after the unmask, so that no request is missed.
	 * If other ports have events, the descriptor stays readable.
	 */
	t->ops->unmask(t, port);
	return server->throttled ? answered : answered + slots_answer(server);
}

bool
ioreq_server_throttled(const struct ioreq_server *server)
{
	return server->throttled;
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
 * A vCPU that accesses the flash all the time is without a request only between
 * two instructions: repeat until a pause hits such a moment.
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

void
ioreq_server_exchange(struct ioreq_server *server, enum ioreq_space space,
		      uint64_t first, const struct ioreq_region_ops **ops,
		      void **opaque)
{
	struct ioreq_region *region = region_at(server, space, first);
	const struct ioreq_region_ops *former;
	void *former_opaque;

	if (!region)
		return;
	former = region->ops;
	former_opaque = region->opaque;
	region->ops = *ops;
	region->opaque = *opaque;
	*ops = former;
	*opaque = former_opaque;
}

/*
 * Looks the region up again after slots_answer_all(): the operation of a
 * pending request may have removed it.
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
