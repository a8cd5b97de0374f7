/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware in the memory of a PVH guest that has not run.  Xen's domain
 * builder has loaded the guest's kernel by its ELF header before any device
 * model is started (tools/libs/guest/xg_dom_elfloader.c).  The header of
 * OvmfXen has one segment to load, at LOADED_ADDRESS, which is the whole image
 * (OvmfPkg/XenElfHeader.fdf.inc; OvmfXenElfHeaderGenerator).
 */
#ifndef PFLASHD_LOADED_H
#define PFLASHD_LOADED_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/transport.h"

#define LOADED_ADDRESS 0x100000u

/*
 * Copies the image, of which the caller frees the copy, and sets its size in
 * bytes.  Else returns -errno with a sentence: -ENOENT if the kernel is no such
 * image.
 *
 * The bytes are what the owner of the guest chose as its kernel, and a guest
 * that runs can change them at any time: hence the copy, which alone is
 * examined.  Nothing is mapped any more when the function returns.
 */
int loaded_read(struct transport *t, uint8_t **image, size_t *size,
		struct error *err);

#endif
