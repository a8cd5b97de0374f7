/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reset ports of a PC.  OVMF writes to them to reboot: port 0xcf9 is the
 * reset control register of Intel's south bridges (ICH9 data sheet, RST_CNT),
 * port 0x64 the command port of the keyboard controller (8042).  A PVH domain
 * has neither device, so without this module the firmware would hang.  The
 * module claims the ports and makes Xen reboot the domain.
 */
#ifndef PFLASH_RESET_H
#define PFLASH_RESET_H

#include "pflash/error.h"
#include "pflash/ioreq.h"

/*
 * Called after a reset by the guest.  ret: 0: Xen reboots the domain; -errno:
 * Xen has refused.
 */
typedef void reset_asked(void *opaque, int ret);

/*
 * Adds both ports to the server.  Call it once in a process: the state is
 * static.  `t` is borrowed until the server is closed.  0, or -errno and sets
 * *err: Xen or the server has refused a port.
 */
int reset_add(struct ioreq_server *server, struct transport *t,
	      reset_asked *asked, void *opaque, struct error *err);

#endif
