/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a flash must commit an open burst, sync bursts that are not durable, or
 * make a checkpoint, without an access of the guest: after a time without a
 * write of the guest, and for a sync at the latest some time after the first
 * burst that waits for it.  These functions have neither clock nor timer: the
 * caller has one timer, which is stopped while there is no work.
 *
 * Times are in seconds, of any clock that does not jump.  `writes` is the
 * number of the guest's writes so far.
 */
#ifndef PFLASH_QUIET_H
#define PFLASH_QUIET_H

#include <stdbool.h>
#include <stdint.h>

/* The guest has not written for this time: */
#define QUIET_COMMIT 1.0 /* commit the open burst */
#define QUIET_SYNC 0.1   /* sync the bursts that are not durable */

/* The time after which they are synced even if the guest writes. */
#define QUIET_SYNC_LATEST 2.0

/*
 * --settle: the time without a write after which a checkpoint is made, so that
 * VARS alone has all bursts.  At least QUIET_COMMIT: an open burst is committed
 * before.
 */
#define QUIET_SETTLE 5 /* the default */
#define QUIET_SETTLE_LEAST 1
#define QUIET_SETTLE_MOST 3600

/*
 * The results of store_pending(), store_unsynced() and store_behind()
 * (pflash/store.h).
 */
struct quiet_work {
	bool pending;
	uint64_t unsynced;
	bool behind;
};

struct quiet {
	double settle;
	struct quiet_work work; /* as of the last quiet_note() */
	uint64_t noted;         /* `writes` of the last call */
	double last;            /* the guest has not written after this time */
	uint64_t writes;        /* at the time `since` */
	double since;           /* the guest may have been quiet since then */
	double deadline;        /* for the sync of work.unsynced */
};

void quiet_init(struct quiet *quiet, double settle);

/*
 * Notes the work that waits, after accesses of the guest or after work was
 * done.  True: start the timer, anew if it runs, to expire after quiet_wait().
 */
bool quiet_note(struct quiet *quiet, struct quiet_work work, uint64_t writes,
		double now);

/* Seconds until the timer must expire; negative: nothing waits, stop it. */
double quiet_wait(const struct quiet *quiet, double now);

struct quiet_due {
	bool commit;     /* the open burst, before the others */
	bool sync;       /* the bursts that are not durable */
	bool checkpoint; /* if VARS is behind and no burst is open */
};

/*
 * Tells what to do, if there is such work, when the timer has expired.  After
 * that call quiet_note(), and start or stop the timer.  `busy`: the guest waits
 * for an answer to a write, so it is not quiet.
 */
struct quiet_due quiet_expired(struct quiet *quiet, uint64_t writes, bool busy,
			       double now);

#endif
