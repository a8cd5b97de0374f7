/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest asks of Xen: hypercalls, the console ring, an end. Event
 * channels belong to one life of the domain: a restored one, and one after a
 * soft reset, has others, so their ports are asked for each time.
 */
#ifndef LAB_GUEST_XEN_H
#define LAB_GUEST_XEN_H

#include <stdint.h>

#include <xen/sched.h>

/* To be called first; without Xen's console there is nobody to complain to. */
void xen_init(void);

/* Lets another vCPU run, if one wants to. */
void xen_yield(void);

/* HVM_PARAM_... (xen/hvm/params.h); 0 if there is none. */
uint64_t xen_param(uint32_t index);

/* Tells whoever is at the other end of an event channel of this guest's. */
void xen_notify(uint32_t port);

/* XENMEM_... (xen/memory.h). */
long xen_memory_op(unsigned int op, const void *arg);

/* VCPUOP_... (xen/vcpu.h); 0, or an error of Xen's. */
long xen_vcpu_op(int op, unsigned int id, const void *arg);

/* Output goes to the console ring and waits there until it is half full;
 * xenconsoled limits how often it listens, not how much it takes. For vCPU 0
 * alone: what the others have to say they leave in memory. */
void con_char(char c);
void con_text(const char *text);
void con_hex(uint64_t value);
void con_decimal(uint64_t value);

/* A character that was typed, or -1. */
int con_input(void);

/* Waits until all output was read. */
void con_drain(void);

/* Waits for that, then shuts the domain down. Returns when it goes on: restored
 * from what was saved of it, or after a soft reset. */
void xen_shutdown(unsigned int reason);

/* The same for reasons after which it does not. */
_Noreturn void xen_end(unsigned int reason);

#endif
