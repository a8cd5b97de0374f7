/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's side of the simulation.
 *
 * Rules, and their sources in Xen:
 *  - page types (arch/x86/hvm/dm.c, set_mem_type()): to HVMMEM_ioreq_server
 *    from ram_rw only, from it to ram_rw only; RAM to ram_rw, ram_ro and
 *    mmio_dm; never from mmio_dm to RAM; a hole only to mmio_dm;
 *  - the type's owner (arch/x86/mm/p2m.c, p2m_set_ioreq_server()): one, with
 *    nested paging only, -EBUSY while frames of the type remain; a release
 *    turns all of them into ram_rw;
 *  - ports are published when the server is enabled, and a port is pending
 *    once when it is bound (common/event_channel.c).
 */
#include "pflash/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim_impl.h"

/* Distinct numbers, so that a mix-up with vCPU ids is noticed. */
#define REMOTE_PORT(vcpu) (1000 + (vcpu))
#define LOCAL_PORT(vcpu) (2000 + (int)(vcpu))
#define SIM_SERVER 3

static struct sim *
sim_of(struct transport *t)
{
	return (struct sim *)(void *)t; /* its first member */
}

struct sim_entry *
sim_entry(struct sim *sim, uint64_t gfn)
{
	static struct sim_entry beyond;

	struct sim_entry *entry = &beyond;

	if (gfn < SIM_GFNS)
		entry = &sim->p2m[gfn];
	else
		beyond = (struct sim_entry){ 0 };
	/* No frame has this value: an entry that was never used, a hole. */
	if (!entry->frame && entry->type == HVMMEM_ram_rw)
		entry->type = HVMMEM_mmio_dm;
	return entry;
}

bool
sim_is_ram(const struct sim_entry *entry)
{
	return entry->frame != 0 && entry->type != HVMMEM_mmio_dm;
}

bool
sim_claimed(const struct sim *sim, enum ioreq_space space, uint64_t first,
	    uint64_t last)
{
	for (unsigned int i = 0; sim->enabled && i < sim->range_count; i++)
		if (sim->ranges[i].space == space &&
		    sim->ranges[i].first <= first &&
		    last <= sim->ranges[i].last)
			return true;
	return false;
}

static int
sim_op_create(struct transport *t)
{
	struct sim *sim = sim_of(t);

	if (sim->killed)
		return -ESRCH;
	if (sim->created)
		return -ENOSPC;
	memset(sim->page, 0, FRAME_SIZE);
	t->page = sim->page;
	sim->created = true;
	return 0;
}

static int
sim_op_adopt(struct transport *t, uint32_t id)
{
	struct sim *sim = sim_of(t);

	if (!sim->created || sim->killed || id != SIM_SERVER)
		return -ENOENT;
	t->page = sim->page;
	return 0;
}

static uint32_t
sim_op_id(struct transport *t)
{
	(void)t;
	return SIM_SERVER;
}

static void
sim_op_destroy(struct transport *t)
{
	struct sim *sim = sim_of(t);

	t->page = NULL;
	sim->created = sim->enabled = sim->owns_type = false;
	sim->range_count = 0;
	memset(sim->bound, 0, sizeof(sim->bound));
}

static int
sim_op_enable(struct transport *t, bool on)
{
	struct sim *sim = sim_of(t);

	if (!sim->created || sim->killed)
		return -ENOENT;
	for (unsigned int i = 0; on && i < t->vcpus; i++)
		t->page->vcpu_ioreq[i].vp_eport = REMOTE_PORT(i);
	sim->enabled = on;
	return 0;
}

static int
sim_op_claim(struct transport *t, enum ioreq_space space, uint64_t first,
	     uint64_t last)
{
	struct sim *sim = sim_of(t);

	if (sim->range_count == SIM_MAX_RANGES)
		return -ENOSPC;
	for (unsigned int i = 0; i < sim->range_count; i++)
		if (sim->ranges[i].space == space &&
		    first <= sim->ranges[i].last &&
		    sim->ranges[i].first <= last)
			return -EEXIST;
	sim->ranges[sim->range_count++] = (struct sim_range){ space, first,
							      last };
	return 0;
}

static int
sim_op_release(struct transport *t, enum ioreq_space space, uint64_t first,
	       uint64_t last)
{
	struct sim *sim = sim_of(t);

	for (unsigned int i = 0; i < sim->range_count; i++) {
		struct sim_range *range = &sim->ranges[i];

		if (range->space != space || range->first != first ||
		    range->last != last)
			continue;
		*range = sim->ranges[--sim->range_count];
		return 0;
	}
	return -ENOENT;
}

