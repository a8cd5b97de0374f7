/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop. */
#ifndef PFLASHD_LOOP_H
#define PFLASHD_LOOP_H

#include "flash.h"

/*
 * Serves the guest until it is gone or a SIGTERM, SIGINT or SIGHUP comes.
 * A burst the guest leaves open is committed when the flash has been quiet for
 * LOOP_IDLE_COMMIT seconds.
 */
#define LOOP_IDLE_COMMIT 1.0

void loop_run(struct flash *flash);

#endif
