/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other vCPUs, to which vCPU 0 gives jobs. The first job brings one
 * online; without a job it is down and takes no time from the others.
 */
#ifndef LAB_GUEST_VCPU_H
#define LAB_GUEST_VCPU_H

#include <stdbool.h>

#define VCPU_MAX 64u

/* What a vCPU is to do; it is told its own number. */
typedef void vcpu_job(unsigned int id);

/* To be called once for each, from 1 on. False if Xen refuses. */
bool vcpu_prepare(unsigned int id);

/* For vCPU 0: one at a time for each of the others. */
void vcpu_give(unsigned int id, vcpu_job *job);
void vcpu_wait(unsigned int id);

/* The same job for vCPUs 0 to `count` - 1. Returns when all are done. */
void vcpu_all(unsigned int count, vcpu_job *job);

/* Returns when `count` of them are here. */
void vcpu_meet(unsigned int count);

/* One lock, for whatever the vCPUs agree on. Those that wait are down: 39 that
 * spin, even if they yield, leave one processor no time for the 40th. */
void vcpu_lock(unsigned int id);
void vcpu_unlock(void);

#endif