void
sim_raise(struct sim *sim, unsigned int vcpu)
{
	uint64_t one = 1;

	pthread_mutex_lock(&sim->lock);
	sim->pending[vcpu] = true;
	pthread_mutex_unlock(&sim->lock);
	/* With sim->run, no thread sleeps on the descriptor. */
	if (!sim->run && write(sim->event_fd, &one, sizeof(one)) < 0)
		strcpy(sim->crash, "event descriptor");
}

static int
sim_op_bind(struct transport *t, uint32_t remote_port)
{
	struct sim *sim = sim_of(t);
	unsigned int vcpu = remote_port - REMOTE_PORT(0);

	if (vcpu >= t->vcpus || sim->bound[vcpu])
		return -EINVAL;
	sim->bound[vcpu] = true;
	sim_raise(sim, vcpu);
	return LOCAL_PORT(vcpu);
}

static int
sim_op_event_fd(struct transport *t)
{
	return sim_of(t)->event_fd;
}

static int
sim_op_pending(struct transport *t)
{
	struct sim *sim = sim_of(t);
	int port = -EAGAIN;
	uint64_t count;

	pthread_mutex_lock(&sim->lock);
	for (unsigned int i = 0; port < 0 && i < t->vcpus; i++) {
		if (!sim->pending[i] || sim->masked[i])
			continue;
		sim->pending[i] = false;
		sim->masked[i] = true; /* until the unmask operation */
		port = LOCAL_PORT(i);
	}
	if (port < 0 && !sim->run && read(sim->event_fd, &count, 8) < 0)
		port = -EAGAIN;
	pthread_mutex_unlock(&sim->lock);
	return port;
}

static int
sim_op_unmask(struct transport *t, int port)
{
	struct sim *sim = sim_of(t);
	unsigned int vcpu = (unsigned int)(port - LOCAL_PORT(0));

	if (vcpu >= t->vcpus)
		return -EINVAL;
	pthread_mutex_lock(&sim->lock);
	sim->masked[vcpu] = false;
	pthread_mutex_unlock(&sim->lock);
	return 0;
}

static int
sim_op_notify(struct transport *t, int port)
{
	struct sim *sim = sim_of(t);
	unsigned int vcpu = (unsigned int)(port - LOCAL_PORT(0));

	if (vcpu >= t->vcpus || !sim->bound[vcpu])
		return -EINVAL;
	pthread_mutex_lock(&sim->lock);
	sim->answered[vcpu] = true;
	pthread_cond_broadcast(&sim->wake);
	pthread_mutex_unlock(&sim->lock);
	return 0;
}

static int
frame_alloc(struct sim *sim)
{
	for (unsigned int i = 0; i < sim->frame_count; i++) {
		if (sim->frame_used[i])
			continue;
		sim->frame_used[i] = true;
		memset(sim->memory + (size_t)i * FRAME_SIZE, 0, FRAME_SIZE);
		return (int)i;
	}
	return -ENOMEM;
}

static int
sim_op_depopulate(struct transport *t, uint64_t gfn, unsigned int count)
{
	struct sim *sim = sim_of(t);

	for (unsigned int i = 0; i < count; i++) {
		struct sim_entry *entry = sim_entry(sim, gfn + i);

		if (!entry->frame)
			continue;
		sim->typed -= entry->type == HVMMEM_ioreq_server;
		sim->frame_used[entry->frame - 1] = false;
		*entry = (struct sim_entry){ .type = HVMMEM_mmio_dm };
	}
	return 0;
}

static int
sim_op_populate(struct transport *t, uint64_t gfn, unsigned int count)
{
	struct sim *sim = sim_of(t);

	if (sim->killed)
		return -ESRCH;
	for (unsigned int i = 0; i < count; i++) {
		int frame = frame_alloc(sim);

		if (frame < 0) {
			sim_op_depopulate(t, gfn, i);
			return frame;
		}
		*sim_entry(sim, gfn + i) = (struct sim_entry){
			.frame = (uint32_t)frame + 1,
			.type = HVMMEM_ram_rw,
		};
	}
	return 0;
}

