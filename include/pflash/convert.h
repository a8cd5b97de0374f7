/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conversion of a VARS image to the layout of another build of OVMF, and the
 * limits of a layout.
 *
 * The functions work on the caller's buffers.  They do no I/O, allocate
 * nothing, keep no pointer to an image, and accept any bytes.  Sizes are bytes.
 *
 * Sources: edk2 OvmfPkg/OvmfXen.dsc (PcdMaxVariableSize,
 * PcdMaxAuthVariableSize); MdeModulePkg/Universal/Variable/RuntimeDxe/
 * Variable.c:2758-2810 of edk2 2022.11 (the check of these limits).
 */
#ifndef PFLASH_CONVERT_H
#define PFLASH_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/fv.h"
#include "pflash/varstore.h"

/* A variable that does not fit into the new layout. */
struct fv_misfit {
	struct variable variable; /* points into the old image */
	uint32_t size;            /* of its header, name and data */
	uint32_t limit;           /* the largest size, or the room left */
	bool too_large; /* of the variable; false: the store is full */
};

typedef void fv_misfit_fn(void *opaque, const struct fv_misfit *misfit);

/*
 * The greatest size of header, name and data with which the firmware of this
 * layout accepts a variable with these attributes.
 */
uint32_t fv_largest_variable(const struct fv_layout *layout,
			     uint32_t attributes);

/*
 * Writes an image of the layout `to`, to->size bytes, to `out`.  It has the
 * variables that the firmware finds in the old image, in their order, each with
 * all bytes of its header, name and data, except that its state is
 * VARIABLE_ADDED.  The headers stay those of an authenticated store, or of one
 * that is not.  A variable store that a pending fault-tolerant write would put
 * in place is the source, as it is for the firmware.  Deleted and incomplete
 * variables are left out, and no fault-tolerant write is pending.
 *
 * Returns the number of variables.  On failure the contents of `out` are
 * undefined.
 * -EINVAL: the layout of the old image is unknown, or it has errors.
 * -EBUSY: another fault-tolerant write is unfinished, which the firmware must
 * complete first.
 * -ENOSPC: variables do not fit; `misfit` was called for each of them, in
 * their order.
 */
int fv_convert(const uint8_t *image, size_t size, const struct fv_layout *to,
	       uint8_t *out, fv_misfit_fn *misfit, void *opaque,
	       struct error *err);

/*
 * The size of the variable dbx with the current list of revoked programs for
 * x86-64: header 60, name 8, data 21,292 (a list header of 28, and 443 hashes
 * of 48 bytes).  Measured in PostSignedObjects/DBX/amd64/DBXUpdate.bin of
 * https://github.com/microsoft/secureboot_objects, commit a93ac6b, 2026-06-10:
 * of the 24,629 bytes of this file, the first 3,337 are a time and a signature
 * (EFI_VARIABLE_AUTHENTICATION_2), which the firmware neither stores nor counts
 * (Variable.c:2733).  The data had 10,588 bytes in 2024-07, 11,788 in 2025-01
 * and 19,996 in 2025-02.
 */
#define FV_DBX_TODAY 21360u

/*
 * True if Secure Boot keys are enrolled in the image (PK or dbx exists), and
 * its layout cannot take a dbx of FV_DBX_TODAY bytes.  *limit is then the
 * layout's limit for a variable.
 */
bool fv_limits_dbx(const uint8_t *image, size_t size, uint32_t *limit);

#endif
