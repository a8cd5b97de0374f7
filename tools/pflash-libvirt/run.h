/* SPDX-License-Identifier: BSD-2-Clause */
/* Other programs, which report on the standard error of this one. */
#ifndef PFLASH_LIBVIRT_RUN_H
#define PFLASH_LIBVIRT_RUN_H

#include "pflash/error.h"

/*
 * Runs a program to its end, with an empty standard input, and with standard
 * error as standard output.  Its exit code; or -errno with a sentence if it
 * could not be started or was killed.
 */
int run(char *const argv[], struct error *err);

#endif
