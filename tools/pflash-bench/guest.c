/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the cycles that the lab's guest has printed on its console. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "pflash/identify.h"

#define ROWS 32
#define LINE 256

struct figures {
	struct report *report;
	struct row *rows[ROWS];
	unsigned int count;
};

static struct row *
row_named(const struct figures *figures, const char *name)
{
	for (unsigned int i = 0; i < figures->count; i++)
		if (strcmp(figures->rows[i]->name, name) == 0)
			return figures->rows[i];
	return NULL;
}

static struct row *
row_of(struct figures *figures, const char *name)
{
	struct row *row = row_named(figures, name);

	if (row || figures->count == ROWS)
		return row;
	row = report_row(figures->report, ROW_PAIRED, "cycles", "%s", name);
	figures->rows[figures->count++] = row;
	return row;
}

/* `# cycles NAME NUMBER` */
static void
take_line(struct figures *figures, const char *line)
{
	unsigned long long cycles;
	char name[64];
	struct row *row;

	if (sscanf(line, "# cycles %63s %llu", name, &cycles) != 2)
		return;
	row = row_of(figures, name);
	if (row)
		row_add(row, (double)cycles);
}

static int
take_file(struct figures *figures, const char *name, struct error *err)
{
	struct stat st;
	int fd = identify_open(name, &st, err), ret = 0;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char line[LINE];

	if (fd < 0)
		return fd;
	if (!file) {
		close(fd);
		return error_errno(err, ENOMEM, "%s", name);
	}
	while (fgets(line, sizeof(line), file))
		take_line(figures, line);
	if (ferror(file))
		ret = error_errno(err, EIO, "%s", name);
	fclose(file);
	return ret;
}

static void
compare_rows(const struct figures *figures)
{
	static const char *const pairs[][2] = {
		{ "write", "answer-write" },
		{ "burst-of-64", "answer-burst-of-64" },
		{ "erase", "answer-erase" },
		{ "array-read", "ram-read" },
		{ "status-read", "ram-read" },
		{ "id-read", "ram-read" },
		{ "query-read", "ram-read" },
		{ "flash-copy-128k", "ram-copy-128k" },
	};

	for (unsigned int i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct row *row = row_named(figures, pairs[i][0]);
		const struct row *against = row_named(figures, pairs[i][1]);

		if (row && against && row->count == against->count)
			row->against = against;
	}
}

int
bench_guest(struct report *report, const struct options *options,
	    struct error *err)
{
	struct figures figures = { .report = report };
	int ret = 0;

	if (options->argument_count == 0)
		return error_set(
			err, EINVAL,
			"guest: a file with a guest's console is missing");
	for (int i = 0; ret == 0 && i < options->argument_count; i++)
		ret = take_file(&figures, options->arguments[i], err);
	if (ret == 0 && figures.count == 0)
		return error_set(err, EINVAL, "%s: no line with cycles",
				 options->arguments[0]);
	compare_rows(&figures);
	report_title(report, "Cycles of one access by the guest: "
			     "lower is better");
	report_note(report, "by the guest's own clock, %d runs",
		    options->argument_count);
	return ret;
}
