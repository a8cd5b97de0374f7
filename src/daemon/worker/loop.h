/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker's event loop: the guest's requests, the supervisor's orders, and
 * timers.  It closes the throttle of the ioreq server when the write limit is
 * reached, or when one request has taken LOOP_SLICE.
 */
#ifndef PFLASHD_LOOP_H
#define PFLASHD_LOOP_H

#include <ev.h>

#include "worker/flash.h"

/*
 * An open burst is committed when the guest has not written for so many
 * seconds.  The timer checks at the same interval.
 */
#define LOOP_IDLE_COMMIT 1.0

/*
 * If another process has the VARS file when a suspended guest is resumed, the
 * guest waits: the worker tries to lock the file every LOOP_RESUME seconds, for
 * LOOP_RESUME_WAIT seconds.
 */
#define LOOP_RESUME 0.05
#define LOOP_RESUME_WAIT 60.0

/*
 * One request (rep movs) can cause thousands of commits.  After so many seconds
 * the loop interrupts it to read orders.
 */
#define LOOP_SLICE 0.1

enum loop_end {
	LOOP_ENDS,    /* detach the flash */
	LOOP_UPGRADE, /* leave the flash attached */
};

struct loop {
	struct ev_loop *ev;
	struct flash *flash;
	ev_io requests;
	ev_io orders;  /* enum channel_order */
	ev_timer hold; /* until the throttle lets the guest go on */
	struct ioreq_throttle throttle;
	double began;          /* the last poll of the server, limit_clock() */
	unsigned int accesses; /* since then */
	bool late;             /* the poll has taken LOOP_SLICE */
	ev_timer idle;
	ev_timer resume;
	ev_tstamp deadline; /* for locking the file after a resume */
	enum loop_end end;
	uint64_t writes_seen; /* number of writes at the idle timer's start */
};

/*
 * Creates the loop.  Call it before sandbox_enter(): the sandbox forbids the
 * system calls by which libev opens its descriptors.
 */
void loop_init(struct loop *loop);

/*
 * Watches the guest's requests and the descriptor `orders`, and sets the
 * server's throttle.  `loop` must not move afterwards.  If the supervisor
 * closes the other end of `orders`, the process exits.
 */
void loop_start(struct loop *loop, struct flash *flash, int orders);

/* Serves the guest until an order ends the loop. */
enum loop_end loop_run(struct loop *loop);

/* Frees the loop. */
void loop_stop(struct loop *loop);

#endif
