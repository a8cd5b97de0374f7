/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reset ports of a PC, which OVMF pokes to reboot: the reset control
 * register 0xcf9 of Intel's south bridges and the keyboard controller's
 * command port 0x64.  On PVH nobody else answers them and the firmware would
 * hang; here they reboot the domain.
 */
#ifndef PFLASHD_RESET_H
#define PFLASHD_RESET_H

#include "pflash/error.h"
#include "pflash/ioreq.h"

/* `t` is borrowed until the server is closed. */
int reset_add(struct ioreq_server *server, struct transport *t,
	      struct error *err);

#endif
