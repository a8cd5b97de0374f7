/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holds a domain from its creation until it has a flash.
 *
 * libvirt runs no hook between the creation of a domain and its first
 * instruction.  So a process waits for the domain before libvirt creates it,
 * and pauses it once more than libxl does: Xen counts pauses.  It notes the id
 * in the file UUID.hold and ends.  Until then it has a lock on the file.
 * The process that removes the file ends the pause, or the domain.
 */
#ifndef PFLASH_LIBVIRT_HOLD_H
#define PFLASH_LIBVIRT_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/error.h"

/*
 * Leaves a process behind that waits for the domain with this UUID, some
 * minutes at most, and ends earlier if the file is removed.  0 when it waits,
 * or -errno with a sentence.
 */
int hold_begin(const char *uuid, struct error *err);

/*
 * Waits for that process and removes the file.  0: the domain *id is paused,
 * and the caller must end that; or -errno with a sentence: it is not.
 */
int hold_take(const char *uuid, uint32_t *id, struct error *err);

/* --- for tests --- */

/*
 * The code of the process that waits.  `record` is the file's descriptor, with
 * the lock.  Calls ready() with an empty sentence when it waits, else with the
 * reason.
 */
void hold_wait(int record, const char *uuid, int seconds,
	       void (*ready)(void *opaque, const char *sentence), void *opaque);

#endif
