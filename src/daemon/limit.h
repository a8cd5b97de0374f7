/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A token bucket.  A full bucket holds `burst` units.  The user takes units
 * out, and `rate` units a second come back.  The user may overdraw the bucket,
 * and must then wait until the level is positive again.  The write limit counts
 * bytes; the supervisor counts lines, requests and restarts.  All times are
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
 * An honest worker never reports a lower level.
 */
#define LIMIT_DEBT_MOST (UINT64_C(128) << 20)

/* Reads "off", or RATE[,BURST] in bytes.  Errors as in pflash/parse.h. */
int limit_parse(struct limit_config *config, const char *text,
		struct error *err);

/*
 * The level of the bucket and the time of it.  The next process continues with
 * it: otherwise a guest could fill the bucket by ending this process.
 */
struct limit_level {
	double units; /* negative: overdrawn */
	double when;
};

struct limit {
	struct limit_config config;
	struct limit_level level;
	uint64_t used;  /* units taken out so far */
	bool over;      /* the bucket is overdrawn */
	double since;   /* the time it became so */
	uint64_t times; /* how often it became so */
	double seconds; /* duration of all earlier times */
};

/* CLOCK_BOOTTIME, which advances while the host sleeps. */
double limit_clock(void);

/* Starts with a full bucket.  The first `used` units are free. */
void limit_init(struct limit *limit, const struct limit_config *config,
		uint64_t used, double now);

/*
 * Continues with a level that may come from a hostile process.  Ignores a level
 * that is not a number, and one from the future, which is from another boot.
 * Limits the debt to LIMIT_DEBT_MOST.
 */
void limit_resume(struct limit *limit, const struct limit_level *level,
		  double now);

/* True if the bucket is full: the next process needs no level. */
bool limit_is_full(const struct limit *limit, double now);

/* Takes the units since the last call out; false if that overdraws it. */
bool limit_allows(struct limit *limit, uint64_t used, double now);

/* After limit_allows() returned false: seconds until it returns true. */
double limit_wait(const struct limit *limit, double now);

/* Seconds during which the bucket was overdrawn. */
double limit_waited(const struct limit *limit, double now);

/* True if limit_allows() need not be called: the bucket was not touched. */
static inline bool
limit_is_quiet(const struct limit *limit, uint64_t used)
{
	return !limit->over && used == limit->used;
}

#endif
