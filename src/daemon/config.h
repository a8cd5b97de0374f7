/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file that says what flash a guest has: lines of `option = value`, the
 * options being pflashd's long ones.  pflash.conf(5) describes it.
 */
#ifndef PFLASHD_CONFIG_H
#define PFLASHD_CONFIG_H

#include "pflash/error.h"

typedef int config_set(void *opaque, const char *option, const char *value,
		       struct error *err);

/*
 * Calls `set` for each line.  `path` is the file, or a directory, in which the
 * guest's NAME.conf is looked for, and then default.conf.  `name` is asked for
 * where it is needed, for that and for a "%n".  *text holds the values, is
 * malloc()ed and the caller's, also after a failure.  -errno with a sentence
 * that begins with the file, and the line where there is one.
 */
int config_read(const char *path,
		int (*name)(void *opaque, char **name, struct error *err),
		config_set *set, void *opaque, char **text, struct error *err);

#endif
