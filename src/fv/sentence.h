/* SPDX-License-Identifier: BSD-2-Clause */
/* Sentences with numbers in them, without stdio.  Private to src/fv. */
#ifndef FV_SENTENCE_H
#define FV_SENTENCE_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

/*
 * Appends as much of the `n` bytes at `s` as fits, and a NUL.  *len is the
 * length of the text; 0 at first.
 */
void sentence_append(struct error *text, size_t *len, const char *s, size_t n);

/* Appends a number in hexadecimal. */
void sentence_number(struct error *text, size_t *len, uint64_t value);

#endif
