/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop. */
#ifndef PFLASHD_LOOP_H
#define PFLASHD_LOOP_H

#include <ev.h>

#include "control.h"
#include "flash.h"

/*
 * A burst the guest leaves open is committed when the flash has been quiet for
 * this many seconds; it is looked at this often.
 */
#define LOOP_IDLE_COMMIT 1.0

/*
 * A suspended guest is looked at this often, in seconds: nothing else says that
 * it goes on.  If another process has its file then, it waits as long for it.
 */
#define LOOP_RESUME 0.05
#define LOOP_RESUME_WAIT 60.0

/*
 * One request can take as long as thousands of commits.  So much of it is done,
 * in seconds, before it is looked for signals and for who asks.
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
	ev_io orders;  /* of the keeper's */
	ev_timer hold; /* until the guest may go on */
	struct ioreq_gate gate;
	double began;          /* the look at the guest's requests */
	unsigned int accesses; /* since then */
	bool late;             /* others have waited long enough for its end */
	ev_signal signals[4];
	ev_timer idle;
	ev_timer resume;
	ev_tstamp deadline;      /* to take the file again; 0: not tried yet */
	struct control *control; /* NULL: nobody can ask */
	enum loop_end end;
	uint64_t writes_seen; /* when the idle timer was started */
};

/*
 * Catches SIGTERM, SIGINT, SIGHUP and SIGUSR2 from now on, which are orders,
 * too.  `loop` stays where it is.
 */
void loop_init(struct loop *loop);

/*
 * What comes for the guest and to the control socket waits for loop_run().
 * `orders`: a descriptor with what enum channel_order has; its end is the end
 * of the process.
 */
void loop_start(struct loop *loop, struct flash *flash, int orders);

/* Serves the guest until it is gone, or an order comes that ends it. */
enum loop_end loop_run(struct loop *loop);

void loop_stop(struct loop *loop);

#endif
