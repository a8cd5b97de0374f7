/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STORE_ACCEPT_H
#define STORE_ACCEPT_H

#include "pflash/store.h"

/* store_accept(), also of a file of another size, which loses the history. */
int accept_any(const struct store_config *config, bool any_size, bool *changed,
	       struct error *err);

#endif
