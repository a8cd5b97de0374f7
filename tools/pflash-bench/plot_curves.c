/* SPDX-License-Identifier: BSD-2-Clause */
/* Plots with curves: by size, and the distribution of very many samples. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define LEFT 80.
#define RIGHT 600. /* then the names of the curves */
#define TOP 60.
#define BOTTOM 460.
#define POINTS 200u /* of a distribution */
#define MOST 16u    /* points of a curve by size */

#define GREY "fill=\"#555555\" font-size=\"11\""

#define SHADES 4u

static const char *const colours[ROLES][SHADES] = {
	[ROLE_OURS] = { "#1f5fbf", "#56a0d3", "#163a70", "#9cc7e8" },
	[ROLE_PEER] = { "#d9822b", "#b8342f", "#e5b07a", "#7a3e12" },
	[ROLE_REFERENCE] = { "#8a8a8a", "#444444", "#bbbbbb", "#222222" },
};

/* Another shade for each earlier curve of this role. */
static const char *
colour_of(struct row *const *rows, size_t first)
{
	const struct row *row = rows[first];
	unsigned int shade = 0;

	for (size_t i = 0; i < first; i++)
		shade += rows[i]->role == row->role &&
			 (!row->group || rows[i]->group != rows[i + 1]->group);
	return colours[row->role][shade % SHADES];
}

static double
largest(struct row *const *rows, size_t count, double p)
{
	double value = 0;

	for (size_t i = 0; i < count; i++)
		if (row_quantile(rows[i], p) > value)
			value = row_quantile(rows[i], p);
	return value;
}

static double
smallest(struct row *const *rows, size_t count, double p)
{
	double value = row_quantile(rows[0], p);

	for (size_t i = 0; i < count; i++)
		if (row_quantile(rows[i], p) < value)
			value = row_quantile(rows[i], p);
	return value;
}

static void
name_curve(struct svg *svg, size_t index, const char *colour, const char *name,
	   const char *figures)
{
	double y = TOP + 30 + 46 * (double)index;

	svg_box(svg, RIGHT + 20, y - 10, 12, 12, colour);
	svg_text(svg, RIGHT + 38, y, "", "%s", name);
	svg_text(svg, RIGHT + 38, y + 16, GREY, "%s", figures);
}

static void
frame(struct svg *svg)
{
	svg_line(svg, LEFT, BOTTOM, RIGHT, BOTTOM, "stroke=\"#555555\"");
	svg_line(svg, LEFT, TOP, LEFT, BOTTOM, "stroke=\"#555555\"");
}

/* --- by size -------------------------------------------------------------- */

static size_t
series_length(struct row *const *rows, size_t count)
{
	size_t n = 1;

	while (n < count && n < MOST && rows[n]->group == rows[0]->group)
		n++;
	return n;
}

static double
column(size_t i, size_t count)
{
	return LEFT + (RIGHT - LEFT) * ((double)i + 0.5) / (double)count;
}

static void
size_axes(struct svg *svg, const struct axis *axis, struct row *const *rows,
	  size_t count)
{
	char number[32];

	for (double at = axis_mark(axis, -1); at <= axis->high;
	     at = axis_mark(axis, at)) {
		double y = axis_at(axis, at);

		svg_line(svg, LEFT, y, RIGHT, y, "stroke=\"#dddddd\"");
		axis_number(number, sizeof(number), at);
		svg_text(svg, LEFT - 6, y + 4, GREY " text-anchor=\"end\"",
			 "%s", number);
	}
	svg_text(svg, 16, TOP - 10, GREY, "%s%s", rows[0]->unit,
		 axis->logarithmic ? ", logarithmic" : "");
	for (size_t i = 0; i < count; i++)
		svg_text(svg, column(i, count), BOTTOM + 20,
			 "text-anchor=\"middle\"",
			 rows[i]->at < 1 << 20 ? "%g KiB" : "%g MiB",
			 rows[i]->at < 1 << 20 ? rows[i]->at / 1024 :
						 rows[i]->at / (1 << 20));
	frame(svg);
}

