/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flash migrates with its guest between the two places of places.h, which
 * stand for two hosts without a common disk.  Each cut hits both.  No cut may
 * leave a flash at both places; where it leaves one at neither, the operator
 * decides, and `pflashctl forget` makes a whole flash of the chosen one.
 */
#ifndef CRASH_TRAVEL_H
#define CRASH_TRAVEL_H

#include "script.h"

/*
 * The guest is suspended, and its flash lent.  The seed decides whether it
 * arrives, and at which of the two places the guest goes on.
 */
bool travel(struct run *run, uint64_t seed);

/* True if the flash has ever migrated, or begun to. */
bool travel_is_known(const struct run *run);

/*
 * Checks both places, and decides where the flash is if neither may be used, so
 * that it can be opened at run_path().
 */
bool travel_settle(struct run *run);

#endif
