/* SPDX-License-Identifier: BSD-2-Clause */
#include "limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC "PFLASHW1"
#define LEAST 4096u
#define MOST (UINT64_C(1) << 40)

/* A size at the beginning of *text, which is moved behind it. */
static bool
parse_size(const char **text, uint64_t *size)
{
	static const char units[] = "KMG";
	unsigned long long number;
	const char *unit;
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	number = strtoull(*text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	*size = number;
	for (long shift = unit ? unit - units + 1 : 0; shift > 0; shift--) {
		if (*size > MOST)
			return false;
		*size <<= 10;
	}
	*text = end + (unit != NULL);
	return errno == 0 && *size >= LEAST && *size <= MOST;
}

int
limit_parse(struct limit_config *config, const char *text, struct error *err)
{
	const char *at = text;

	*config = (struct limit_config){ .burst = LIMIT_BURST };
	if (strcmp(text, "off") == 0)
		return 0;
	if (parse_size(&at, &config->rate) &&
	    (*at == '\0' ||
	     (*at++ == ',' && parse_size(&at, &config->burst) && *at == '\0')))
		return 0;
	return error_set(err, EINVAL,
			 "--write-limit: '%s' is neither off nor a size for a "
			 "second, from 4K on, as 128K or 128K,256M",
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
	   uint64_t written, double now)
{
	*limit = (struct limit){ .config = *config, .written = written };
	limit->level = &limit->own;
	memcpy(limit->own.magic, MAGIC, sizeof(limit->own.magic));
	limit->own.bytes = (double)config->burst;
	limit->own.when = now;
}

/* What has come back since then. */
static double
level_at(const struct limit *limit, double now)
{
	const struct limit_level *level = limit->level;
	double bytes = level->bytes +
		       (now - level->when) * (double)limit->config.rate;

	return bytes < (double)limit->config.burst ?
		       bytes :
		       (double)limit->config.burst;
}

/* NULL with errno. */
static struct limit_level *
map_file(int fd)
{
	void *level = MAP_FAILED;

	if (ftruncate(fd, sizeof(struct limit_level)) == 0)
		level = mmap(NULL, sizeof(struct limit_level),
			     PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return level == MAP_FAILED ? NULL : level;
}

int
limit_keep(struct limit *limit, int fd, double now)
{
	struct limit_level *level = map_file(fd);
	int ret = level ? 0 : -errno;

	close(fd);
	if (ret < 0)
		return ret;
	/* One of a time that has not come yet is of another clock. */
	if (memcmp(level->magic, MAGIC, sizeof(level->magic)) != 0 ||
	    !(level->when <= now) ||
	    !(level->bytes <= (double)limit->config.burst))
		*level = limit->own;
	limit->level = level;
	limit->kept = true;
	return 0;
}

bool
limit_close(struct limit *limit, double now)
{
	bool full = level_at(limit, now) >= (double)limit->config.burst;

	if (!limit->kept)
		return false;
	munmap(limit->level, sizeof(*limit->level));
	limit->level = &limit->own;
	limit->kept = false;
	return full;
}

bool
limit_allows(struct limit *limit, uint64_t written, double now)
{
	struct limit_level *level = limit->level;
	uint64_t more = written - limit->written;
	bool over;

	limit->written = written;
	if (limit->config.rate == 0)
		return true;
	level->bytes = level_at(limit, now) - (double)more;
	level->when = now;
	over = level->bytes < 0;
	if (over && !limit->over) {
		limit->times++;
		limit->since = now;
	} else if (!over && limit->over) {
		limit->seconds += now - limit->since;
	}
	limit->over = over;
	return !over;
}

/* A little longer than it must be, for numbers are not exact. */
double
limit_wait(const struct limit *limit, double now)
{
	double bytes = level_at(limit, now);

	return bytes < 0 ? -bytes / (double)limit->config.rate + 0.001 : 0;
}

double
limit_waited(const struct limit *limit, double now)
{
	return limit->seconds + (limit->over ? now - limit->since : 0);
}
