/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A write of the guest only changes a counter: the timer is not started anew
 * for it.  When the timer expires and the counter has changed, the guest may
 * have written just before, so the time without a write starts then.  The time
 * of --settle is long, and starts when a call has noted the last write.
 */
#include "pflash/quiet.h"

void
quiet_init(struct quiet *quiet, double settle)
{
	*quiet = (struct quiet){ .settle = settle };
}

static bool
waits(const struct quiet_work *work)
{
	return work->pending || work->unsynced || work->behind;
}

static void
note_writes(struct quiet *quiet, uint64_t writes, double now)
{
	if (writes != quiet->noted)
		quiet->last = now;
	quiet->noted = writes;
}

/* Is there work that the timer of the old work may be too slow for? */
static bool
begins(const struct quiet_work *work, const struct quiet_work *old)
{
	if (work->pending && !old->pending && !old->unsynced)
		return true;
	return waits(work) && !waits(old);
}

bool
quiet_note(struct quiet *quiet, struct quiet_work work, uint64_t writes,
	   double now)
{
	bool other = work.unsynced && work.unsynced != quiet->work.unsynced;
	bool start = other || begins(&work, &quiet->work);

	note_writes(quiet, writes, now);
	if (!waits(&quiet->work))
		quiet->last = now;
	quiet->work = work;
	if (other)
		quiet->deadline = now + QUIET_SYNC_LATEST;
	if (start) {
		quiet->writes = writes;
		quiet->since = now;
	}
	return start;
}

static double
least(double a, double b)
{
	return a < b ? a : b;
}

/* The time at which the timer must expire. */
static double
next_time(const struct quiet *quiet)
{
	if (quiet->work.unsynced)
		return least(quiet->since + QUIET_SYNC, quiet->deadline);
	if (quiet->work.pending)
		return quiet->since + QUIET_COMMIT;
	return quiet->last + quiet->settle;
}

double
quiet_wait(const struct quiet *quiet, double now)
{
	double next = next_time(quiet);

	if (!waits(&quiet->work))
		return -1;
	return next > now ? next - now : 0;
}

struct quiet_due
quiet_expired(struct quiet *quiet, uint64_t writes, bool busy, double now)
{
	struct quiet_due due;

	note_writes(quiet, writes, now);
	if (busy)
		quiet->last = now;
	if (busy || writes != quiet->writes) {
		quiet->writes = writes;
		quiet->since = now;
	}
	due.commit = now >= quiet->since + QUIET_COMMIT;
	due.sync = now >= quiet->since + QUIET_SYNC ||
		   (quiet->work.unsynced && now >= quiet->deadline);
	due.checkpoint = now >= quiet->last + quiet->settle;
	return due;
}
