/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory that `hosts` shares with its processes. */
#ifndef BENCH_HOSTS_H
#define BENCH_HOSTS_H

#include <pthread.h>

#include "bench.h"

#define HOST_VARIABLES 5u /* SetVariable() of each flash */

/* The steps of all processes; a barrier begins each of them. */
enum step {
	STEP_CREATE, /* fork, exec, the dynamic linker */
	STEP_START,  /* from the file to an answering server */
	STEP_WRITE,  /* variables */
	STEP_LOOK,   /* the parent reads memory and descriptors */
	STEP_END,    /* checkpoint and close */
	STEPS
};

/* The use of a process since its creation, at the end of a step. */
struct use {
	uint64_t begin, end; /* of the step, by now() */
	uint64_t cpu;        /* user and system time, nanoseconds */
	uint64_t syncs;      /* that it has made */
	uint64_t waits;      /* nanoseconds in them */
};

/* Measured by one process, in nanoseconds. */
struct host {
	pid_t pid;
	bool failed;
	uint64_t start, stop;
	uint64_t variables[HOST_VARIABLES];
	struct memory created; /* before the flash was opened */
	struct use use[STEPS];
};

#define HOST_ACCESSES 300u /* of one SetVariable(), at most */

struct hosts {
	pthread_barrier_t barrier;
	pid_t parent;
	unsigned int count;
	uint32_t size; /* of a flash */
	/* The accesses of each SetVariable(). */
	size_t lengths[HOST_VARIABLES];
	struct access accesses[HOST_VARIABLES][HOST_ACCESSES];
	struct host host[];
};

#endif
