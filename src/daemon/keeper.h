/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process that keeps its privileges.  It reads nothing that a guest has
 * written: that is for the worker (worker.h), its child, for whom it asks
 * xenstore, opens the files of this flash, and does to the domain what a
 * confined process may not.  If the worker crashes the keeper starts another
 * one, which goes on where that was.
 */
#ifndef PFLASHD_KEEPER_H
#define PFLASHD_KEEPER_H

#include "options.h"

/*
 * Serves the guest until it is gone or a signal comes; the exit code.
 * `parent`: the descriptor of ready_fork(), or -1.
 */
int keeper_run(const struct options *options, int parent);

#endif
