/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker's event loop: the guest's requests, the supervisor's orders, and
 * timers.  It closes the throttle of the ioreq server when the write limit is
 * reached, or when one request has taken LOOP_SLICE.
 */
#ifndef PFLASHD_LOOP_H
#define PFLASHD_LOOP_H

#include <ev.h>

#include "pflash/quiet.h"
#include "worker/flash.h"

/*
 * A suspended guest is resumed, and another process has locked the VARS file:
 * the guest waits, and the worker tries to lock the file every LOOP_RESUME
 * seconds, for LOOP_RESUME_WAIT seconds.
 */
#define LOOP_RESUME 0.05
#define LOOP_RESUME_WAIT 60.0

/*
 * One request (rep movs) can cause thousands of commits.  The loop interrupts
 * the request after this time, in seconds, to read orders.
 */
#define LOOP_SLICE 0.1

/* How often a trace whose reader is slow tries to write, in seconds. */
#define LOOP_TRACE 0.02

enum loop_end {
	LOOP_ENDS,    /* detach the flash */
	LOOP_UPGRADE, /* leave the flash attached */
};

struct loop {
	struct ev_loop *ev;
	struct flash *flash;
	ev_io requests;
	ev_io orders;            /* enum channel_order */
	ev_timer throttle_timer; /* expires when the throttle opens */
	struct ioreq_throttle throttle;
	double began;          /* start of the last poll, limit_clock() */
	unsigned int accesses; /* since `began` */
	bool late;             /* the poll has taken LOOP_SLICE */
	struct quiet quiet;
	ev_timer quiet_timer; /* active only while `quiet` has work */
	ev_timer trace;       /* active while a trace waits for its reader */
	ev_timer resume;      /* tries to lock the file after a resume */
	ev_tstamp deadline;   /* of these attempts */
	enum loop_end end;
};

/*
 * Creates the event loop; loop_stop() frees it.  Call it before
 * sandbox_enter(): the sandbox forbids the system calls by which libev opens
 * its descriptors.
 */
void loop_init(struct loop *loop);

/*
 * Watches the guest's requests and the descriptor `orders`, and sets the
 * server's throttle.  Borrows `flash`; `loop` must not move afterwards.  If the
 * supervisor closes the other end of `orders`, the process exits.
 */
void loop_start(struct loop *loop, struct flash *flash, int orders);

/* Serves the guest until an order ends the loop; logs the statistics. */
enum loop_end loop_run(struct loop *loop);

/* Frees the event loop. */
void loop_stop(struct loop *loop);

#endif
