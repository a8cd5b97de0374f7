/* SPDX-License-Identifier: BSD-2-Clause */
/* Draws the plot of a report, by gnuplot. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "bench.h"

#define POINTS 200 /* of a distribution */

/* Prints a name in single quotes of gnuplot. */
static void
quoted(FILE *out, const char *text)
{
	putc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			putc('\'', out);
		putc(*text, out);
	}
	putc('\'', out);
}

/* Draws the cumulative distribution of each row. */
static void
distributions(FILE *out, struct row *const *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "$d%zu << EOD\n", i);
		for (unsigned int n = 0; n <= POINTS; n++)
			fprintf(out, "%g %g\n",
				row_quantile(rows[i], (double)n / POINTS),
				100. * n / POINTS);
		fputs("EOD\n", out);
	}
	fprintf(out,
		"set logscale x\nset xlabel '%s'\nset ylabel '%% of all'\n"
		"set key bottom right\nplot ",
		rows[0]->unit);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "%s$d%zu with lines lw 2 title ", i ? ", " : "",
			i);
		quoted(out, rows[i]->name);
	}
	putc('\n', out);
}

static void
sizes(FILE *out, struct row *const *rows, size_t count)
{
	fputs("$d << EOD\n", out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%g %g %g %g\n", rows[i]->at / 1024,
			row_quantile(rows[i], 0.5), row_quantile(rows[i], 0.25),
			row_quantile(rows[i], 0.75));
	fprintf(out,
		"EOD\nset xlabel 'KiB'\nset ylabel '%s'\nset logscale xy\n"
		"unset key\n"
		"plot $d using ($1 > 0 ? $1 : 1):2:3:4 with yerrorlines lw 2\n",
		rows[0]->unit);
}

static void
medians(FILE *out, struct row *const *rows, size_t count)
{
	fputs("$d << EOD\n", out);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "%zu %g %g %g ", i, row_quantile(rows[i], 0.5),
			row_quantile(rows[i], 0.25),
			row_quantile(rows[i], 0.75));
		fprintf(out, "\"%s\"\n", rows[i]->name);
	}
	fprintf(out,
		"EOD\nset ylabel '%s'\nset yrange [0:*]\nunset key\n"
		"set boxwidth 0.6\nset style fill solid 0.5\n"
		"set xtics rotate by -20\n"
		"plot $d using 1:2:xticlabels(5) with boxes,"
		" $d using 1:2:3:4 with yerrorbars lc black\n",
		rows[0]->unit);
}

int
plot(const struct report *report, const char *file, struct error *err)
{
	size_t count;
	struct row *const *rows = report_rows(report, &count);
	FILE *out;

	if (count == 0)
		return 0;
	out = popen("gnuplot", "w");
	if (!out)
		return error_errno(err, errno, "gnuplot");
	fputs("set terminal svg size 800,500 dynamic background 'white'\n"
	      "set output ",
	      out);
	quoted(out, file);
	fputs("\nset title ", out);
	quoted(out, report_command(report));
	fputs("\nset grid\n", out);
	if (rows[0]->kind == ROW_LATENCY)
		distributions(out, rows, count);
	else if (rows[count - 1]->at > 0)
		sizes(out, rows, count);
	else
		medians(out, rows, count);
	if (pclose(out) != 0)
		return error_set(err, EIO,
				 "%s: gnuplot could not draw it (is gnuplot "
				 "installed?)",
				 file);
	return 0;
}