static void *
sim_op_map(struct transport *t, uint64_t gfn, unsigned int count, int prot)
{
	struct sim *sim = sim_of(t);
	size_t len = (size_t)count * FRAME_SIZE;
	uint8_t *frames = mmap(NULL, len, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (frames == MAP_FAILED)
		return NULL;
	for (unsigned int i = 0; i < count; i++) {
		const struct sim_entry *entry = sim_entry(sim, gfn + i);
		void *at = frames + (size_t)i * FRAME_SIZE;

		if (sim_is_ram(entry) &&
		    mmap(at, FRAME_SIZE, prot, MAP_SHARED | MAP_FIXED,
			 sim->memory_fd,
			 (off_t)(entry->frame - 1) * FRAME_SIZE) == at)
			continue;
		munmap(frames, len);
		errno = EINVAL;
		return NULL;
	}
	return frames;
}

static void
sim_op_unmap(struct transport *t, void *frames, unsigned int count)
{
	(void)t;
	munmap(frames, (size_t)count * FRAME_SIZE);
}

static int
sim_op_get_type(struct transport *t, uint64_t gfn)
{
	return sim_entry(sim_of(t), gfn)->type;
}

static bool
type_change_ok(const struct sim_entry *entry, hvmmem_type_t type)
{
	if (type == HVMMEM_ioreq_server)
		return entry->frame && entry->type == HVMMEM_ram_rw;
	if (entry->type == HVMMEM_ioreq_server)
		return type == HVMMEM_ram_rw;
	return sim_is_ram(entry) || (!entry->frame && type == HVMMEM_mmio_dm);
}

static int
sim_op_set_type(struct transport *t, hvmmem_type_t type, uint64_t gfn,
		unsigned int count)
{
	struct sim *sim = sim_of(t);

	if (type == HVMMEM_ioreq_server && sim->config.no_hap)
		return -EOPNOTSUPP;
	if (type == HVMMEM_ioreq_server && !sim->owns_type)
		return -EINVAL;
	for (unsigned int i = 0; i < count; i++) {
		struct sim_entry *entry = sim_entry(sim, gfn + i);

		if (!type_change_ok(entry, type))
			return -EINVAL;
		sim->typed -= entry->type == HVMMEM_ioreq_server;
		sim->typed += type == HVMMEM_ioreq_server;
		entry->type = (uint8_t)type;
	}
	return 0;
}

static int
sim_op_own_type(struct transport *t, bool own)
{
	struct sim *sim = sim_of(t);

	if (sim->config.no_hap)
		return -EOPNOTSUPP;
	if (own && (sim->owns_type || sim->typed))
		return -EBUSY;
	/* Searches from the top, near the flash. */
	for (unsigned int i = SIM_GFNS; !own && sim->typed && i-- > 0;)
		if (sim->p2m[i].type == HVMMEM_ioreq_server) {
			sim->p2m[i].type = HVMMEM_ram_rw;
			sim->typed--;
		}
	sim->owns_type = own;
	return 0;
}

static int
sim_op_shutdown(struct transport *t, unsigned int reason)
{
	struct sim *sim = sim_of(t);

	sim->stats.shutdowns++;
	sim->stats.reason = reason;
	return 0;
}

/* With sim->run, guest and server share a thread: no vCPU is running. */
static int
sim_op_pause(struct transport *t)
{
	struct sim *sim = sim_of(t);

	if (sim->killed)
		return -ESRCH;
	pthread_mutex_lock(&sim->lock);
	sim->stats.pauses++;
	sim->stats.paused++;
	while (sim->running && !sim->run)
		pthread_cond_wait(&sim->wake, &sim->lock);
	pthread_mutex_unlock(&sim->lock);
	return 0;
}

static int
sim_op_unpause(struct transport *t)
{
	struct sim *sim = sim_of(t);

	if (sim->killed)
		return -ESRCH;
	pthread_mutex_lock(&sim->lock);
	if (sim->stats.paused)
		sim->stats.paused--;
	pthread_cond_broadcast(&sim->wake);
	pthread_mutex_unlock(&sim->lock);
	return 0;
}

static int
sim_op_is_paused(struct transport *t)
{
	return sim_of(t)->stats.paused > 0;
}

static bool
sim_op_alive(struct transport *t)
{
	return sim_of(t)->created && !sim_of(t)->killed;
}

static int
sim_op_shutdown_reason(struct transport *t)
{
	const struct sim *sim = sim_of(t);

	if (sim->killed)
		return -ESRCH;
	return sim->stats.shutdowns ? (int)sim->stats.reason : -EINPROGRESS;
}

static int
sim_op_has_run(struct transport *t)
{
	return sim_of(t)->config.has_run;
}

/* There is only one domain: nothing to confine. */
static int
sim_op_confine(struct transport *t)
{
	(void)t;
	return 0;
}

static void
sim_op_close(struct transport *t)
{
	(void)t; /* sim_destroy() frees it */
}

static const struct transport_ops sim_ops = {
	.create = sim_op_create,
	.adopt = sim_op_adopt,
	.id = sim_op_id,
	.destroy = sim_op_destroy,
	.enable = sim_op_enable,
	.claim = sim_op_claim,
	.release = sim_op_release,
	.bind = sim_op_bind,
	.event_fd = sim_op_event_fd,
	.pending = sim_op_pending,
	.unmask = sim_op_unmask,
	.notify = sim_op_notify,
	.populate = sim_op_populate,
	.depopulate = sim_op_depopulate,
	.map = sim_op_map,
	.unmap = sim_op_unmap,
	.get_type = sim_op_get_type,
	.set_type = sim_op_set_type,
	.own_type = sim_op_own_type,
	.shutdown = sim_op_shutdown,
	.pause = sim_op_pause,
	.unpause = sim_op_unpause,
	.is_paused = sim_op_is_paused,
	.alive = sim_op_alive,
	.shutdown_reason = sim_op_shutdown_reason,
	.has_run = sim_op_has_run,
	.confine = sim_op_confine,
	.close = sim_op_close,
};

/* Shared: the hypervisor's state stays one if the server's process forks. */
static void *
shared(size_t len)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int
memory_create(struct sim *sim)
{
	size_t len;

	sim->frame_count = sim->config.ram_frames + sim->config.spare_frames;
	len = ((size_t)sim->frame_count + 1) * FRAME_SIZE; /* not 0 */
	sim->frame_used = shared((sim->frame_count + 1) * sizeof(bool));
	sim->p2m = shared(SIM_GFNS * sizeof(*sim->p2m));
	sim->memory_fd = memfd_create("guest", MFD_CLOEXEC);
	sim->page = shared(FRAME_SIZE);
	if (!sim->frame_used || !sim->p2m || !sim->page || sim->memory_fd < 0 ||
	    ftruncate(sim->memory_fd, (off_t)len) < 0)
		return -ENOMEM;
	sim->memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED,
			   sim->memory_fd, 0);
	if (sim->memory == MAP_FAILED) {
		sim->memory = NULL;
		return -ENOMEM;
	}
	return sim_op_populate(&sim->transport, 0, sim->config.ram_frames);
}

