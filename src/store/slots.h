/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of a flash on a device that is complete, as a `struct files`.
 * Private to src/store; others use files_complete().
 */
#ifndef STORE_SLOTS_H
#define STORE_SLOTS_H

#include "superblock.h"

/*
 * Replaces *files by the files on its device, and owns the former *files.
 * -ENOMEM.
 */
int slots_wrap(struct files **files, const struct superblock *super,
	       const struct sys *sys, struct error *err);

/*
 * Prepares the areas of the open device: no file in any of them.  Does not
 * sync.
 */
int slots_format(const struct file *device, const struct superblock *super,
		 struct error *err);

#endif
