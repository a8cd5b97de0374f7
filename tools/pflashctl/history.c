/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl diff and rollback. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "pflash/effective.h"
#include "pflashctl.h"
#include "show.h"

void
ctl_name(const struct variable *variable, char text[CTL_NAME_SIZE])
{
	static const char cut[] = "...";
	size_t room = CTL_NAME_SIZE - sizeof(cut) + 1;
	size_t len = variable_name(variable, text, room);

	if (len > strlen(text))
		memcpy(text + strlen(text), cut, sizeof(cut));
}

/*
 * Prints ": " and the lines that describe the change, with "; " between them;
 * nothing if nothing is known about it.
 */
static void
print_description(const struct variable *old, const struct variable *new)
{
	char *text = describe_change(old, new), *line = text, *end;
	const char *between = ": ";

	while (line && *line) {
		end = strchrnul(line, '\n');
		fputs(between, stdout);
		(void)show_text(stdout,
				(struct text){ line, (size_t)(end - line) });
		between = "; ";
		line = *end ? end + 1 : end;
	}
	free(text);
}

void
ctl_print_change(enum effective_change change, const struct variable *old,
		 const struct variable *new)
{
	static const char signs[] = {
		[EFFECTIVE_REMOVED] = '-',
		[EFFECTIVE_CHANGED] = '~',
		[EFFECTIVE_ADDED] = '+',
	};
	const struct variable *variable = new ? new : old;
	char name[CTL_NAME_SIZE], guid[GUID_TEXT_SIZE];
	const char *vendor = guid_name(variable->guid);

	ctl_name(variable, name);
	if (!vendor) {
		guid_format(variable->guid, guid);
		vendor = guid;
	}
	printf("%c %s ", signs[change], vendor);
	(void)show_text(stdout, (struct text){ name, strlen(name) });
	if (change == EFFECTIVE_CHANGED)
		printf(", %u to %u bytes", old->data_size, new->data_size);
	else
		printf(", %u bytes", variable->data_size);
	print_description(old, new);
	putchar('\n');
}

static int
print_change(void *opaque, enum effective_change change,
	     const struct variable *old, const struct variable *new)
{
	(void)opaque;
	ctl_print_change(change, old, new);
	return 0;
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
	struct effective *view = effective_new(size);

	if (!view)
		return false;
	effective_parse(view, old);
	effective_touch(view, 0, size);
	(void)effective_update(view, new);
	(void)effective_changes(view, old, new, print_change, NULL);
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
