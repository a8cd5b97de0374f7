/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Applies the changes of variables that an administrator has queued for the
 * guest's next start (pflash/queue.h), before the guest runs.
 */
#ifndef PFLASHD_APPLY_H
#define PFLASHD_APPLY_H

#include "pflash/store.h"

/*
 * Applies the queue to the image of `config`, which has `files`: each list as
 * one burst, which is one point of the history, and then removes the queue.  A
 * change of a pinned variable goes to the record of `pins`, too, unless that
 * is NULL.  Logs a line for each list.  A list that cannot be applied is
 * dropped, and a queue that cannot be read is kept under another name: the
 * guest starts all the same.  0; or the -errno of store_rewrite(), which sets
 * *err; the queue then stays.
 */
int apply_queue(const struct store_config *config, struct pins *pins,
		struct error *err);

#endif
