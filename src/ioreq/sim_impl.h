/* SPDX-License-Identifier: BSD-2-Clause */
/* struct sim, for sim.c (the hypervisor) and sim_guest.c (the guest). */
#ifndef PFLASH_IOREQ_SIM_IMPL_H
#define PFLASH_IOREQ_SIM_IMPL_H

#include <pthread.h>

#include "pflash/sim.h"

#define SIM_GFNS (1u << 20) /* 4 GiB of guest-physical addresses */
#define SIM_MAX_RANGES 256  /* MAX_NR_IO_RANGES, xen/common/ioreq.h */
#define SIM_MAX_VCPUS 128   /* HVM_MAX_VCPUS: slots in the shared page */

struct sim_entry {
	uint32_t frame; /* machine frame + 1; 0: a hole */
	uint8_t type;   /* HVMMEM_* */
};

struct sim_range {
	enum ioreq_space space;
	uint64_t first, last;
};

struct sim {
	struct transport transport;
	struct sim_config config;
	bool created, enabled, owns_type, killed;
	struct shared_iopage *page;
	unsigned int typed; /* frames of type HVMMEM_ioreq_server */
	struct sim_range ranges[SIM_MAX_RANGES];
	unsigned int range_count;

	int memory_fd; /* the machine's frames, shared by every mapping */
	uint8_t *memory;
	unsigned int frame_count;
	bool *frame_used;
	struct sim_entry *p2m; /* zero pages until used: see sim_entry() */

	int event_fd;
	pthread_mutex_t lock; /* pending, answered, running, stats.paused */
	pthread_cond_t wake;
	unsigned int running; /* vCPUs in an access that do not wait */
	bool pending[SIM_MAX_VCPUS];
	bool masked[SIM_MAX_VCPUS];
	bool bound[SIM_MAX_VCPUS];
	bool answered[SIM_MAX_VCPUS];

	void (*run)(void *opaque);
	void *run_opaque;
	struct sim_stats stats;
	char crash[128];
};

/* The entry of a frame; beyond 4 GiB, an entry that is a hole. */
struct sim_entry *sim_entry(struct sim *sim, uint64_t gfn);

/* True if the guest reads the frame without a trap. */
bool sim_is_ram(const struct sim_entry *entry);

/* Makes the vCPU's event pending, as notify_via_xen_event_channel() does. */
void sim_raise(struct sim *sim, unsigned int vcpu);

/* True if the enabled server claims the whole range. */
bool sim_claimed(const struct sim *sim, enum ioreq_space space, uint64_t first,
		 uint64_t last);

#endif
