/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text of another process, which may be hostile, on its way to a terminal or
 * to a program.  Control characters, invisible and bidirectional format
 * characters and bytes that are not UTF-8 do not pass as they are.
 */
#ifndef PFLASHCTL_SHOW_H
#define PFLASHCTL_SHOW_H

#include <stddef.h>
#include <stdio.h>

/* `bytes` may contain NUL bytes; a NULL pointer is shown as "?". */
struct text {
	const char *bytes;
	size_t len;
};

/* Such bytes become \xNN.  Returns the number of columns. */
size_t show_text(FILE *to, struct text text);

/* The same, a space too as \x20, and padded to `width` columns. */
void show_cell(FILE *to, struct text text, size_t width);

/* The value of a label in OpenMetrics 1.0, without its quotes. */
void show_label(FILE *to, struct text text);

/* A JSON document in ASCII; bytes that are not UTF-8 become \ufffd. */
void show_json(FILE *to, const char *json);

#endif
