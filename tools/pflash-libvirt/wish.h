/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of options, pflash.conf(5), for a guest of libvirt. */
#ifndef PFLASH_LIBVIRT_WISH_H
#define PFLASH_LIBVIRT_WISH_H

#include "guestxml.h"
#include "pflash/error.h"

/*
 * Refuses what libvirt or Xen would not start as it is meant, with or without a
 * flash.  0, or -EINVAL with a sentence that has the way out.
 */
int wish_check(const struct guestxml *xml, struct error *err);

/*
 * Makes the text of the file; the caller frees *text, which is NULL if the XML
 * describes no flash.  Looks at the files that the XML names.  0, or -EINVAL
 * with a sentence that has the way out, or -ENOMEM.
 */
int wish_make(const struct guestxml *xml, char **text, struct error *err);

#endif
