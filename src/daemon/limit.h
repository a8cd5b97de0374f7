/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much a guest may have written to the host's disk: a token bucket.  It
 * holds `burst` bytes when it is full, `rate` bytes a second come back, and
 * what was written is taken out; when it is overdrawn the guest has to wait
 * until it is not.  All times are seconds of one clock that never goes back.
 */
#ifndef PFLASHD_LIMIT_H
#define PFLASHD_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/error.h"

struct limit_config {
	uint64_t rate;  /* bytes a second; 0: no limit */
	uint64_t burst; /* bytes */
};

#define LIMIT_RATE (UINT64_C(128) << 10)
#define LIMIT_BURST (UINT64_C(256) << 20)

/* "off", or RATE[,BURST], both sizes as "128K".  -EINVAL with a sentence. */
int limit_parse(struct limit_config *config, const char *text,
		struct error *err);

/* What the next process goes on with: a guest may end this one as it likes. */
struct limit_level {
	char magic[8];
	double bytes; /* below 0: overdrawn */
	double when;
};

struct limit {
	struct limit_config config;
	struct limit_level *level; /* `own`, or the file's */
	struct limit_level own;
	bool kept;        /* by the file */
	uint64_t written; /* has been taken out */
	bool over;
	double since;   /* it is over */
	uint64_t times; /* it was over */
	double seconds; /* it was, but for this time */
};

/* The clock for all of these: it goes on while the host sleeps. */
double limit_clock(void);

/* A full bucket.  `written` is what was written until now, which is free. */
void limit_init(struct limit *limit, const struct limit_config *config,
		uint64_t written, double now);

/*
 * Goes on with the level of the file, which may be empty, and that from now on
 * has it.  Without it, after -errno, the bucket is as it was.  `fd` is closed.
 */
int limit_keep(struct limit *limit, int fd, double now);

/* Is the file to be removed?  It says nothing if the bucket is full. */
bool limit_close(struct limit *limit, double now);

/* `written` in all: may there be more now? */
bool limit_allows(struct limit *limit, uint64_t written, double now);

/* If limit_allows() was false: how long until it is not. */
double limit_wait(const struct limit *limit, double now);

/* How long it was over in all. */
double limit_waited(const struct limit *limit, double now);

/* Nothing has changed since it was not over: no need to look at the clock. */
static inline bool
limit_is_quiet(const struct limit *limit, uint64_t written)
{
	return !limit->over && written == limit->written;
}

#endif
