/* SPDX-License-Identifier: BSD-2-Clause */
/* Applies a queue to an image, and finds what was applied already. */
#include <errno.h>

#include "queue.h"

int
queue_done(const struct queue *queue, const struct varstore *store)
{
	struct changes *all = changes_new();
	size_t done = 0;
	int rc = all ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < queue->count; i++) {
		rc = queue_merge(all, queue->lists[i].changes, NULL);
		if (!rc && changes_in_effect(all, store))
			done = i + 1;
	}
	changes_free(all);
	return rc ? rc : (int)done;
}

int
queue_preview(const struct queue *queue, uint8_t *image, size_t size,
	      size_t *failed, struct error *err)
{
	struct varstore store;
	size_t count = 0;
	int done = 0;

	if (varstore_open(&store, image, size, NULL) == 0)
		done = queue_done(queue, &store);
	if (done < 0)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = (size_t)done; i < queue->count; i++) {
		int rc = changes_apply(queue->lists[i].changes, image, size,
				       err);

		if (rc == -ENOMEM)
			return rc;
		count += rc < 0;
	}
	if (failed)
		*failed = count;
	return 0;
}
