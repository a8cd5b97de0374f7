/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pflashctl log: the changes of variables, or with --bursts all points in time.
 * Both take one walk of the history, whose cost depends on the bytes written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/effective.h"
#include "pflash/le.h"
#include "pflashctl.h"

struct log {
	const struct reader *reader;
	uint32_t size; /* of the image */
	uint8_t *now;
	uint8_t *before; /* the image that the view was last updated with */
	struct effective *view;
	uint32_t first, last; /* all bytes written are in [first, last) */
	struct reader_point point;
	uint64_t skip;    /* the number of changes that are not printed */
	uint64_t changes; /* read so far */
	uint64_t written; /* time of a checkpoint since the last change, or 0 */
	/* Bursts without a change, of those that are not skipped. */
	uint64_t idle;   /* the variables stayed the same */
	uint64_t unread; /* it is not known if they did */
};

static bool
log_init(struct log *log, const struct reader *reader)
{
	*log = (struct log){
		.reader = reader,
		.size = reader_size(reader),
		.now = malloc(reader_size(reader)),
		.before = malloc(reader_size(reader)),
		.view = effective_new(reader_size(reader)),
	};
	return log->now && log->before && log->view;
}

static void
log_free(struct log *log)
{
	free(log->now);
	free(log->before);
	effective_free(log->view);
}

/* Notes the bytes that a burst writes. */
static void
note_write(void *opaque, uint32_t off, uint32_t len)
{
	struct log *log = opaque;

	effective_touch(log->view, off, len);
	if (off < log->first)
		log->first = off;
	if (off + len > log->last)
		log->last = off + len;
}

/* Applies the next burst to `now`.  False at the end. */
static bool
step(struct log *log, size_t *cursor)
{
	log->first = log->size;
	log->last = 0;
	return reader_walk(log->reader, cursor, &log->point, log->now,
			   note_write, log);
}

/* Reports the variables that differ from those before the burst. */
static void
report_changes(struct log *log, effective_change_fn fn, void *opaque)
{
	(void)effective_update(log->view, log->now);
	(void)effective_changes(log->view, log->before, log->now, fn, opaque);
	if (log->last > log->first)
		memcpy(log->before + log->first, log->now + log->first,
		       log->last - log->first);
}

/* The point from which on the changes are reported. */
static void
start(struct log *log)
{
	memcpy(log->before, log->now, log->size);
	effective_parse(log->view, log->now);
}

/* Most points have the second of the one before. */
static void
print_begin(const struct reader_point *point)
{
	static uint64_t second = UINT64_MAX;
	static char when[32];

	if (point->time / 1000000000u != second) {
		second = point->time / 1000000000u;
		ctl_format_time(point->time, when, sizeof(when));
	}
	printf("%" PRIu64 "  %s  ", point->sequence, when);
}

/* --- one line for each change --------------------------------------------- */

/*
 * The counter that edk2 increments in each boot
 * (MonotonicCounterDriverInitialize() in MonotonicCounterRuntimeDxe).  0: the
 * variable is another one.
 */
static uint32_t
boot_number(const struct variable *variable)
{
	static const char name[] = "M\0T\0C\0";
	const char *vendor;

	if (!variable || variable->data_size != 4 ||
	    variable->name_size != sizeof(name) + 1 ||
	    memcmp(variable->name, name, sizeof(name)) != 0)
		return 0;
	vendor = guid_name(variable->guid);
	if (!vendor || strcmp(vendor, "MtcVendor") != 0)
		return 0;
	return get_le32(variable->data);
}

/* The begin of a group of changes. */
static void
print_group(const struct log *log, const struct variable *old,
	    const struct variable *new)
{
	uint32_t number = boot_number(new);
	char when[32];

	if (number && number != boot_number(old))
		printf("# MTC, which counts the boots, is %" PRIu32 "\n",
		       number);
	else if (log->written && log->changes > log->skip) {
		ctl_format_time(log->written, when, sizeof(when));
		printf("# checkpoint %s\n", when);
	}
}

