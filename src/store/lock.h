/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One writer for a VARS file: an open file description lock (fcntl(2),
 * F_OFD_SETLK) over the whole file.  It goes away with the last descriptor,
 * whatever kills the process.
 */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include <stdbool.h>

#include "io.h"

/*
 * F_WRLCK, or F_RDLCK to share it with other readers.  -EBUSY if another open
 * file has a lock on it that excludes this one, naming its process, if `files`
 * can tell.
 */
int lock_file(const struct file *file, const struct files *files, short type,
	      struct error *err);

/* Has another open file a lock on it?  If that can't be told, it has. */
bool lock_is_held(const struct file *file);

#endif
