/* SPDX-License-Identifier: BSD-2-Clause */
/* store_accept() with an option, for store_open(). */
#ifndef STORE_ACCEPT_H
#define STORE_ACCEPT_H

#include "pflash/store.h"

/*
 * Like store_accept().  With `any_size` it also accepts a VARS file whose size
 * has changed; the history is then lost.
 */
int accept_any(const struct store_config *config, bool any_size, bool *changed,
	       struct error *err);

#endif
