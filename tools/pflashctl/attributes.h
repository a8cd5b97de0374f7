/* SPDX-License-Identifier: BSD-2-Clause */
/* The words for attributes and states of variables. */
#ifndef PFLASHCTL_ATTRIBUTES_H
#define PFLASHCTL_ATTRIBUTES_H

#include <stdint.h>

#include "pflash/error.h"
#include "pflash/varstore.h"

#define ATTRIBUTES_DEFAULT                                                     \
	(VARIABLE_NON_VOLATILE | VARIABLE_BOOT_ACCESS | VARIABLE_RUNTIME_ACCESS)

#define ATTRIBUTES_TEXT_SIZE 40 /* with the NUL */

/*
 * Writes "NV,BS,RT,AT"; bits without a word are a number at the end.  No bit:
 * "-".
 */
void attributes_text(uint32_t attributes, char text[ATTRIBUTES_TEXT_SIZE]);

/* Reads such words, of either case, or a number as in C.  -EINVAL. */
int attributes_read(const char *text, uint32_t *attributes, struct error *err);

/* The word for the state of a variable, such as "live" or "deleted". */
const char *state_word(const struct variable *variable);

#define TIME_TEXT_SIZE 32 /* with the NUL */

/* Writes "2010-03-06 19:17:21". */
void time_text(const struct variable_time *time, char text[TIME_TEXT_SIZE]);

/* Reads such a time, or a date; a 'T' may be between the two.  -EINVAL. */
int time_read(const char *text, struct variable_time *time, struct error *err);

#endif
