/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl list: the flashes that are attached on this host. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "find.h"
#include "metrics.h"
#include "pflash/control.h"
#include "pflashctl.h"

/* Returns the next answer at or after index *at, or NULL; advances *at. */
static const struct answer *
next(const struct guests *guests, size_t *at)
{
	while (*at < guests->count) {
		const struct guest *guest = &guests->all[(*at)++];

		if (guest->state == ASK_ANSWERED)
			return &guest->answer;
	}
	return NULL;
}

static void
print_json(const struct guests *guests)
{
	struct json_object *array = json_object_new_array();
	const struct answer *answer;

	for (size_t at = 0; array && (answer = next(guests, &at));)
		(void)json_object_array_add(array,
					    json_object_get(answer->members));
	answer_print_json(stdout, array);
	json_object_put(array);
}

static void
print_number(const struct answer *answer, const char *name, int width)
{
	uint64_t value;

	if (answer_number(answer, name, &value))
		printf(" %*" PRIu64, width, value);
	else
		printf(" %*s", width, "?");
}

static void
print_age(const struct answer *answer, int width)
{
	uint64_t now = (uint64_t)time(NULL), since, age;
	char text[40] = "?";

	if (answer_number(answer, STATUS_SINCE, &since) && since <= now) {
		age = now - since;
		(void)snprintf(text, sizeof(text),
			       "%" PRIu64 "d %02u:%02u:%02u", age / 86400,
			       (unsigned int)(age / 3600 % 24),
			       (unsigned int)(age / 60 % 60),
			       (unsigned int)(age % 60));
	}
	printf(" %*s", width, text);
}

static void
print_row(const struct answer *answer)
{
	printf("%5" PRIu32 "  ", answer->domain);
	show_cell(stdout, answer_text(answer, STATUS_NAME), 20);
	putchar(' ');
	show_cell(stdout, answer_text(answer, STATUS_STATE), 8);
	putchar(' ');
	show_cell(stdout, answer_text(answer, STATUS_MODE), 6);
	print_number(answer, STATUS_WRITES, 10);
	print_number(answer, STATUS_BURSTS, 8);
	print_number(answer, STATUS_ERRORS, 6);
	print_number(answer, STATUS_QUEUED, 6);
	print_age(answer, 14);
	fputs("  ", stdout);
	(void)show_text(stdout, answer_text(answer, STATUS_VARS));
	putchar('\n');
}

static void
print_table(const struct guests *guests)
{
	const struct answer *answer;

	printf("%5s  %-20s %-8s %-6s %10s %8s %6s %6s %14s  %s\n", "ID",
	       "NAME", "STATE", "MODE", "WRITES", "BURSTS", "ERRORS", "QUEUED",
	       "UPTIME", "FILE");
	for (size_t at = 0; (answer = next(guests, &at));)
		print_row(answer);
	for (size_t at = 0; (answer = next(guests, &at));)
		find_hint(answer);
}

int
ctl_list(const struct ctl_options *options)
{
	struct guests guests;
	struct error err;
	unsigned int silent;

	if (guests_find(&guests, &err) < 0) {
		guests_close(&guests);
		return ctl_fail(CTL_FAILED, "%s", err.text);
	}
	ask(&guests, CONTROL_STATUS "\n", ask_clock() + STATUS_MS);
	if (options->json)
		print_json(&guests);
	else if (options->metrics)
		metrics_print_open(stdout, &guests);
	else
		print_table(&guests);
	silent = find_report(&guests);
	guests_close(&guests);
	return silent ? CTL_FAILED : CTL_OK;
}
