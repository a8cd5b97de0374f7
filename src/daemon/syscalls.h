/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls that the confined worker may make, by seccomp(2). */
#ifndef PFLASHD_SYSCALLS_H
#define PFLASHD_SYSCALLS_H

#include "pflash/error.h"

/*
 * From now on any other one is the end of the process, by SIGSYS; opening files
 * only fails.
 */
int syscalls_restrict(struct error *err);

#endif
