/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock that gives a VARS file or journal one writer: an open file
 * description lock (fcntl(2), F_OFD_SETLK) on the whole file, or on the place
 * that the file has on a device.  The kernel releases it when the last
 * descriptor is closed, also after SIGKILL.
 */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include <stdbool.h>

#include "io.h"

/*
 * Locks the file.  `type` is F_WRLCK, or F_RDLCK to share it with other
 * readers.  -EBUSY if another open file description has a conflicting lock; the
 * sentence names its process if files->ops->holder() finds it.  Or the -errno
 * of fcntl(2).
 */
int lock_file(const struct file *file, const struct files *files, short type,
	      struct error *err);

/* Like lock_file(), but waits up to 5 seconds. */
int lock_patiently(const struct file *file, const struct files *files,
		   short type, struct error *err);

/*
 * True if another open file description has a lock on the file, or if fcntl(2)
 * fails.
 */
bool lock_is_held(const struct file *file);

/*
 * Copies the command line of process `pid` or, if that is the worker of a
 * pflashd, of its supervisor, to `command`.  Returns the pid of that process.
 */
int lock_name_process(int pid, char *command, size_t room);

#endif
