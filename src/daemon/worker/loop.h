/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker's event loop. */
#ifndef PFLASHD_LOOP_H
#define PFLASHD_LOOP_H

#include <ev.h>

#include "worker/flash.h"

/*
 * A burst the guest leaves open is committed when the flash has been quiet for
 * this many seconds; it is looked at this often.
 */
#define LOOP_IDLE_COMMIT 1.0

/*
 * If another process has the file when a suspended guest goes on, the guest
 * waits so long for it; it is tried this often.
 */
#define LOOP_RESUME 0.05
#define LOOP_RESUME_WAIT 60.0

/*
 * One request can take as long as thousands of commits.  So much of it is done,
 * in seconds, before the loop looks for orders.
 */
#define LOOP_SLICE 0.1

enum loop_end {
	LOOP_ENDS,
	LOOP_UPGRADE, /* another program goes on */
};

struct loop {
	struct ev_loop *ev;
	struct flash *flash;
	ev_io requests;
	ev_io orders;  /* enum channel_order */
	ev_timer hold; /* until the guest may go on */
	struct ioreq_throttle throttle;
	double began;          /* the look at the guest's requests */
	unsigned int accesses; /* since then */
	bool late;             /* others have waited long enough for its end */
	ev_timer idle;
	ev_timer resume;
	ev_tstamp deadline; /* to take the file again */
	enum loop_end end;
	uint64_t writes_seen; /* when the idle timer was started */
};

/* Before the sandbox, which allows no new descriptors of libev's. */
void loop_init(struct loop *loop);

/*
 * The guest's requests wait for loop_run().  The end of `orders` is the end of
 * the process.  `loop` stays where it is.
 */
void loop_start(struct loop *loop, struct flash *flash, int orders);

/* Serves the guest until an order ends it. */
enum loop_end loop_run(struct loop *loop);

void loop_stop(struct loop *loop);

#endif
