/* SPDX-License-Identifier: BSD-2-Clause */
/* The start of the drivers for variables, as at a boot of the firmware. */
#ifndef PEER_DRIVERS_H
#define PEER_DRIVERS_H

#include <stdbool.h>

/*
 * Starts the drivers of flash, fault-tolerant writes and variables, up to the
 * end of the DXE phase.  Ends the scenario on failure.  The machine is on.
 */
void drivers_start(void);

/*
 * A defect of edk2's driver: a variable header that a stop left without
 * attributes (all ones) counts as a hardware error record, so that the driver's
 * total of the other variables is too small by that header (the loop at the end
 * of VariableNonVolatile.c).  Its next variables may go that far beyond the end
 * of the store; they are in the flash, but not in the driver's copy in memory,
 * from which GetVariable() reads.  True if that has happened.
 */
bool drivers_overflowed(void);

#endif
