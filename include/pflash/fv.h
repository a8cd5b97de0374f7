/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware volumes and the UEFI variable store inside a VARS image: layouts,
 * formatting, and what can be told of a firmware image.  Works on buffers; no
 * I/O.
 *
 * Sources: UEFI Platform Initialization Specification vol. 3, section 3.2
 * (firmware volume header); edk2 OvmfPkg/Include/Fdf/VarStore.fdf.inc and
 * OvmfPkgDefines.fdf.inc (the layouts), MdeModulePkg/Include/Guid/
 * VariableFormat.h and FaultTolerantWrite.h (the headers inside).
 */
#ifndef PFLASH_FV_H
#define PFLASH_FV_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

#define FV_BLOCK_SIZE 4096u

/* A build of OVMF, named as its users name it: by the size of the image. */
struct fv_layout {
	const char *name;       /* "2m", "4m" */
	uint32_t size;          /* bytes of VARS */
	uint64_t base;          /* where the firmware expects it */
	uint32_t variable_size; /* variable store, with the volume's header */
	uint32_t event_log;     /* offset of the (unused) event log */
	uint32_t ftw_work;      /* offset of the fault-tolerant write block */
	uint32_t ftw_spare;     /* offset of the spare area, up to the end */
};

/* NULL if there is none of that name or size. */
const struct fv_layout *fv_layout_by_name(const char *name);
const struct fv_layout *fv_layout_by_size(uint64_t size);

/*
 * Writes layout->size bytes: an empty variable store, equal to the byte to the
 * OVMF_VARS file of such a build.
 */
void fv_format(const struct fv_layout *layout, uint8_t *image);

/*
 * The last firmware volume of a firmware image, which OVMF links for the top
 * of 4 GiB and starts in (SEC).  Sets *off to its start; it ends with the
 * image.  -ENOENT if no volume ends there.
 */
int fv_find_sec(const uint8_t *image, size_t size, size_t *off,
		struct error *err);

#endif
