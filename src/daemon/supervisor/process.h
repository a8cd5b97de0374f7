/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker as a process: fork, the supervisor's ends of its channel, exit. */
#ifndef PFLASHD_PROCESS_H
#define PFLASHD_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "channel.h"
#include "pflash/error.h"

/* The supervisor polls these descriptors; none of them blocks. */
struct process {
	pid_t pid;    /* 0: no process, or it has been reaped */
	int pidfd;    /* readable when the process has exited */
	int requests; /* the channel, see channel.h */
	int orders;
	int log;
	unsigned int pending_orders; /* that did not fit in the pipe */
};

/* Where the worker finds its ends of the channel. */
#define CHILD_REQUESTS 3
#define CHILD_ORDERS 4

/*
 * Forks.  The parent gets *process, which process_close() frees; 0, or -errno
 * and sets *err, without a child then.
 *
 * The child calls close_handles(opaque) for the parent's handles.  It then has
 * five descriptors only: standard input is /dev/null, standard output and error
 * are the log, the others are CHILD_REQUESTS and CHILD_ORDERS.  It calls
 * run(opaque) and exits with the result.
 */
int process_start(struct process *process, void (*close_handles)(void *opaque),
		  int (*run)(void *opaque), void *opaque, struct error *err);

/*
 * Sends an order.  Never blocks: an order that does not fit in the pipe becomes
 * pending.  Of pending CHANNEL_SUSPEND and CHANNEL_RESUME orders only the last
 * one is sent.
 */
void process_send_order(struct process *process, enum channel_order order);

/*
 * Sends the pending orders when `orders` is writable.  Returns false if some
 * are still pending; true also if the worker has closed the pipe.
 */
bool process_flush_orders(struct process *process);

/* Sends SIGKILL; does nothing without a process. */
void process_kill(const struct process *process);

/*
 * Returns true if the process has exited, and sets *status as waitpid(2) does.
 * The descriptors stay open: the log may hold unread lines.
 */
bool process_reap(struct process *process, int *status);

/* Closes the descriptors. */
void process_close(struct process *process);

#endif
