/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A simulated hypervisor with one domain, in this process: the transport of
 * the tests, of pflash-replay and of pflash-bench.  libpflash-sim.a has it.
 *
 * It has Xen's state of an ioreq server: the shared page and its state machine,
 * event channels, claimed ranges, and a p2m with page types and the rules for
 * changing them.  It turns a guest's accesses into requests as Xen's emulator
 * does.  sim.c and sim_guest.c name the rules and their sources in Xen.
 */
#ifndef PFLASH_SIM_H
#define PFLASH_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/transport.h"

struct sim_config {
	unsigned int vcpus;        /* 1 to 128; 0: 1 */
	unsigned int ram_frames;   /* guest RAM from gfn 0 */
	unsigned int spare_frames; /* more frames that may be populated */
	bool has_run;              /* the guest was restored */
	bool no_hap; /* no nested paging: no HVMMEM_ioreq_server */
};

struct sim;

/* 0 or -errno. */
int sim_create(struct sim **out, const struct sim_config *config);
void sim_destroy(struct sim *sim);

/* The transport for the server; valid until sim_destroy(). */
struct transport *sim_transport(struct sim *sim);

/*
 * Sets the function that runs the ioreq server while a vCPU waits.  Without it,
 * the vCPU's thread waits until another thread has answered the request.
 */
void sim_set_server(struct sim *sim, void (*run)(void *opaque), void *opaque);

/* The guest's accesses, of any size, split into requests as Xen splits them. */
void sim_guest_read(struct sim *sim, unsigned int vcpu, uint64_t addr,
		    void *dst, unsigned int size);
void sim_guest_write(struct sim *sim, unsigned int vcpu, uint64_t addr,
		     const void *src, unsigned int size);
uint32_t sim_guest_in(struct sim *sim, unsigned int vcpu, uint16_t port,
		      unsigned int size);
void sim_guest_out(struct sim *sim, unsigned int vcpu, uint16_t port,
		   unsigned int size, uint32_t value);

/* rep movs and rep stos; `back`: the direction flag is set. */
void sim_guest_movs(struct sim *sim, unsigned int vcpu, uint64_t dst,
		    uint64_t src, unsigned int size, unsigned int count,
		    bool back);
void sim_guest_stos(struct sim *sim, unsigned int vcpu, uint64_t dst,
		    uint64_t value, unsigned int size, unsigned int count,
		    bool back);

/*
 * Puts a request of any contents into a vCPU's slot and waits for the answer,
 * which replaces the request's data.  -EPIPE if the server broke the protocol.
 */
int sim_request(struct sim *sim, unsigned int vcpu, struct ioreq *request);

/* The contents of a guest frame; NULL if there is no RAM at gfn. */
uint8_t *sim_frame(struct sim *sim, uint64_t gfn);

struct sim_stats {
	uint64_t trapped_reads; /* requests */
	uint64_t trapped_writes;
	uint64_t direct_reads;  /* reads that frames served */
	unsigned int shutdowns; /* by the server */
	unsigned int pauses;    /* by the server */
	unsigned int paused;    /* pauses without an unpause yet */
	unsigned int reason;    /* of the last shutdown, SHUTDOWN_* */
};

const struct sim_stats *sim_stats(const struct sim *sim);

/* The reason for which Xen would have crashed the domain, or NULL. */
const char *sim_crashed(const struct sim *sim);

/*
 * Simulates the death of the server's process.  Its ends of the event channels
 * are closed (common/event_channel.c, evtchn_close(): the guest's ends become
 * unbound).  All other state remains.
 */
void sim_server_dies(struct sim *sim);

/* Simulates the end of the domain: the server does not exist any more. */
void sim_kill(struct sim *sim);

#endif
