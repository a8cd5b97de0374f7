/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes that are queued for the next start, and the start. */
#ifndef CRASH_QUEUE_H
#define CRASH_QUEUE_H

#include "script.h"

/* Queues a list of changes, made from `seed`; the store may be open. */
/* The files of the flash, opened without a fault. */
struct files *queue_files(struct run *run);

bool queue_step(struct run *run, uint64_t seed);

/* Applies the queue, as pflashd does before a new guest runs. */
bool queue_start_step(struct run *run);

/* The store was opened, which makes a removal of the queue durable. */
void queue_opened(struct run *run);

/*
 * After a power cut: no list is lost, and no queue is gone that was not
 * applied.  To be called before the store is opened.
 */
bool queue_check(struct run *run);

#endif
