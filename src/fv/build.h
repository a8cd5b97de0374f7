/* SPDX-License-Identifier: BSD-2-Clause */
/* The sizes of firmware images. */
#ifndef FV_BUILD_H
#define FV_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "pflash/fv.h"

/*
 * True if a build of OVMF has this size for variables and code together
 * (FW_SIZE of OvmfPkgDefines.fdf.inc).
 */
bool build_is_firmware_size(size_t size);

#endif
