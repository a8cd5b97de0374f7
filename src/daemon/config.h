/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the file that describes a guest's flash, pflash.conf(5), which has the
 * grammar: lines of `option = value`, with the long options of pflashd.
 */
#ifndef PFLASHD_CONFIG_H
#define PFLASHD_CONFIG_H

#include "pflash/error.h"

/*
 * The directory of files that another program has made for the guests, such as
 * libvirt's hook; tests change it.
 */
extern const char *config_generated;

/* Sets one option; -errno with a sentence. */
typedef int config_set(void *opaque, const char *option, const char *value,
		       struct error *err);

/* Finds the guest's name, malloc()ed; -errno with a sentence. */
typedef int config_name(void *opaque, char **name, struct error *err);

/*
 * Calls `set` for each line.  `path` is the file; or a directory: the file is
 * NAME.conf in it for a guest called NAME, else NAME.conf in config_generated,
 * else default.conf in the directory.  config_read() calls `name` at most once:
 * for a directory, or for the first "%n" in a value.  -EINVAL if
 * guest_check_name() refuses the name.  The name is put into the values after
 * the file is split into lines and options, so it can neither begin a line nor
 * name an option.
 *
 * *text holds the values; the caller frees it, also after a failure.  -errno
 * with a sentence that begins with the file, and with the number of a wrong
 * line.
 */
int config_read(const char *path, config_name *name, config_set *set,
		void *opaque, char **text, struct error *err);

#endif
