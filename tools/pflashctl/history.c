/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl log, diff and rollback. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/effective.h"
#include "pflashctl.h"

/* Prints a variable that differs.  `opaque` is the indent. */
static int
print_change(void *opaque, enum effective_change change,
	     const struct variable *old, const struct variable *new)
{
	static const char signs[] = {
		[EFFECTIVE_REMOVED] = '-',
		[EFFECTIVE_CHANGED] = '~',
		[EFFECTIVE_ADDED] = '+',
	};
	const struct variable *variable = new ? new : old;
	char name[256], guid[GUID_TEXT_SIZE];
	const char *known = guid_name(variable->guid);

	variable_name(variable, name, sizeof(name));
	guid_format(variable->guid, guid);
	printf("%s%c %s %s", (const char *)opaque, signs[change],
	       known ? known : guid, name);
	if (change == EFFECTIVE_CHANGED)
		printf(", %u to %u bytes\n", old->data_size, new->data_size);
	else
		printf(", %u bytes\n", variable->data_size);
	return 0;
}

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
	char when[32];

	ctl_format_time(point->time, when, sizeof(when));
	printf("%" PRIu64 "  %s  ", point->sequence, when);
	if (point->oldest)
		printf("the history begins\n");
	else
		printf("%" PRIu64 " bytes programmed, %" PRIu64 " erased\n",
		       point->programmed, point->erased);
}

/* The state of `log`: the images at two points in time, and the view. */
struct history {
	uint32_t size;
	uint8_t *now;
	uint8_t *before; /* the image that the view was last updated with */
	struct effective *view;
	uint32_t first, last; /* all bytes written are in [first, last) */
};

static bool
history_init(struct history *history, uint32_t size)
{
	history->size = size;
	history->now = malloc(size);
	history->before = malloc(size);
	history->view = effective_new(size);
	return history->now && history->before && history->view;
}

static void
history_free(struct history *history)
{
	free(history->now);
	free(history->before);
	effective_free(history->view);
}

/* Notes the bytes that a burst writes. */
static void
note_write(void *opaque, uint32_t off, uint32_t len)
{
	struct history *history = opaque;

	effective_touch(history->view, off, len);
	if (off < history->first)
		history->first = off;
	if (off + len > history->last)
		history->last = off + len;
}

/* Prints the variables that differ from those before. */
static void
print_changes(struct history *history)
{
	static char indent[] = "      ";

	(void)effective_update(history->view, history->now);
	(void)effective_changes(history->view, history->before, history->now,
				print_change, indent);
	if (history->last > history->first)
		memcpy(history->before + history->first,
		       history->now + history->first,
		       history->last - history->first);
}

/* The point from which on the changes are printed. */
static void
history_start(struct history *history)
{
	memcpy(history->before, history->now, history->size);
	effective_parse(history->view, history->now);
}

static void
walk_history(struct history *history, const struct reader *reader,
	     uint64_t skip)
{
	struct reader_point point;
	size_t cursor = 0;

	while (reader_walk(reader, &cursor, &point, history->now, note_write,
			   history)) {
		if (!skip)
			print_point(&point);
		if (!skip && !point.oldest)
			print_changes(history);
		else if (skip <= 1)
			history_start(history);
		skip -= skip != 0;
		history->first = history->size;
		history->last = 0;
	}
}

static int
print_log(const struct reader *reader, uint64_t skip)
{
	struct history history;
	int code = CTL_OK;

	if (history_init(&history, reader_size(reader)))
		walk_history(&history, reader, skip);
	else
		code = ctl_fail(CTL_FAILED, "out of memory");
	history_free(&history);
	return code;
}

int
ctl_log(const struct ctl_options *options)
{
	const struct store_config config = ctl_config(options);
	struct reader *reader;
	struct error err;
	uint64_t count;
	int code, ret = reader_open_rescue(&reader, &config, &err);

	if (ret < 0)
		return ctl_refused(ret, &err);
	count = count_points(reader);
	code = print_log(reader, options->last && options->last < count ?
					 count - options->last :
					 0);
	if (count == 0 && ret == 0)
		puts("no history");
	reader_close(reader);
	return ret > 0 ? ctl_refused(-EUCLEAN, &err) : code;
}

static uint64_t
count_differences(const uint8_t *a, const uint8_t *b, size_t size)
{
	uint64_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += a[i] != b[i];
	return count;
}

/* False: out of memory. */
static bool
print_variables(const uint8_t *old, const uint8_t *new, uint32_t size)
{
	static char indent[] = "";
	struct effective *view = effective_new(size);

	if (!view)
		return false;
	effective_parse(view, old);
	effective_touch(view, 0, size);
	(void)effective_update(view, new);
	(void)effective_changes(view, old, new, print_change, indent);
	effective_free(view);
	return true;
}

static int
print_diff(const struct reader *reader, const struct ctl_options *options)
{
	uint8_t *old = NULL, *new = NULL;
	struct error err;
	int ret = ctl_image(reader, true, options->at, &old, &err);

	if (ret == 0)
		ret = ctl_image(reader, options->has_to, options->to, &new,
				&err);
	if (ret == 0 && !print_variables(old, new, reader_size(reader)))
		ret = error_set(&err, ENOMEM, "out of memory");
	if (ret == 0)
		printf("%" PRIu64 " bytes differ\n",
		       count_differences(old, new, reader_size(reader)));
	free(old);
	free(new);
	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

int
ctl_diff(const struct ctl_options *options)
{
	const struct store_config config = ctl_config(options);
	struct reader *reader;
	struct error err;
	int code, ret;

	if (!options->has_at)
		return ctl_fail(CTL_USAGE, "diff: --at is missing");
	ret = reader_open_rescue(&reader, &config, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	code = print_diff(reader, options);
	reader_close(reader);
	return ret > 0 && code == CTL_OK ? ctl_refused(-EUCLEAN, &err) : code;
}

int
ctl_rollback(const struct ctl_options *options)
{
	const struct store_config config = ctl_config(options);
	uint8_t *image = NULL;
	struct reader *reader;
	struct error err;
	int code, ret;

	if (!options->has_to)
		return ctl_fail(CTL_USAGE, "rollback: --to is missing");
	code = ctl_check_unused(options);
	if (code != CTL_OK)
		return code;
	ret = reader_open_rescue(&reader, &config, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	ret = ctl_image(reader, true, options->to, &image, &err);
	code = ret < 0 ? ctl_refused(ret, &err) :
			 ctl_replace(options, image, reader_size(reader));
	free(image);
	reader_close(reader);
	return code;
}
