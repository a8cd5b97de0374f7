/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one user of a block device.  files_ops.open() of VARS claims a block
 * device: open(2) with O_EXCL and without O_CREAT fails with EBUSY while the
 * device is mounted, has a device on top of it, or was opened so by another
 * open file description, by whatever name.
 */
#ifndef PFLASH_CLAIM_H
#define PFLASH_CLAIM_H

#include "pflash/error.h"

/*
 * The sentence of a block device `path` that has another user, with what can be
 * found of it.  Returns -EBUSY.
 */
int claim_explain(const char *path, struct error *err);

#endif
