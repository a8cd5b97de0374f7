/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot and DXE services that the drivers call: protocols on handles,
 * notifications of their installation, events, no tasks.
 */
#ifndef PEER_CORE_H
#define PEER_CORE_H

#include <Uefi.h>

/* The first interface installed of a protocol; gives up if there is none. */
void *core_protocol(EFI_GUID *protocol);

/* Calls what waits for this event group. */
void core_signal_group(CONST EFI_GUID *group);

extern EFI_SYSTEM_TABLE core_system_table;

#endif
