/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reset ports of a PC, which OVMF pokes to reboot: the reset control
 * register 0xcf9 of Intel's south bridges and the keyboard controller's
 * command port 0x64.  On PVH nobody else answers them and the firmware would
 * hang; here they reboot the domain.
 */
#ifndef PFLASH_RESET_H
#define PFLASH_RESET_H

#include "pflash/error.h"
#include "pflash/ioreq.h"

/* The guest asked for a reset; ret: 0, or the -errno for which Xen refused. */
typedef void reset_asked(void *opaque, int ret);

/*
 * Claims the ports; once in a process.  `t` is borrowed until the server is
 * closed.
 */
int reset_add(struct ioreq_server *server, struct transport *t,
	      reset_asked *asked, void *opaque, struct error *err);

#endif
