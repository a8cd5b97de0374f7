/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker as a process: its birth, the ends of its channel, its end. */
#ifndef PFLASHD_PROCESS_H
#define PFLASHD_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "channel.h"
#include "pflash/error.h"

struct process {
	pid_t pid;    /* 0: none */
	int pidfd;    /* readable when it has ended */
	int requests; /* these do not block */
	int orders;
	int log;
	unsigned int pending; /* orders that did not fit in the pipe */
};

/*
 * Forks.  In the child `leave` gives up what the parent has, then the channel
 * is at CHILD_REQUESTS and CHILD_ORDERS, standard output and error are the log,
 * no other descriptor is open, and `run` is called; its result is the exit
 * code.
 */
#define CHILD_REQUESTS 3
#define CHILD_ORDERS 4

int process_start(struct process *process, void (*leave)(void *opaque),
		  int (*run)(void *opaque), void *opaque, struct error *err);

/*
 * Sends an order, or notes it for process_flush(): it never blocks.  Of
 * CHANNEL_SUSPEND and CHANNEL_RESUME only the last one is sent.
 */
void process_order(struct process *process, enum channel_order order);

/* Sends what is noted; true: all of it. */
bool process_flush(struct process *process);

void process_kill(const struct process *process);

/*
 * True: it has ended, with the *status of waitpid(2).  The log stays open for
 * process_close().
 */
bool process_reap(struct process *process, int *status);
void process_close(struct process *process);

#endif
