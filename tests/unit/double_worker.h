/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker's behaviour in the tests: honest and hostile acts. */
#ifndef DOUBLE_WORKER_H
#define DOUBLE_WORKER_H

#include "supervised.h"

/*
 * Behaves like the real worker: installs its record, sends CHANNEL_READY,
 * stores its orders in the stage, exits at CHANNEL_STOP or CHANNEL_UPGRADE.
 */
act act_serve;
act act_serve_arrived;    /* its files wait for the guest to run */
act act_serve_silent;     /* closes the log */
act act_serve_late;       /* reads orders after stage->proceed */
act act_serve_unrecorded; /* installs no record */
act act_ready_late;       /* installs its record after stage->proceed */
act act_upgrade_slowly;   /* exits 0.3 s after CHANNEL_UPGRADE */
act act_answer_modes;     /* with the errno stage->result */
act act_claim_level;      /* reports a write limit level of 1000 */

/* These are never ready. */
act act_send_nothing;
act act_fail;      /* exits with stage->result */
act act_die_early; /* SIGKILL */

/* These exit at once after they are ready. */
act act_exit_0, act_exit_3, act_exit_100, act_exit_255;
act act_abort, act_kill, act_segv;
act act_fill_and_die;     /* fills its record with its number */
act act_fill_and_wait;    /* the same, and serves */
act act_fill_uninstalled; /* fills a record, installs none, dies */
act act_fill_late;        /* fills the installed record, dies */
act act_pause_and_die;    /* sends CHANNEL_PAUSE, dies */
act act_leave_grandchild; /* forks, dies */

/* These run after they are ready until they are killed. */
act act_hang; /* reads no order, sends no request */
act act_crash_at_stop;
act act_pause_and_hang;
act act_flood;     /* sends requests and reads no reply */
act act_flood_log; /* writes lines */
act act_pour_log;  /* writes 1 MiB without a newline */
act act_forge_log; /* writes lines that imitate other ones */
act act_scribble;  /* fills the report with garbage, then serves */
act act_close_channel;

/*
 * act_violate() sends this message, with so many descriptors, after it is
 * ready; act_violate_early() before.
 */
extern uint8_t violation[64];
extern size_t violation_size;
extern unsigned int violation_descriptors;
act act_violate, act_violate_early;

/* The level that act_scribble() reports. */
extern double scribble_level, scribble_when;

#endif