static void
size_curve(struct svg *svg, const struct axis *axis, struct row *const *rows,
	   size_t count, size_t index, const char *colour)
{
	char text[128] = "", number[32];
	double points[2 * MOST] = { 0 };

	for (size_t i = 0; i < count; i++) {
		double value = row_quantile(rows[i], 0.5);
		size_t used = strlen(text);

		points[2 * i] = column(i, count);
		points[2 * i + 1] = axis_at(axis, value);
		svg_box(svg, points[2 * i] - 4, points[2 * i + 1] - 4, 8, 8,
			colour);
		axis_number(number, sizeof(number), value);
		if (!rows[0]->group) /* nearby curves would hide it */
			svg_text(svg, points[2 * i], points[2 * i + 1] - 8,
				 "text-anchor=\"middle\" font-size=\"11\"",
				 "%s", number);
		snprintf(text + used, sizeof(text) - used, "%s%s",
			 i ? " | " : "", number);
	}
	svg_curve(svg, points, count, colour);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s",
		 rows[0]->unit);
	name_curve(svg, index, colour,
		   rows[0]->group ? rows[0]->group : "median", text);
}

void
plot_sizes(struct svg *svg, struct row *const *rows, size_t count)
{
	struct axis axis = axis_make(smallest(rows, count, 0.5),
				     largest(rows, count, 0.5), BOTTOM, TOP);
	size_t index = 0;

	size_axes(svg, &axis, rows, series_length(rows, count));
	for (size_t i = 0, n; i < count; i += n) {
		n = series_length(rows + i, count - i);
		size_curve(svg, &axis, rows + i, n, index++,
			   colour_of(rows, i));
	}
}

/* --- distributions -------------------------------------------------------- */

static void
distribution_axes(struct svg *svg, const struct axis *axis, const char *unit)
{
	char number[32];

	for (double at = axis_mark(axis, -1); at <= axis->high;
	     at = axis_mark(axis, at)) {
		double x = axis_at(axis, at);

		svg_line(svg, x, TOP, x, BOTTOM, "stroke=\"#dddddd\"");
		axis_number(number, sizeof(number), at);
		svg_text(svg, x, BOTTOM + 18, GREY " text-anchor=\"middle\"",
			 "%s", number);
	}
	for (unsigned int percent = 0; percent <= 100; percent += 25) {
		double y = BOTTOM - (BOTTOM - TOP) * percent / 100;

		svg_line(svg, LEFT, y, RIGHT, y, "stroke=\"#dddddd\"");
		svg_text(svg, LEFT - 6, y + 4, GREY " text-anchor=\"end\"",
			 "%u %%", percent);
	}
	svg_text(svg, (LEFT + RIGHT) / 2, BOTTOM + 38,
		 GREY " text-anchor=\"middle\"", "%s%s", unit,
		 axis->logarithmic ? ", logarithmic" : "");
	frame(svg);
}

static void
distribution(struct svg *svg, const struct axis *axis, struct row *const *rows,
	     size_t index)
{
	const char *colour = colour_of(rows, index);
	const struct row *row = rows[index];
	double points[2 * (POINTS + 1)];
	char text[128], median[32], late[32];

	for (unsigned int n = 0; n <= POINTS; n++) {
		points[2 * n] = axis_at(axis,
					row_quantile(row, (double)n / POINTS));
		points[2 * n + 1] = BOTTOM - (BOTTOM - TOP) * n / POINTS;
	}
	svg_curve(svg, points, POINTS + 1, colour);
	axis_number(median, sizeof(median), row_quantile(row, 0.5));
	axis_number(late, sizeof(late), row_quantile(row, 0.99));
	snprintf(text, sizeof(text), "median %s %s, 99 %% below %s %s", median,
		 row->unit, late, row->unit);
	name_curve(svg, index, colour, row->name, text);
}

void
plot_distributions(struct svg *svg, struct row *const *rows, size_t count)
{
	struct axis axis = axis_make(smallest(rows, count, 0),
				     largest(rows, count, 1), LEFT, RIGHT);

	distribution_axes(svg, &axis, rows[0]->unit);
	for (size_t i = 0; i < count; i++)
		distribution(svg, &axis, rows, i);
}
