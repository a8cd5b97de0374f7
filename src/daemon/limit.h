/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much may be had: a token bucket.  It holds `burst` units when it is
 * full, `rate` units a second come back, and those that were used are taken
 * out; when it is overdrawn the user has to wait until it is not.  The write
 * limit counts bytes, the supervisor counts lines and requests.  All times are
 * seconds of limit_clock().
 */
#ifndef PFLASHD_LIMIT_H
#define PFLASHD_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/error.h"

struct limit_config {
	uint64_t rate;  /* units a second; 0: no limit */
	uint64_t burst; /* units */
};

#define LIMIT_RATE (UINT64_C(128) << 10)
#define LIMIT_BURST (UINT64_C(256) << 20)

/*
 * One access can overdraw the write limit by a checkpoint and a new journal.
 * A level below this is no honest one.
 */
#define LIMIT_DEBT_MOST (UINT64_C(128) << 20)

/* "off", or RATE[,BURST], both sizes as "128K".  -EINVAL with a sentence. */
int limit_parse(struct limit_config *config, const char *text,
		struct error *err);

/* The next process goes on with it: a guest may end this one as it likes. */
struct limit_level {
	double units; /* below 0: overdrawn */
	double when;
};

struct limit {
	struct limit_config config;
	struct limit_level level;
	uint64_t used; /* has been taken out */
	bool over;
	double since;   /* it is over */
	uint64_t times; /* it was over */
	double seconds; /* it was, but for this time */
};

/* The clock for all of these: it goes on while the host sleeps. */
double limit_clock(void);

/* A full bucket.  `used` units were used until now, which are free. */
void limit_init(struct limit *limit, const struct limit_config *config,
		uint64_t used, double now);

/*
 * Goes on with a level that may come from a hostile process: one that is no
 * number, or of a time that has not come yet (another boot's), is not taken,
 * and no debt is larger than LIMIT_DEBT_MOST.
 */
void limit_resume(struct limit *limit, const struct limit_level *level,
		  double now);

/* Has all come back by `now`?  Then nobody needs to go on with it. */
bool limit_is_full(const struct limit *limit, double now);

/* `used` in all: may there be more now? */
bool limit_allows(struct limit *limit, uint64_t used, double now);

/* If limit_allows() was false: how long until it is not. */
double limit_wait(const struct limit *limit, double now);

/* How long it was over in all. */
double limit_waited(const struct limit *limit, double now);

/* Nothing has changed since it was not over: no need to look at the clock. */
static inline bool
limit_is_quiet(const struct limit *limit, uint64_t used)
{
	return !limit->over && used == limit->used;
}

#endif
