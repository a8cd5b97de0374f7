/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl log, diff and rollback. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pflashctl.h"

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

static int
print_log(const struct reader *reader, uint64_t skip)
{
	uint32_t size = reader_size(reader);
	uint8_t *now = malloc(size), *before = malloc(size);
	struct reader_point point;
	size_t cursor = 0;

	if (!now || !before) {
		free(now);
		free(before);
		return ctl_fail(CTL_FAILED, "out of memory");
	}
	while (reader_walk(reader, &cursor, &point, now)) {
		if (skip) {
			skip--;
		} else {
			print_point(&point);
			if (!point.oldest)
				ctl_print_changes("      ", before, now, size);
		}
		memcpy(before, now, size);
	}
	free(now);
	free(before);
	return CTL_OK;
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

static int
print_diff(const struct reader *reader, const struct ctl_options *options)
{
	uint8_t *old = NULL, *new = NULL;
	struct error err;
	int ret = ctl_image(reader, true, options->at, &old, &err);

	if (ret == 0)
		ret = ctl_image(reader, options->has_to, options->to, &new,
				&err);
	if (ret == 0) {
		ctl_print_changes("", old, new, reader_size(reader));
		printf("%" PRIu64 " bytes differ\n",
		       count_differences(old, new, reader_size(reader)));
	}
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
	ret = reader_open_files(&reader, &config, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	code = print_diff(reader, options);
	reader_close(reader);
	return code;
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
	ret = store_check_free(&config, &err);
	if (ret == 0)
		ret = reader_open_files(&reader, &config, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	ret = ctl_image(reader, true, options->to, &image, &err);
	code = ret < 0 ? ctl_refused(ret, &err) :
			 ctl_replace(options, image, reader_size(reader));
	free(image);
	reader_close(reader);
	return code;
}
