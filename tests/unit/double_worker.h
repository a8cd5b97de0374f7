/* SPDX-License-Identifier: BSD-2-Clause */
/* What workers do in the tests, honest and hostile ones. */
#ifndef DOUBLE_WORKER_H
#define DOUBLE_WORKER_H

#include "supervised.h"

/*
 * Serves as the real worker does: installs its record, says that it is ready,
 * notes its orders, and ends with CHANNEL_STOP or CHANNEL_UPGRADE.
 */
act act_serve;
act act_serve_silent;     /* the same, and closes the log */
act act_serve_late;       /* reads no order until stage->go */
act act_serve_unrecorded; /* ready, without a record */
act act_ready_late;       /* takes over when stage->go says so */
act act_upgrade_slowly;   /* CHANNEL_UPGRADE takes it 0.3 s */
act act_answer_modes;     /* with the errno in stage->result */
act act_claim_level;      /* 1000 units are left of the write limit */

/* Before it is ready. */
act act_say_nothing;
act act_fail;      /* with the code stage->result */
act act_die_early; /* of a signal */

/* After it is ready: these end at once. */
act act_exit_0, act_exit_3, act_exit_100, act_exit_255;
act act_abort, act_kill, act_segv;
act act_fill_and_die;     /* its record is the worker's number */
act act_fill_and_wait;    /* serves, and does not die */
act act_fill_uninstalled; /* the same, and no INSTALL */
act act_fill_late;        /* after INSTALL */
act act_pause_and_die;    /* CHANNEL_PAUSE before */

act act_leave_grandchild;

/* After it is ready: these do what they do until they are killed. */
act act_hang; /* reads no order, sends no request */
act act_crash_at_stop;
act act_pause_and_hang;
act act_flood;     /* requests, and reads no reply */
act act_flood_log; /* lines */
act act_pour_log;  /* a megabyte without an end of line */
act act_forge_log;
act act_scribble; /* into the report, then serves */
act act_close_channel;

/* After it is ready it sends these bytes, and descriptors with them. */
extern uint8_t breach[64];
extern size_t breach_size;
extern int breach_descriptors;
act act_breach;
act act_breach_early; /* before it is ready */

/* What act_scribble() claims. */
extern double scribble_level, scribble_when;

#endif
