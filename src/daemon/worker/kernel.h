/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel with which libxl created a guest; for a PVH guest with UEFI that
 * is the firmware.  libxl describes each domain in a file of its own,
 * /var/lib/xen/userdata-d.ID.UUID.libxl-json, from before the hotplug scripts
 * run until the domain ends (libxl_dom.c, libxl__userdata_path(), and
 * libxl_create.c, initiate_domain_create()).  "kernel" of "b_info" is `kernel`
 * of xl.cfg(5).
 */
#ifndef PFLASHD_KERNEL_H
#define PFLASHD_KERNEL_H

#include "guest.h"
#include "pflash/error.h"

#define KERNEL_DIRECTORY "/var/lib/xen"

/*
 * Sets *path to the kernel's absolute path, which the caller frees.  The
 * directory is that of libxl's files.  Else *path is NULL: -ENOENT if libxl has
 * no file for this domain, or the file names no kernel; -EINVAL if the file is
 * not as libxl writes it, or another user could have written it; or another
 * -errno.  All with a sentence.
 *
 * No part of the file's name comes from the guest's name.  The file has what an
 * administrator, or his customer, wrote into the guest's configuration: any
 * bytes are accepted, and only this one string is used.
 */
int kernel_find(const struct guest *guest, const char *directory, char **path,
		struct error *err);

#endif
