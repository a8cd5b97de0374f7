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

/* Finds the guest's name, malloc()ed; -errno with a sentence. */
typedef int config_name(void *opaque, char **name, struct error *err);

/*
 * Calls `set` for each line.  `path` is the file, or a directory, in which the
 * guest's NAME.conf is looked for, and then default.conf.  `name` is called at
 * most once, for that and for the first "%n" in a value; -EINVAL if
 * guest_check_name() refuses the name.  The name is put into the values after
 * the file is split into lines and options, so it can neither begin a line nor
 * name an option.
 *
 * *text holds the values, is malloc()ed and the caller's, also after a failure.
 * -errno with a sentence that begins with the file, and the line where there is
 * one.
 */
int config_read(const char *path, config_name *name, config_set *set,
		void *opaque, char **text, struct error *err);

#endif
