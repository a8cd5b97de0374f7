/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --lease-lost PID: what sanlock runs when this host loses the lease of the
 * pflashd PID.  It must work while that process hangs.
 */
#ifndef PFLASHD_LOST_H
#define PFLASHD_LOST_H

#include "options.h"

/*
 * Pauses the domain, ends the workers of the supervisor options->lease_lost,
 * and then the supervisor, at whose end sanlock gives up the lease.  Waits for
 * a worker that cannot end yet: it might still write.  Returns the exit code.
 */
int lost_run(const struct options *options);

#endif