static int
note_change(void *opaque, enum effective_change change,
	    const struct variable *old, const struct variable *new)
{
	struct log *log = opaque;

	if (log->changes >= log->skip) {
		print_group(log, old, new);
		print_begin(&log->point);
		ctl_print_change(change, old, new);
	}
	log->changes++;
	log->written = 0;
	return 0;
}

static void
follow(struct log *log)
{
	const uint64_t changes = log->changes;
	bool known = effective_known(log->view);

	if (log->point.written)
		log->written = log->point.written;
	report_changes(log, note_change, log);
	if (log->changes != changes || (log->skip && changes <= log->skip))
		return;
	if (known && effective_known(log->view))
		log->idle++;
	else
		log->unread++;
}

/* False: there is no history. */
static bool
walk_changes(struct log *log, uint64_t skip)
{
	size_t cursor = 0;

	log->skip = skip;
	log->changes = 0;
	while (step(log, &cursor)) {
		if (!log->point.oldest) {
			follow(log);
			continue;
		}
		start(log);
		if (!skip) {
			print_begin(&log->point);
			puts("the history begins");
		}
	}
	return cursor != 0;
}

static void
print_rest(const struct log *log)
{
	if (log->idle)
		printf("# not shown without --bursts: %" PRIu64
		       " bursts that changed no variable\n",
		       log->idle);
	if (log->unread)
		printf("# not shown without --bursts: %" PRIu64
		       " bursts whose variables cannot be read\n",
		       log->unread);
}

static bool
print_changes(struct log *log, uint64_t last)
{
	uint64_t skip = 0;
	bool some;

	if (last) {
		(void)walk_changes(log, UINT64_MAX);
		skip = last < log->changes ? log->changes - last : 0;
	}
	some = walk_changes(log, skip);
	print_rest(log);
	return some;
}

/* --- all points ----------------------------------------------------------- */

static uint64_t
count_points(const struct reader *reader)
{
	struct reader_point point;
	size_t cursor = 0;
	uint64_t count = 0;

	while (reader_next(reader, &cursor, &point))
		count++;
	return count;
}

static void
print_point(const struct reader_point *point)
{
	print_begin(point);
	if (point->oldest)
		puts("the history begins");
	else
		printf("%" PRIu64 " bytes programmed, %" PRIu64 " erased\n",
		       point->programmed, point->erased);
}

static int
print_below(void *opaque, enum effective_change change,
	    const struct variable *old, const struct variable *new)
{
	(void)opaque;
	fputs("      ", stdout);
	ctl_print_change(change, old, new);
	return 0;
}

static void
walk_points(struct log *log, uint64_t skip)
{
	size_t cursor = 0;

	while (step(log, &cursor)) {
		if (!skip)
			print_point(&log->point);
		if (!skip && !log->point.oldest)
			report_changes(log, print_below, NULL);
		else if (skip <= 1)
			start(log);
		skip -= skip != 0;
	}
}

static bool
print_points(struct log *log, uint64_t last)
{
	uint64_t count = count_points(log->reader);

	walk_points(log, last && last < count ? count - last : 0);
	return count != 0;
}

/* ------------------------------------------------------------------------- */

/* Returns the exit code; *some: there is a history. */
static int
print_log(const struct reader *reader, const struct ctl_options *options,
	  bool *some)
{
	struct log log;
	int code = CTL_OK;

	if (!log_init(&log, reader))
		code = ctl_fail(CTL_FAILED, "out of memory");
	else if (options->bursts)
		*some = print_points(&log, options->last);
	else
		*some = print_changes(&log, options->last);
	log_free(&log);
	return code;
}

int
ctl_log(const struct ctl_options *options)
{
	const struct store_config config = ctl_config(options);
	struct reader *reader;
	struct error err;
	bool some = true;
	int code, ret = reader_open_rescue(&reader, &config, &err);

	if (ret < 0)
		return ctl_refused(ret, &err);
	code = print_log(reader, options, &some);
	if (!some && ret == 0)
		puts("no history");
	reader_close(reader);
	return ret > 0 ? ctl_refused(-EUCLEAN, &err) : code;
}
