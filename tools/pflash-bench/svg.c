/* SPDX-License-Identifier: BSD-2-Clause */
/* Elements of a picture in the format SVG, and the axis of a plot. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "pflash/save.h"

struct svg {
	FILE *out; /* to `text` */
	char *text;
	size_t len;
	const char *file;
};

struct svg *
svg_open(const char *file, double width, double height)
{
	struct svg *svg = calloc(1, sizeof(*svg));

	if (!svg)
		return NULL;
	svg->file = file;
	svg->out = open_memstream(&svg->text, &svg->len);
	if (!svg->out) {
		free(svg);
		return NULL;
	}
	fprintf(svg->out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" "
		"height=\"%g\" viewBox=\"0 0 %g %g\" "
		"font-family=\"sans-serif\" font-size=\"13\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		width, height, width, height);
	return svg;
}

static void
escaped(FILE *out, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		default: putc(*text, out);
		}
}

void
svg_text(struct svg *svg, double x, double y, const char *style,
	 const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(svg->out, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, style);
	escaped(svg->out, text);
	fputs("</text>\n", svg->out);
}

void
svg_line(struct svg *svg, double x1, double y1, double x2, double y2,
	 const char *style)
{
	fprintf(svg->out,
		"<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n",
		x1, y1, x2, y2, style);
}

void
svg_box(struct svg *svg, double x, double y, double width, double height,
	const char *colour)
{
	fprintf(svg->out,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
		"fill=\"%s\"/>\n",
		x, y, width, height, colour);
}

void
svg_curve(struct svg *svg, const double *points, size_t count,
	  const char *colour)
{
	fprintf(svg->out,
		"<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" "
		"points=\"",
		colour);
	for (size_t i = 0; i < count; i++)
		fprintf(svg->out, "%.1f,%.1f ", points[2 * i],
			points[2 * i + 1]);
	fputs("\"/>\n", svg->out);
}

int
svg_close(struct svg *svg, struct error *err)
{
	bool whole;
	int ret;

	fputs("</svg>\n", svg->out);
	whole = !ferror(svg->out);
	whole = fclose(svg->out) == 0 && whole;
	ret = whole ? save_file(svg->file, svg->text, svg->len, 0666, err) :
		      error_errno(err, ENOMEM, "%s", svg->file);
	free(svg->text);
	free(svg);
	return ret;
}

/* --- the axis ------------------------------------------------------------- */

struct axis
axis_make(double low, double high, double first, double last)
{
	struct axis axis = { .high = high, .first = first, .last = last };

	axis.logarithmic = low > 0 && high / low > 10;
	if (axis.logarithmic) {
		/* Not the smallest value itself: its bar needs a length. */
		axis.low = pow(10, floor(log10(low * 0.8)));
		axis.high = high * 1.1;
	} else {
		axis.high = high > 0 ? high * 1.05 : 1;
	}
	return axis;
}

double
axis_at(const struct axis *axis, double value)
{
	double part = value / axis->high;

	if (axis->logarithmic)
		part = value > axis->low ? log(value / axis->low) /
						   log(axis->high / axis->low) :
					   0;
	return axis->first + part * (axis->last - axis->first);
}

double
axis_mark(const struct axis *axis, double value)
{
	double step = pow(10, floor(log10(axis->high)));

	if (axis->logarithmic)
		return value < axis->low ? axis->low : value * 10;
	if (axis->high / step < 2)
		step /= 5;
	else if (axis->high / step < 5)
		step /= 2;
	return value < 0 ? 0 : value + step;
}

void
axis_number(char *text, size_t room, double value)
{
	unsigned long whole = (unsigned long)(value + 0.5);

	if (value < 1000)
		snprintf(text, room, "%.3g", value);
	else if (whole < 1000000)
		snprintf(text, room, "%lu,%03lu", whole / 1000, whole % 1000);
	else
		snprintf(text, room, "%lu,%03lu,%03lu", whole / 1000000,
			 whole / 1000 % 1000, whole % 1000);
}
