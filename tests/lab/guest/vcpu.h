/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vCPU 0 gives jobs to the other vCPUs. The first job brings a vCPU online;
 * without a job a vCPU is down and takes no time from the others.
 */
#ifndef LAB_GUEST_VCPU_H
#define LAB_GUEST_VCPU_H

#include <stdbool.h>

#define VCPU_MAX 64u

/* A job; the argument is the vCPU's own number. */
typedef void vcpu_job(unsigned int id);

/* Call it once for each vCPU, from 1 on. False if Xen refuses. */
bool vcpu_prepare(unsigned int id);

/* For vCPU 0: gives one job to another vCPU; waits for its end. */
void vcpu_give(unsigned int id, vcpu_job *job);
void vcpu_wait(unsigned int id);

/* The same job for vCPUs 0 to `count` - 1. Returns when all are done. */
void vcpu_all(unsigned int count, vcpu_job *job);

/* A barrier: returns when `count` vCPUs have called it. */
void vcpu_meet(unsigned int count);

/* One lock for all vCPUs. Waiting vCPUs are down: if 39 vCPUs spin, even with
 * yields, the 40th gets no time on one processor. */
void vcpu_lock(unsigned int id);
void vcpu_unlock(void);

#endif
