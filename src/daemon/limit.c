/* SPDX-License-Identifier: BSD-2-Clause */
#include "limit.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "pflash/parse.h"

#define LEAST 4096u
#define MOST (UINT64_C(1) << 40)

static bool
read_size(const char **text, uint64_t *size)
{
	return parse_size(text, PARSE_DECIMAL, MOST, size) && *size >= LEAST;
}

int
limit_parse(struct limit_config *config, const char *text, struct error *err)
{
	const char *at = text;

	*config = (struct limit_config){ .burst = LIMIT_BURST };
	if (strcmp(text, "off") == 0)
		return 0;
	if (read_size(&at, &config->rate) &&
	    (*at == '\0' ||
	     (*at++ == ',' && read_size(&at, &config->burst) && *at == '\0')))
		return 0;
	return error_set(err, EINVAL,
			 "'%s' is not off, RATE or RATE,BURST: bytes a second "
			 "and bytes at once, each from 4K on, such as "
			 "128K,256M",
			 text);
}

double
limit_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void
limit_init(struct limit *limit, const struct limit_config *config,
	   uint64_t used, double now)
{
	*limit = (struct limit){
		.config = *config,
		.level = { (double)config->burst, now },
		.used = used,
	};
}

/* The level at `now`, with the units that have come back. */
static double
units_at(const struct limit *limit, double now)
{
	const struct limit_level *level = &limit->level;
	double units = level->units +
		       (now - level->when) * (double)limit->config.rate;

	return units < (double)limit->config.burst ?
		       units :
		       (double)limit->config.burst;
}

void
limit_resume(struct limit *limit, const struct limit_level *level, double now)
{
	if (!isfinite(level->units) || !(level->when >= 0) ||
	    !(level->when <= now))
		return;
	limit->level = *level;
	if (level->units < -(double)LIMIT_DEBT_MOST)
		limit->level.units = -(double)LIMIT_DEBT_MOST;
	if (level->units > (double)limit->config.burst)
		limit->level.units = (double)limit->config.burst;
}

bool
limit_is_full(const struct limit *limit, double now)
{
	return units_at(limit, now) >= (double)limit->config.burst;
}

bool
limit_allows(struct limit *limit, uint64_t used, double now)
{
	uint64_t more = used - limit->used;
	bool over;

	limit->used = used;
	if (limit->config.rate == 0)
		return true;
	limit->level.units = units_at(limit, now) - (double)more;
	limit->level.when = now;
	over = limit->level.units < 0;
	if (over && !limit->over) {
		limit->times++;
		limit->since = now;
	} else if (!over && limit->over) {
		limit->seconds += now - limit->since;
	}
	limit->over = over;
	return !over;
}

/* Adds a millisecond, because floating-point numbers are not exact. */
double
limit_wait(const struct limit *limit, double now)
{
	double units = units_at(limit, now);

	return units < 0 ? -units / (double)limit->config.rate + 0.001 : 0;
}

double
limit_waited(const struct limit *limit, double now)
{
	return limit->seconds + (limit->over ? now - limit->since : 0);
}