int
sim_create(struct sim **out, const struct sim_config *config)
{
	struct sim *sim = shared(sizeof(*sim));
	int ret;

	if (!sim)
		return -ENOMEM;
	sim->config = *config;
	sim->memory_fd = sim->event_fd = -1;
	sim->transport.ops = &sim_ops;
	sim->transport.vcpus = config->vcpus ? config->vcpus : 1;
	if (sim->transport.vcpus > SIM_MAX_VCPUS) {
		munmap(sim, sizeof(*sim));
		return -EINVAL;
	}
	pthread_mutex_init(&sim->lock, NULL);
	pthread_cond_init(&sim->wake, NULL);
	sim->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ret = memory_create(sim);
	if (ret < 0 || sim->event_fd < 0) {
		sim_destroy(sim);
		return ret < 0 ? ret : -EMFILE;
	}
	*out = sim;
	return 0;
}

struct transport *
sim_transport(struct sim *sim)
{
	return &sim->transport;
}

void
sim_destroy(struct sim *sim)
{
	if (sim->memory)
		munmap(sim->memory,
		       ((size_t)sim->frame_count + 1) * FRAME_SIZE);
	if (sim->memory_fd >= 0)
		close(sim->memory_fd);
	if (sim->event_fd >= 0)
		close(sim->event_fd);
	pthread_cond_destroy(&sim->wake);
	pthread_mutex_destroy(&sim->lock);
	if (sim->frame_used)
		munmap(sim->frame_used, (sim->frame_count + 1) * sizeof(bool));
	if (sim->page)
		munmap(sim->page, FRAME_SIZE);
	if (sim->p2m)
		munmap(sim->p2m, SIM_GFNS * sizeof(*sim->p2m));
	munmap(sim, sizeof(*sim));
}

uint8_t *
sim_frame(struct sim *sim, uint64_t gfn)
{
	const struct sim_entry *entry = sim_entry(sim, gfn);

	if (!entry->frame)
		return NULL;
	return sim->memory + (size_t)(entry->frame - 1) * FRAME_SIZE;
}

const struct sim_stats *
sim_stats(const struct sim *sim)
{
	return &sim->stats;
}

const char *
sim_crashed(const struct sim *sim)
{
	return sim->crash[0] ? sim->crash : NULL;
}

void
sim_kill(struct sim *sim)
{
	sim->killed = true;
	sim->enabled = false;
}

void
sim_server_dies(struct sim *sim)
{
	memset(sim->bound, 0, sizeof(sim->bound));
	memset(sim->pending, 0, sizeof(sim->pending));
	memset(sim->masked, 0, sizeof(sim->masked));
}
