/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reason why a file cannot be opened or created, for people: errno alone
 * does not say which part of a path is at fault.
 */
#ifndef PFLASH_PATH_H
#define PFLASH_PATH_H

#include <stdbool.h>

#include "pflash/error.h"

/*
 * Writes the sentence of a call that failed with `code`, an errno value, for
 * this path, and returns -code.  The sentence begins with the path.  For ENOENT
 * and ENOTDIR it names the missing directory, the dangling symbolic link, or
 * the file that is no directory.  Other codes: as error_errno().
 *
 * Looks at the file system by the path: not for a process in a sandbox.
 */
int path_error(struct error *err, int code, const char *path);

/* True if the path is a symbolic link, dangling or not. */
bool path_is_link(const char *path);

/*
 * 0 if the directory of the path exists; or -errno of stat(2), -ENOTDIR, or
 * -ENOMEM.
 */
int path_check_directory(const char *path);

#endif
