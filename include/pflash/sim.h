/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A simulated hypervisor with one domain, in this process: the transport of
 * the tests, of pflash-replay and of pflash-bench.
 *
 * It keeps what Xen keeps for an ioreq server (the shared page and its state
 * machine, event channels, claimed ranges, a p2m with page types and the rules
 * for changing them) and does to a guest's accesses what Xen's emulator does
 * to them.  Rules and their sources stand in sim.c.
 */
#ifndef PFLASH_SIM_H
#define PFLASH_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/transport.h"

struct sim_config {
	unsigned int vcpus;        /* 1 to 128; 0: 1 */
	unsigned int ram_frames;   /* guest RAM from gfn 0 */
	unsigned int spare_frames; /* how many more may be populated */
	bool has_run;              /* the guest was restored */
	bool no_hap; /* no nested paging: no HVMMEM_ioreq_server */
};

struct sim;

int sim_create(struct sim **out, const struct sim_config *config);
struct transport *sim_transport(struct sim *sim);
void sim_destroy(struct sim *sim);

/*
 * What runs the ioreq server while a vCPU waits: called in place of a wake-up.
 * Without one, the vCPU's thread waits until another thread has answered.
 */
void sim_set_server(struct sim *sim, void (*run)(void *opaque), void *opaque);

/* The guest's side.  An access of any size, chopped as Xen chops it. */
void sim_guest_read(struct sim *sim, unsigned int vcpu, uint64_t addr,
		    void *dst, unsigned int size);
void sim_guest_write(struct sim *sim, unsigned int vcpu, uint64_t addr,
		     const void *src, unsigned int size);
uint32_t sim_guest_in(struct sim *sim, unsigned int vcpu, uint16_t port,
		      unsigned int size);
void sim_guest_out(struct sim *sim, unsigned int vcpu, uint16_t port,
		   unsigned int size, uint32_t value);

/* rep movs and rep stos; `back` is the direction flag. */
void sim_guest_movs(struct sim *sim, unsigned int vcpu, uint64_t dst,
		    uint64_t src, unsigned int size, unsigned int count,
		    bool back);
void sim_guest_stos(struct sim *sim, unsigned int vcpu, uint64_t dst,
		    uint64_t value, unsigned int size, unsigned int count,
		    bool back);

/*
 * Puts a request of any contents into a vCPU's slot and waits for the answer,
 * which is written back; -EPIPE if the server broke the protocol.
 */
int sim_request(struct sim *sim, unsigned int vcpu, struct ioreq *request);

/* Guest RAM for tests to look at: NULL if there is none at gfn. */
uint8_t *sim_frame(struct sim *sim, uint64_t gfn);

struct sim_stats {
	uint64_t trapped_reads; /* requests */
	uint64_t trapped_writes;
	uint64_t direct_reads;  /* accesses served by frames */
	unsigned int shutdowns; /* asked for by the server */
	unsigned int pauses;    /* the same */
	unsigned int paused;    /* of these, not undone */
	unsigned int reason;    /* of the last one, SHUTDOWN_* */
};

const struct sim_stats *sim_stats(const struct sim *sim);

/* Why Xen would have crashed the domain, or NULL. */
const char *sim_crashed(const struct sim *sim);

/*
 * The server's process has died: its ends of the event channels are closed
 * (common/event_channel.c, evtchn_close(): the guest's become unbound), and all
 * else is as it was.
 */
void sim_server_dies(struct sim *sim);

/* Makes the server vanish, as the end of the domain does. */
void sim_kill(struct sim *sim);

#endif
