/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest asks of Xen: hypercalls, the console ring, an end.
 */
#ifndef LAB_GUEST_XEN_H
#define LAB_GUEST_XEN_H

#include <stdint.h>

/* To be called first; without Xen's console there is nobody to complain to. */
void xen_init(void);

/* Lets another vCPU run, if one wants to. */
void xen_yield(void);

/* VCPUOP_... (xen/vcpu.h); 0, or an error of Xen's. */
long xen_vcpu_op(int op, unsigned int id, const void *arg);

/* Output goes to the console ring and waits there until it is half full;
 * xenconsoled limits how often it listens, not how much it takes. For vCPU 0
 * alone: what the others have to say they leave in memory. */
void con_char(char c);
void con_text(const char *text);
void con_hex(uint64_t value);
void con_decimal(uint64_t value);

/* Waits until the console was read, then ends the domain. */
_Noreturn void xen_poweroff(void);
_Noreturn void xen_crash(void);

#endif
