/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue of changes for the next start of one VARS file (--next-start). */
#ifndef PFLASHCTL_ENQUEUE_H
#define PFLASHCTL_ENQUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/queue.h"
#include "pflash/store.h"

/* Sets the command for the queue's list, from main()'s arguments; borrowed. */
void enqueue_command(int argc, char **argv);

/*
 * Makes the image of now into that of the next start, as far as it is known:
 * the changes that are queued already are applied.  -errno with a sentence.
 */
int enqueue_preview(const struct store_config *config, uint8_t *image,
		    size_t size, struct error *err);

/* Queues the changes.  -errno with a sentence. */
int enqueue(const struct store_config *config, const struct changes *changes,
	    struct error *err);

/* Reads the queue of a VARS file.  -errno with a sentence. */
int enqueue_read(const struct store_config *config, struct queue **queue,
		 struct error *err);

/* If changes are queued, prints that they stay. */
void enqueue_note(const struct store_config *config);

#endif
