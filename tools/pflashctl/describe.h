/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of variables in words: a boot entry, a boot order, certificates,
 * numbers and text.  Used by `vars`, `boot`, `keys`, `log` and `diff`.
 */
#ifndef PFLASHCTL_DESCRIBE_H
#define PFLASHCTL_DESCRIBE_H

#include <stdio.h>

#include "pflash/varstore.h"

/*
 * The value in one line, without control characters, for a table; NULL: out of
 * memory.  The caller frees it.  A value of unknown kind becomes hexadecimal
 * digits, cut with "...".
 */
char *describe_value(const struct variable *variable);

/*
 * The difference of two values of one variable, such as "entry 0003 added" or
 * "certificate CN=... removed", one line each, separated by '\n'; "" if the
 * kind of the variable is not known.  NULL: out of memory.  The caller frees
 * it.  `old` or `new` may be NULL.
 */
char *describe_change(const struct variable *old, const struct variable *new);

/*
 * One kind of variable.  The functions return NULL for a variable that is of
 * another kind or has no such value, so that the next kind is asked.
 */
struct describer {
	char *(*value)(const struct variable *variable);
	char *(*change)(const struct variable *old, const struct variable *new);
};

extern const struct describer boot_describer; /* boot_describe.c */
extern const struct describer keys_describer; /* keys_describe.c */

#endif
