/* SPDX-License-Identifier: BSD-2-Clause */
#include "vcpu.h"

#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/vcpu.h>

#include "xen.h"

#define STACK_SIZE 8192u
#define MSR_EFER 0xc0000080u
#define PAGE_SHIFT 12
#define PAGE_SIZE (1u << PAGE_SHIFT)

void vcpu_entry(void);
_Noreturn void vcpu_main(unsigned int id);

static uint8_t stacks[VCPU_MAX][STACK_SIZE] __attribute__((aligned(16)));
static vcpu_job *jobs[VCPU_MAX];

/* Xen has room for the first 32 only. A vcpu_info must not cross a page. */
static struct vcpu_info infos[VCPU_MAX] __attribute__((aligned(PAGE_SIZE)));

static long
register_info(unsigned int id)
{
	uintptr_t at = (uintptr_t)&infos[id];
	struct vcpu_register_vcpu_info info = {
		.mfn = at >> PAGE_SHIFT,
		.offset = (uint32_t)(at % PAGE_SIZE),
	};

	return xen_vcpu_op(VCPUOP_register_vcpu_info, id, &info);
}

/* The same mode and page tables as this vCPU. */
static long
initialise(unsigned int id)
{
	struct vcpu_hvm_context context = { .mode = VCPU_HVM_MODE_64B };
	struct vcpu_hvm_x86_64 *regs = &context.cpu_regs.x86_64;
	uint32_t low, high;

	__asm__ volatile("mov %%cr0, %0" : "=r"(regs->cr0));
	__asm__ volatile("mov %%cr3, %0" : "=r"(regs->cr3));
	__asm__ volatile("mov %%cr4, %0" : "=r"(regs->cr4));
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	regs->efer = (uint64_t)high << 32 | low;
	regs->rip = (uintptr_t)vcpu_entry;
	regs->rsp = (uintptr_t)stacks[id] + STACK_SIZE;
	regs->rdi = id;
	return xen_vcpu_op(VCPUOP_initialise, id, &context);
}

bool
vcpu_prepare(unsigned int id)
{
	if (id >= VCPU_MAX)
		return false;
	if (id >= XEN_LEGACY_MAX_VCPUS && register_info(id))
		return false;
	return initialise(id) == 0;
}

static vcpu_job *
job_of(unsigned int id)
{
	return __atomic_load_n(&jobs[id], __ATOMIC_ACQUIRE);
}

static void
set_job(unsigned int id, vcpu_job *job)
{
	__atomic_store_n(&jobs[id], job, __ATOMIC_RELEASE);
}

/* A vCPU may be woken without a job, see vcpu_unlock(). */
void
vcpu_main(unsigned int id)
{
	for (;;) {
		if (job_of(id)) {
			job_of(id)(id);
			set_job(id, NULL);
		}
		xen_vcpu_op(VCPUOP_down, id, NULL);
	}
}

void
vcpu_give(unsigned int id, vcpu_job *job)
{
	set_job(id, job);
	xen_vcpu_op(VCPUOP_up, id, NULL);
}

/* Waits until the vCPU is down: Xen ignores a wake-up of one that is up. */
void
vcpu_wait(unsigned int id)
{
	while (job_of(id) || xen_vcpu_op(VCPUOP_is_up, id, NULL))
		xen_yield();
}

void
vcpu_all(unsigned int count, vcpu_job *job)
{
	unsigned int id;

	for (id = 1; id < count; id++)
		vcpu_give(id, job);
	job(0);
	for (id = 1; id < count; id++)
		vcpu_wait(id);
	/* A vCPU that was still working may have woken one that was done. */
	for (id = 1; id < count; id++)
		vcpu_wait(id);
}

/* --- together and one by one ---------------------------------------------- */

static unsigned int arrived, meetings;

void
vcpu_meet(unsigned int count)
{
	unsigned int before = __atomic_load_n(&meetings, __ATOMIC_ACQUIRE);

	if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == count) {
		__atomic_store_n(&arrived, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&meetings, before + 1, __ATOMIC_RELEASE);
		return;
	}
	while (__atomic_load_n(&meetings, __ATOMIC_ACQUIRE) == before)
		xen_yield();
}

/* The vCPUs get the lock in the order of their tickets. */
static unsigned int tickets, serving, served;
static unsigned int waiting[VCPU_MAX]; /* vCPU number + 1, by ticket */

static unsigned int
now(const unsigned int *value)
{
	return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}

static void
set(unsigned int *value, unsigned int to)
{
	__atomic_store_n(value, to, __ATOMIC_SEQ_CST);
}

void
vcpu_lock(unsigned int id)
{
	unsigned int ticket = __atomic_fetch_add(&tickets, 1, __ATOMIC_SEQ_CST);

	set(&waiting[ticket % VCPU_MAX], id + 1);
	while (now(&serving) != ticket)
		xen_vcpu_op(VCPUOP_down, id, NULL);
	set(&waiting[ticket % VCPU_MAX], 0);
	set(&served, ticket + 1);
}

/* The next vCPU may be about to go down: wakes it until it has the lock. */
void
vcpu_unlock(void)
{
	unsigned int next = serving + 1;

	set(&serving, next);
	while (now(&tickets) > next && now(&served) <= next) {
		unsigned int id = now(&waiting[next % VCPU_MAX]);

		if (id)
			xen_vcpu_op(VCPUOP_up, id - 1, NULL);
		xen_yield();
	}
}
