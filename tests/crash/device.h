/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flash on a complete device.  The simulated disk keeps it as one file,
 * without the hole before queue and pins, which the store never touches: only
 * a device of more than 16 MiB is complete.
 */
#ifndef CRASH_DEVICE_H
#define CRASH_DEVICE_H

#include "script.h"

/*
 * Prepares the device of a script that begins with STEP_CREATE on the disk of
 * the machine: its first image is there, and durable.
 */
void device_prepare(const struct setting *setting, const struct script *script);

/* The offset of the hole. */
size_t device_hole(const struct setting *setting);

#endif
