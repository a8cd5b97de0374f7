/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket, PFLASH_RUN_DIR/DOMAIN.sock: whoever connects sends one
 * line (pflash/control.h), or none, and gets one JSON object that says how the
 * flash is after that.  Directory and socket are root's alone.
 */
#ifndef PFLASHD_CONTROL_H
#define PFLASHD_CONTROL_H

#include <ev.h>

#include "flash.h"

struct control;

/*
 * Borrows both.  NULL, and a line in the log, if it can't be had: the guest's
 * flash is more important.
 */
struct control *control_open(struct ev_loop *ev, struct flash *flash);

/* NULL is nothing to do. */
void control_close(struct control *control);

#endif
