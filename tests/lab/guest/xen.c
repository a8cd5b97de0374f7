/* SPDX-License-Identifier: BSD-2-Clause */
#include "xen.h"

#include <stddef.h>

#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>

#define CPUID_XEN_FIRST 0x40000000u
#define CPUID_XEN_LAST 0x4000ff00u
#define CPUID_XEN_STEP 0x100u
#define SIGNATURE_EBX 0x566e6558u /* "XenV", of "XenVMMXenVMM" */

#define DRAIN_SPINS 2000000u

static uint8_t hypercall_page[4096] __attribute__((aligned(4096)));
static struct xencons_interface *ring; /* its frame stays where it is */

static void
cpuid(uint32_t leaf, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	__asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d)
			 : "0"(leaf), "2"(0));
}

static long
hypercall3(unsigned int number, unsigned long a, unsigned long b,
	   const void *c)
{
	long ret;
	const uint8_t *entry = hypercall_page + number * 32;

	__asm__ volatile("call *%[entry]"
			 : "=a"(ret), "+D"(a), "+S"(b), "+d"(c)
			 : [entry] "r"(entry)
			 : "memory", "r10", "r8");
	return ret;
}

static long
hypercall(unsigned int number, unsigned long a, const void *b)
{
	return hypercall3(number, a, (unsigned long)b, NULL);
}

/* Xen's leaves may lie above those of another interface it also offers. */
static void
map_hypercall_page(void)
{
	uint32_t leaf, a, b, c, d;
	uintptr_t page = (uintptr_t)hypercall_page;

	for (leaf = CPUID_XEN_FIRST; leaf < CPUID_XEN_LAST;
	     leaf += CPUID_XEN_STEP) {
		cpuid(leaf, &a, &b, &c, &d);
		if (b == SIGNATURE_EBX)
			break;
	}
	cpuid(leaf + 2, &a, &b, &c, &d);
	__asm__ volatile("wrmsr" : : "c"(b), "a"((uint32_t)page), "d"(0)
			 : "memory");
}

uint64_t
xen_param(uint32_t index)
{
	struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index };

	if (hypercall(__HYPERVISOR_hvm_op, HVMOP_get_param, &param))
		return 0;
	return param.value;
}

void
xen_init(void)
{
	map_hypercall_page();
	ring = (void *)(uintptr_t)(xen_param(HVM_PARAM_CONSOLE_PFN) << 12);
}

void
xen_notify(uint32_t port)
{
	struct evtchn_send send = { .port = port };

	hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
}

void
con_send(void)
{
	xen_notify((uint32_t)xen_param(HVM_PARAM_CONSOLE_EVTCHN));
}

void
xen_yield(void)
{
	hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, NULL);
}

long
xen_memory_op(unsigned int op, const void *arg)
{
	return hypercall(__HYPERVISOR_memory_op, op, arg);
}

long
xen_vcpu_op(int op, unsigned int id, const void *arg)
{
	return hypercall3(__HYPERVISOR_vcpu_op, (unsigned long)op, id, arg);
}

static uint32_t
con_pending(void)
{
	return ring->out_prod -
	       __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE);
}

void
con_char(char c)
{
	while (con_pending() >= sizeof(ring->out)) {
		con_send();
		xen_yield();
	}
	ring->out[MASK_XENCONS_IDX(ring->out_prod, ring->out)] = c;
	__atomic_store_n(&ring->out_prod, ring->out_prod + 1,
			 __ATOMIC_RELEASE);
	if (con_pending() == sizeof(ring->out) / 2)
		con_send();
}

void
con_text(const char *text)
{
	while (*text)
		con_char(*text++);
}

static void
con_number(uint64_t value, unsigned int base)
{
	char digits[21];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		con_char(digits[--n]);
}

void
con_hex(uint64_t value)
{
	con_number(value, 16);
}

void
con_decimal(uint64_t value)
{
	con_number(value, 10);
}

int
con_input(void)
{
	char c;

	if (ring->in_cons == __atomic_load_n(&ring->in_prod, __ATOMIC_ACQUIRE))
		return -1;
	c = ring->in[MASK_XENCONS_IDX(ring->in_cons, ring->in)];
	__atomic_store_n(&ring->in_cons, ring->in_cons + 1, __ATOMIC_RELEASE);
	return c;
}

void
con_drain(void)
{
	unsigned int spins;

	con_send();
	for (spins = 0; con_pending() && spins < DRAIN_SPINS; spins++)
		xen_yield();
}

void
xen_shutdown(unsigned int reason)
{
	struct sched_shutdown shutdown = { .reason = reason };

	con_drain();
	hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &shutdown);
}

void
xen_end(unsigned int reason)
{
	for (;;)
		xen_shutdown(reason);
}
