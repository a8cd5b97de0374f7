/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Xen's services for the guest: hypercalls, the console ring, shutdown. A
 * restored domain, and one after a soft reset, has new event channels: the
 * guest reads their ports each time.
 */
#ifndef LAB_GUEST_XEN_H
#define LAB_GUEST_XEN_H

#include <stdint.h>

#include <xen/sched.h>

/* Call it first; without Xen's console it cannot report an error. */
void xen_init(void);

/* Lets another runnable vCPU run. */
void xen_yield(void);

/* HVM_PARAM_... (xen/hvm/params.h); 0 if there is none. */
uint64_t xen_param(uint32_t index);

/* Sends an event to the other end of an event channel of this guest. */
void xen_notify(uint32_t port);

/* XENMEM_... (xen/memory.h). */
long xen_memory_op(unsigned int op, const void *arg);

/* VCPUOP_... (xen/vcpu.h); 0, or Xen's error. */
long xen_vcpu_op(int op, unsigned int id, const void *arg);

/* Output stays in the console ring until the ring is half full: xenconsoled
 * limits the rate of its reads, not their size. Only vCPU 0 may call these; the
 * others leave their results in memory. */
void con_char(char c);
void con_text(const char *text);
void con_hex(uint64_t value);
void con_decimal(uint64_t value);

/* A typed character, or -1. */
int con_input(void);

/* Asks xenconsoled to read the output, without waiting. */
void con_send(void);

/* Waits until xenconsoled has read all output. */
void con_drain(void);

/* Calls con_drain(), then shuts the domain down. Returns when the domain
 * continues: restored, or after a soft reset. */
void xen_shutdown(unsigned int reason);

/* The same for the reasons after which the domain does not continue. */
_Noreturn void xen_end(unsigned int reason);

#endif
