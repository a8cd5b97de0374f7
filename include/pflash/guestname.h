/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of guests, which become part of paths. */
#ifndef PFLASH_GUESTNAME_H
#define PFLASH_GUESTNAME_H

#include "pflash/error.h"

#define GUEST_NAME_SIZE 128 /* with the '\0' */

/*
 * Checks that a path may contain this name, because a tenant may have chosen
 * it.  Refuses a name that is empty, begins with '.', contains '/' or a control
 * character (C0, DEL, C1), is not UTF-8, or is longer than GUEST_NAME_SIZE - 1
 * bytes.  -EINVAL with a sentence that shows the name, with the bytes of a
 * control character as \x0a.
 */
int guest_check_name(const char *name, struct error *err);

#endif
