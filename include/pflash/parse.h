/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads values from text that a person typed: numbers, sizes and words.
 *
 * A function with an `err` takes the whole text or refuses it.  It then returns
 * -EINVAL and a sentence that begins with the text and names the values that
 * are accepted: "'3' is not 1, 2 or 4".  The caller adds the place of the text.
 */
#ifndef PFLASH_PARSE_H
#define PFLASH_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/error.h"

/* How a number is written.  It always begins with a digit. */
enum parse_form {
	PARSE_DECIMAL, /* decimal; the units are K, M and G */
	PARSE_C,       /* as in C: 16, 0x10 or 020; also the units k, m and g */
};

/*
 * Reads the number at the beginning of *text and moves *text behind it.
 * False if there is no number, or if it exceeds `most`.
 */
bool parse_digits(const char **text, enum parse_form form, uint64_t most,
		  uint64_t *value);

/*
 * The same for a size in bytes: a number and perhaps a unit, K, M or G, which
 * multiplies it by 2^10, 2^20 or 2^30.
 */
bool parse_size(const char **text, enum parse_form form, uint64_t most,
		uint64_t *size);

/* The text is one number from `least` to `most`. */
int parse_number(const char *text, enum parse_form form, uint64_t least,
		 uint64_t most, uint64_t *value, struct error *err);

/* The text is one size from 1 to `most` bytes, as for parse_size(). */
int parse_bytes(const char *text, uint64_t most, uint64_t *size,
		struct error *err);

/* A word and its value.  An entry whose name is NULL ends the list. */
struct parse_choice {
	const char *name;
	int value;
};

/* The text is one of these words. */
int parse_choice(const struct parse_choice *choices, const char *text,
		 int *value, struct error *err);

/* The word for a value; NULL if the list has none. */
const char *parse_choice_name(const struct parse_choice *choices, int value);

#endif
