/* SPDX-License-Identifier: BSD-2-Clause */
/* The report: rows of samples, the machine, and their output. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <json-c/json.h>

#include "bench.h"

#define ROWS 128
#define NOTES 16

struct report {
	char command[64]; /* the subcommand */
	char line[1024];  /* the command line */
	char title[160];
	char machine[512];
	struct row *rows[ROWS];
	size_t count;
	char notes[NOTES][256];
	unsigned int note_count;
};

/* --- the machine ---------------------------------------------------------- */

static void
processor(char *text, size_t room)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(text, room, "an unknown processor");
	while (file && fgets(line, sizeof(line), file)) {
		const char *value = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || !value)
			continue;
		snprintf(text, room, "%.*s", (int)strcspn(value + 2, "\n"),
			 value + 2);
		break;
	}
	if (file)
		fclose(file);
}

static void
describe_machine(char *text, size_t room)
{
	struct utsname system;
	char model[128];

	processor(model, sizeof(model));
	if (uname(&system) < 0)
		memset(&system, 0, sizeof(system));
	snprintf(text, room, "%s, %ld processors, %s %s, gcc %s", model,
		 sysconf(_SC_NPROCESSORS_ONLN), system.sysname, system.release,
		 __VERSION__);
}

/* --- rows ----------------------------------------------------------------- */

int
report_open(struct report **out, const char *command, int argc, char **argv,
	    struct error *err)
{
	struct report *report = calloc(1, sizeof(*report));
	size_t used = 0;

	if (!report)
		return error_set(err, ENOMEM, "out of memory");
	snprintf(report->command, sizeof(report->command), "%s", command);
	describe_machine(report->machine, sizeof(report->machine));
	for (int i = 0; i < argc && used < sizeof(report->line); i++)
		used += (size_t)snprintf(report->line + used,
					 sizeof(report->line) - used, "%s%s",
					 i ? " " : "", argv[i]);
	*out = report;
	return 0;
}

/* Without memory, measuring ends here. */
static void *
must(void *memory)
{
	if (memory)
		return memory;
	fputs("pflash-bench: out of memory\n", stderr);
	exit(EXIT_FAILED);
}

struct row *
report_row(struct report *report, enum row_kind kind, const char *unit,
	   const char *format, ...)
{
	struct row *row = must(calloc(1, sizeof(*row)));
	va_list args;

	va_start(args, format);
	vsnprintf(row->name, sizeof(row->name), format, args);
	va_end(args);
	row->kind = kind;
	row->unit = unit;
	row->syncs = -1;
	row->share = 1;
	if (report->count == ROWS)
		must(NULL);
	report->rows[report->count++] = row;
	return row;
}

void
report_note(struct report *report, const char *format, ...)
{
	va_list args;

	if (report->note_count == NOTES)
		return;
	va_start(args, format);
	vsnprintf(report->notes[report->note_count++], sizeof(report->notes[0]),
		  format, args);
	va_end(args);
}

void
report_title(struct report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(report->title, sizeof(report->title), format, args);
	va_end(args);
}

struct row *const *
report_rows(const struct report *report, size_t *count)
{
	*count = report->count;
	return report->rows;
}

const char *
report_title_text(const struct report *report)
{
	return report->title;
}

