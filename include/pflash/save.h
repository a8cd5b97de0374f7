/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the files that an administrator asks for: exports, plots. */
#ifndef PFLASH_SAVE_H
#define PFLASH_SAVE_H

#include <stddef.h>
#include <sys/types.h>

#include "pflash/error.h"

/*
 * Writes a whole file, durably.  The name has either the old contents or the
 * new ones: the new file is written beside it, as PATH and seven characters,
 * and then renamed.  It gets the mode and, if that is allowed, the owner of the
 * old file; a new name gets `mode` without the bits of umask(2).  A symbolic
 * link is followed, but must lead somewhere.  A FIFO or a device is written in
 * place; -ENXIO if no process opens a FIFO for reading within 5 s.
 *
 * 0, or -errno with a sentence; the old file is then untouched, unless only the
 * sync of the directory failed.
 */
int save_file(const char *path, const void *bytes, size_t size, mode_t mode,
	      struct error *err);

/* Writes to an open descriptor, and syncs where that is possible. */
int save_to(int fd, const void *bytes, size_t size);

#endif
