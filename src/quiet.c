/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A write of the guest only changes a counter: the timer is not started anew
 * for it.  When the timer expires and the counter has changed, the guest may
 * have written just before, so the time without a write starts then.
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
	return work->pending || work->unsynced;
}

bool
quiet_note(struct quiet *quiet, struct quiet_work work, uint64_t writes,
	   double now)
{
	bool other = work.unsynced && work.unsynced != quiet->work.unsynced;
	bool start = other || (waits(&work) && !waits(&quiet->work));

	quiet->work = work;
	if (other)
		quiet->deadline = now + quiet->settle;
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
	if (!quiet->work.unsynced)
		return quiet->since + QUIET_COMMIT;
	return least(quiet->since + QUIET_SYNC, quiet->deadline);
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
	if (busy || writes != quiet->writes) {
		quiet->writes = writes;
		quiet->since = now;
	}
	return (struct quiet_due){
		.commit = now >= quiet->since + QUIET_COMMIT,
		.sync = now >= quiet->since + QUIET_SYNC ||
			(quiet->work.unsynced && now >= quiet->deadline),
	};
}
