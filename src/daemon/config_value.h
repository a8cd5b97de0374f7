/* SPDX-License-Identifier: BSD-2-Clause */
/* One value of a file of options; pflash.conf(5) has the grammar. */
#ifndef PFLASHD_CONFIG_VALUE_H
#define PFLASHD_CONFIG_VALUE_H

#include <stdbool.h>

#include "pflash/error.h"

/*
 * Reads the value in place.  `text` is the line behind its equals sign, without
 * blanks at its ends; it becomes the value, without quotes and comment.
 *
 * A value without quotes is what version 0.1 took it for, or is refused.  A
 * value in quotes has another meaning than in 0.1, which took the quotes for
 * characters of a file's name: the caller must look for a file of that name.
 *
 * -EINVAL with a sentence that says how to write the value.
 */
int config_value(char *text, struct error *err);

/* True if the value is in quotes. */
bool config_value_is_quoted(const char *text);

#endif
