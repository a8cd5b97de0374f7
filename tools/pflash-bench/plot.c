/* SPDX-License-Identifier: BSD-2-Clause */
/* Draws the plot of a report.  This file has bars, plot_curves.c the others. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define WIDTH 900.
#define LEFT 260.  /* start of the bars */
#define RIGHT 780. /* end of the longest bar; then its value */
#define HEAD 64.   /* the title and the legend */
#define BAR 24.    /* from one bar to the next */
#define PANEL 66.  /* a panel's heading and axis */

static const char *const colours[ROLES] = { "#1f5fbf", "#d9822b", "#8a8a8a" };
static const char *const roles[ROLES] = { "pflashd", "other programs",
					  "for reference" };

/* Rows of one heading and one unit have an axis of their own. */
static size_t
panel_length(struct row *const *rows, size_t count)
{
	size_t n = 1;

	while (n < count && rows[n]->group == rows[0]->group &&
	       strcmp(rows[n]->unit, rows[0]->unit) == 0)
		n++;
	return n;
}

static double
height_of(struct row *const *rows, size_t count)
{
	double height = HEAD;

	for (size_t i = 0, n; i < count; i += n) {
		n = panel_length(rows + i, count - i);
		height += PANEL + BAR * (double)n;
	}
	return height;
}

static void
draw_axis(struct svg *svg, const struct axis *axis, double top, double bottom,
	  const char *unit)
{
	char number[32];

	for (double at = axis_mark(axis, -1); at <= axis->high;
	     at = axis_mark(axis, at)) {
		double x = axis_at(axis, at);

		svg_line(svg, x, top, x, bottom, "stroke=\"#dddddd\"");
		axis_number(number, sizeof(number), at);
		svg_text(svg, x, bottom + 14,
			 "text-anchor=\"middle\" font-size=\"11\" "
			 "fill=\"#555555\"",
			 "%s", number);
	}
	svg_text(svg, RIGHT + 10, bottom + 14,
		 "font-size=\"11\" fill=\"#555555\"", "%s%s", unit,
		 axis->logarithmic ? ", logarithmic" : "");
}

static void
draw_bar(struct svg *svg, const struct axis *axis, const struct row *row,
	 double y)
{
	double value = row_quantile(row, 0.5);
	double end = axis_at(axis, value);
	char number[32];

	axis_number(number, sizeof(number), value);
	svg_text(svg, LEFT - 8, y + 15, "text-anchor=\"end\"", "%s", row->name);
	svg_box(svg, LEFT, y + 3, end - LEFT, BAR - 6, colours[row->role]);
	svg_text(svg, end + 6, y + 15, "font-weight=\"bold\"", "%s %s", number,
		 row->unit);
}

static double
draw_panel(struct svg *svg, struct row *const *rows, size_t count, double top)
{
	double low = row_quantile(rows[0], 0.5), high = low;
	double bottom = top + 24 + BAR * (double)count;
	struct axis axis;

	for (size_t i = 1; i < count; i++) {
		double value = row_quantile(rows[i], 0.5);

		low = value < low ? value : low;
		high = value > high ? value : high;
	}
	axis = axis_make(low, high, LEFT, RIGHT);
	if (rows[0]->group)
		svg_text(svg, 16, top + 14, "font-weight=\"bold\"", "%s",
			 rows[0]->group);
	draw_axis(svg, &axis, top + 22, bottom, rows[0]->unit);
	for (size_t i = 0; i < count; i++)
		draw_bar(svg, &axis, rows[i], top + 24 + BAR * (double)i);
	return top + PANEL + BAR * (double)count;
}

static void
draw_legend(struct svg *svg, struct row *const *rows, size_t count)
{
	double x = 16;

	for (unsigned int role = 0; role < ROLES; role++) {
		bool used = false;

		for (size_t i = 0; i < count; i++)
			used |= rows[i]->role == role;
		if (!used)
			continue;
		svg_box(svg, x, 38, 12, 12, colours[role]);
		svg_text(svg, x + 18, 49, "fill=\"#555555\"", "%s",
			 roles[role]);
		x += 140;
	}
}

static void
draw_bars(struct svg *svg, struct row *const *rows, size_t count)
{
	double top = HEAD;

	draw_legend(svg, rows, count);
	for (size_t i = 0, n; i < count; i += n) {
		n = panel_length(rows + i, count - i);
		top = draw_panel(svg, rows + i, n, top);
	}
}

int
plot(const struct report *report, const char *file, struct error *err)
{
	size_t count;
	struct row *const *rows = report_rows(report, &count);
	bool bars = count && rows[0]->kind == ROW_PAIRED &&
		    !(rows[count - 1]->at > 0);
	struct svg *svg;

	if (count == 0)
		return 0;
	svg = svg_open(file, WIDTH, bars ? height_of(rows, count) : 520);
	if (!svg)
		return error_errno(err, errno, "%s", file);
	svg_text(svg, 16, 26, "font-size=\"16\" font-weight=\"bold\"", "%s",
		 report_title_text(report));
	if (bars)
		draw_bars(svg, rows, count);
	else if (rows[0]->kind == ROW_LATENCY)
		plot_distributions(svg, rows, panel_length(rows, count));
	else
		plot_sizes(svg, rows, count);
	return svg_close(svg, err);
}
