/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does work that may never return in a child process: a file system of a server
 * that does not answer, or a program that hangs.
 */
#ifndef PFLASHCTL_BOUNDED_H
#define PFLASHCTL_BOUNDED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Runs in the child, which inherits all memory; the result goes to `to`. */
typedef void bounded_work(FILE *to, void *opaque);

/*
 * Runs work() until the deadline of ask_clock(), and then kills the child and
 * its own children.  The caller frees *text, the *len bytes that were written,
 * with a NUL byte behind them; it is NULL without memory.
 *
 * 0: work() has returned; -ETIMEDOUT; -ECHILD: a signal ended the child; or
 * another -errno.  A child that the kernel cannot end, because it waits for a
 * disk, is left behind.
 */
int bounded_run(bounded_work *work, void *opaque, int64_t deadline, char **text,
		size_t *len);

#endif
