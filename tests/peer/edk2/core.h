/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot and DXE services that the drivers call: protocols on handles,
 * notifications of their installation, and events. There are no task
 * priorities.
 */
#ifndef PEER_CORE_H
#define PEER_CORE_H

#include <Uefi.h>

/*
 * Returns the first installed interface of a protocol; ends the scenario if
 * there is none.
 */
void *core_protocol(EFI_GUID *protocol);

/* Signals all events of this group. */
void core_signal_group(CONST EFI_GUID *group);

extern EFI_SYSTEM_TABLE core_system_table;

#endif
