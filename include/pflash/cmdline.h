/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of a program: long options, as getopt_long(3) reads them.
 *
 * Every refusal is one sentence.  It names the option, the value and the values
 * that are accepted: "--width: '3' is not 1, 2 or 4".
 */
#ifndef PFLASH_CMDLINE_H
#define PFLASH_CMDLINE_H

#include <stdbool.h>

#include "pflash/error.h"

#define CMDLINE_OPTIONS 63 /* entries of a table, at most */

/* An entry whose name is NULL ends a table. */
struct cmdline_option {
	const char *name; /* without "--" */
	int id;           /* for cmdline_set */
	bool has_value;
};

/*
 * Sets one option; `value` is NULL if the option has none.
 *
 * 0: go on; 1: ignore the rest of the command line; -errno with a sentence that
 * begins with the value, as those of pflash/parse.h do.
 */
typedef int cmdline_set(void *opaque, int id, const char *value,
			struct error *err);

/*
 * Calls set() for each option of argv[1] to argv[argc - 1], in order.  Options
 * may follow other arguments, until "--": argv is sorted, options first.
 *
 * Returns the index of the first other argument, argc if there is none; 0 if
 * set() returned 1; or -errno with a sentence.
 */
int cmdline_parse(const struct cmdline_option *options, int argc, char **argv,
		  cmdline_set *set, void *opaque, struct error *err);

/* The option of this name, or NULL.  Here a name cannot be abbreviated. */
const struct cmdline_option *cmdline_find(const struct cmdline_option *options,
					  const char *name);

/* Calls set() for one option, and puts "--NAME: " before its sentence. */
int cmdline_apply(const struct cmdline_option *option, const char *value,
		  cmdline_set *set, void *opaque, struct error *err);

#endif
