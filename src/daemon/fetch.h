/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashd --fetch: the flash of a guest that migrates comes to this host. */
#ifndef PFLASHD_FETCH_H
#define PFLASHD_FETCH_H

#include "guest.h"
#include "options.h"
#include "pflash/error.h"

/* Seconds that the command has: libxl kills a hotplug script after 40. */
extern unsigned int fetch_seconds;

/*
 * If the guest migrates to this host, and no flash is in its place, runs the
 * command of --incoming, whose standard output is that of `pflashctl send`, and
 * creates the flash: store_receive() with the guest.  EXIT_OK, also if there is
 * nothing to do; or another exit code with a sentence.
 */
int fetch_flash(const struct options *options, const struct guest *guest,
		struct error *err);

#endif
