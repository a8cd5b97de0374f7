/* SPDX-License-Identifier: BSD-2-Clause */
/* The start of the drivers for variables, as at a boot of the firmware. */
#ifndef PEER_DRIVERS_H
#define PEER_DRIVERS_H

/*
 * Starts the drivers of flash, fault-tolerant writes and variables, up to the
 * end of the DXE phase.  Ends the scenario on failure.  The machine is on.
 */
void drivers_start(void);

#endif