void
row_add(struct row *row, double sample)
{
	if (row->count == row->room) {
		row->room = row->room ? row->room * 2 : 64;
		row->samples = must(realloc(row->samples,
					    row->room * sizeof(double)));
	}
	row->samples[row->count++] = sample;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts a copy: the order of the samples is that of the rounds. */
static double
quantile(const double *values, size_t count, double p)
{
	double *sorted, at = p * (double)(count - 1), value;
	size_t low = (size_t)at;

	if (count == 0)
		return 0;
	sorted = must(malloc(count * sizeof(*sorted)));
	memcpy(sorted, values, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_value);
	value = sorted[low];
	if (low + 1 < count)
		value += (at - (double)low) * (sorted[low + 1] - sorted[low]);
	free(sorted);
	return value;
}

double
row_quantile(const struct row *row, double p)
{
	return quantile(row->samples, row->count, p);
}

/* The p-quantile of the quotients of the rounds that both have. */
static double
ratio_quantile(const struct row *row, const struct row *base, double p)
{
	size_t count = row->count < base->count ? row->count : base->count;
	double *ratios = must(malloc((count + 1) * sizeof(*ratios))), ratio;

	for (size_t i = 0; i < count; i++)
		ratios[i] = row->samples[i] / base->samples[i];
	ratio = quantile(ratios, count, p);
	free(ratios);
	return ratio;
}

double
row_ratio(const struct row *row)
{
	return row->against ? ratio_quantile(row, row->against, 0.5) : 0;
}

void
report_ratio(struct report *report, const char *text, const struct row *row,
	     const struct row *against)
{
	report_note(report, "%s: %.3g (half of the rounds: %.3g to %.3g)", text,
		    ratio_quantile(row, against, 0.5),
		    ratio_quantile(row, against, 0.25),
		    ratio_quantile(row, against, 0.75));
}

/* --- output --------------------------------------------------------------- */

/* A figure of four digits, or an integer. */
static const char *
figure(char text[32], double value)
{
	snprintf(text, 32, value < 10000 ? "%.4g" : "%.0f", value);
	return text;
}

static void
print_row(const struct row *row)
{
	char median[32], low[32], high[32];
	double ratio = row_ratio(row);
	char extra[80] = "", count[16] = "";

	if (row->kind == ROW_LATENCY)
		snprintf(extra, sizeof(extra), "%10.4g%10.4g%10.4g",
			 row_quantile(row, 0.99), row_quantile(row, 0.999),
			 row_quantile(row, 1));
	else if (ratio > 0)
		snprintf(extra, sizeof(extra), "%10.3f", ratio);
	if (row->syncs >= 0)
		snprintf(count, sizeof(count), "%10.0f", row->syncs);
	printf("%-36s%10s %-5s%9s ..%9s%10s%s", row->name,
	       figure(median, row_quantile(row, 0.5)), row->unit,
	       figure(low, row_quantile(row, 0.25)),
	       figure(high, row_quantile(row, 0.75)), extra, count);
	if (row->share < 1)
		printf("  calculated from %.0f %%", 100 * row->share);
	putchar('\n');
}

static void
print_head(const struct report *report)
{
	bool latency = report->count && report->rows[0]->kind == ROW_LATENCY;
	bool counted = report->count && report->rows[0]->syncs >= 0;

	printf("machine: %s\ncommand: %s\n", report->machine, report->line);
	if (report->title[0])
		printf("%s\n", report->title);
	printf("\n%-36s%10s %-5s%20s%10s%s%s\n", "", "median", "",
	       "half of all", latency ? "99 %" : "ratio",
	       latency ? "    99.9 %   slowest" : "",
	       counted ? "     syncs" : "");
}

static void
print_table(const struct report *report)
{
	const char *group = NULL;

	print_head(report);
	for (size_t i = 0; i < report->count; i++) {
		const struct row *row = report->rows[i];

		if (row->group && row->group != group)
			printf("%s%s:\n", group ? "\n" : "", row->group);
		group = row->group;
		print_row(row);
	}
	putchar('\n');
	for (unsigned int i = 0; i < report->note_count; i++)
		printf("%s\n", report->notes[i]);
}

static json_object *
row_json(const struct row *row)
{
	json_object *object = json_object_new_object();
	json_object *samples = json_object_new_array();
	double ratio = row_ratio(row);

	json_object_object_add(object, "name",
			       json_object_new_string(row->name));
	json_object_object_add(object, "unit",
			       json_object_new_string(row->unit));
	if (row->group)
		json_object_object_add(object, "group",
				       json_object_new_string(row->group));
	if (row->share < 1)
		json_object_object_add(object, "share",
				       json_object_new_double(row->share));
	if (row->syncs >= 0)
		json_object_object_add(object, "syncs",
				       json_object_new_double(row->syncs));
	if (row->at > 0)
		json_object_object_add(object, "at",
				       json_object_new_double(row->at));
	json_object_object_add(object, "median",
			       json_object_new_double(row_quantile(row, 0.5)));
	if (ratio > 0) {
		json_object_object_add(
			object, "against",
			json_object_new_string(row->against->name));
		json_object_object_add(object, "ratio",
				       json_object_new_double(ratio));
	}
	for (size_t i = 0; i < row->count; i++)
		json_object_array_add(samples,
				      json_object_new_double(row->samples[i]));
	json_object_object_add(object, "samples", samples);
	return object;
}

static void
print_json(const struct report *report)
{
	json_object *object = json_object_new_object();
	json_object *rows = json_object_new_array();
	json_object *notes = json_object_new_array();

	for (size_t i = 0; i < report->count; i++)
		json_object_array_add(rows, row_json(report->rows[i]));
	for (unsigned int i = 0; i < report->note_count; i++)
		json_object_array_add(notes,
				      json_object_new_string(report->notes[i]));
	json_object_object_add(object, "bench",
			       json_object_new_string(report->command));
	json_object_object_add(object, "machine",
			       json_object_new_string(report->machine));
	json_object_object_add(object, "command",
			       json_object_new_string(report->line));
	json_object_object_add(object, "rows", rows);
	json_object_object_add(object, "notes", notes);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
}

int
report_end(struct report *report, const struct options *options,
	   struct error *err)
{
	if (options->json)
		print_json(report);
	else
		print_table(report);
	if (fflush(stdout) == EOF)
		return error_errno(err, errno, "standard output");
	return options->plot ? plot(report, options->plot, err) : 0;
}

void
report_close(struct report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		free(report->rows[i]->samples);
		free(report->rows[i]);
	}
	free(report);
}
