/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl list: the flashes that are attached on this host. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "find.h"
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
	print_age(answer, 14);
	fputs("  ", stdout);
	(void)show_text(stdout, answer_text(answer, STATUS_VARS));
	putchar('\n');
}

static void
print_table(const struct guests *guests)
{
	const struct answer *answer;

	printf("%5s  %-20s %-8s %-6s %10s %8s %6s %14s  %s\n", "ID", "NAME",
	       "STATE", "MODE", "WRITES", "BURSTS", "ERRORS", "UPTIME", "FILE");
	for (size_t at = 0; (answer = next(guests, &at));)
		print_row(answer);
	for (size_t at = 0; (answer = next(guests, &at));)
		find_hint(answer);
}

static const struct metric {
	const char *member, *name, *suffix, *type, *help;
} metrics[] = {
	{ STATUS_STATE, "pflash_running", "", "gauge",
	  "1 if the flash is served, 0 if the guest waits." },
	{ STATUS_RESTARTS, "pflash_restarts", "_total", "counter",
	  "Restarts of the worker." },
	{ STATUS_REQUESTS, "pflash_requests", "_total", "counter",
	  "Answered requests of the guest." },
	{ STATUS_READS, "pflash_reads", "_total", "counter", "Trapped reads." },
	{ STATUS_WRITES, "pflash_writes", "_total", "counter", "Writes." },
	{ STATUS_BURSTS, "pflash_bursts", "_total", "counter",
	  "Committed bursts of changes." },
	{ STATUS_CHECKPOINTS, "pflash_checkpoints", "_total", "counter",
	  "Checkpoints: updates of the VARS file." },
	{ STATUS_WRITTEN, "pflash_written_bytes", "_total", "counter",
	  "Bytes written to the host's disk, in whole blocks of 4 KiB." },
	{ STATUS_THROTTLED, "pflash_throttled", "_total", "counter",
	  "Times that the guest exceeded the write limit." },
	{ STATUS_THROTTLED_SECONDS, "pflash_throttled_seconds", "_total",
	  "counter", "Seconds during which the guest was throttled." },
	{ STATUS_ERRORS, "pflash_failed", "", "gauge",
	  "1 if the flash is read-only because of a failure." },
	{ STATUS_SINCE, "pflash_start_time_seconds", "", "gauge",
	  "Time of the attach, in seconds since 1970." },
};

static bool
metric_value(const struct answer *answer, const char *member, uint64_t *value)
{
	if (strcmp(member, STATUS_STATE) != 0)
		return answer_number(answer, member, value);
	*value = answer_is(answer, member, "running");
	return answer_text(answer, member).bytes != NULL;
}

/* An answer without the number has no sample. */
static void
print_metric(const struct metric *metric, const struct guests *guests)
{
	const struct answer *answer;
	uint64_t value;

	printf("# TYPE %s %s\n# HELP %s %s\n", metric->name, metric->type,
	       metric->name, metric->help);
	for (size_t at = 0; (answer = next(guests, &at));) {
		if (!metric_value(answer, metric->member, &value))
			continue;
		printf("%s%s{domain=\"%" PRIu32 "\",name=\"", metric->name,
		       metric->suffix, answer->domain);
		show_label(stdout, answer_text(answer, STATUS_NAME));
		printf("\"} %" PRIu64 "\n", value);
	}
}

static void
print_metrics(const struct guests *guests)
{
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		print_metric(&metrics[i], guests);
	puts("# EOF");
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
		print_metrics(&guests);
	else
		print_table(&guests);
	silent = find_report(&guests);
	guests_close(&guests);
	return silent ? CTL_FAILED : CTL_OK;
}
