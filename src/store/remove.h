/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to src/store. */
#ifndef STORE_REMOVE_H
#define STORE_REMOVE_H

#include "pflash/store.h"

/* As store_remove(), but also what a complete move has left behind. */
int remove_rest(const struct store_config *config, struct error *err);

#endif
