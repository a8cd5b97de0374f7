/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints text of another process, which may be hostile, for a terminal or for a
 * program.  Escapes control characters, invisible and bidirectional format
 * characters, and bytes that are not UTF-8.
 */
#ifndef PFLASHCTL_SHOW_H
#define PFLASHCTL_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* `bytes` may contain NUL bytes; a NULL pointer is shown as "?". */
struct text {
	const char *bytes;
	size_t len;
};

/* True for a character that a terminal obeys or does not show. */
bool show_is_hidden(uint32_t code);

/* Prints the text; an escaped byte is \xNN.  Returns the number of columns. */
size_t show_text(FILE *to, struct text text);

/* The same, but escapes spaces too, and pads to `width` columns. */
void show_cell(FILE *to, struct text text, size_t width);

/* Prints the value of a label in OpenMetrics 1.0, without its quotes. */
void show_label(FILE *to, struct text text);

/* Prints a JSON document in ASCII; a byte that is not UTF-8 is \ufffd. */
void show_json(FILE *to, const char *json);

#endif
