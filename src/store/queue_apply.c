/* SPDX-License-Identifier: BSD-2-Clause */
/* Applies a queue to an image, and finds what was applied already. */
#include <errno.h>
#include <string.h>

#include "queue.h"

#include "pflash/store.h"

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

/* --- the next start --- */

/* One list while it is applied. */
struct application {
	const struct changes *changes;
	int result; /* of changes_apply() */
	struct error why;
};

static int
edit(void *opaque, const struct store *store, uint8_t *image, struct error *err)
{
	struct application *application = opaque;
	uint32_t size = store_size(store);

	(void)err;
	memcpy(image, store_image(store), size);
	application->result = changes_apply(application->changes, image, size,
					    &application->why);
	return application->result > 0;
}

static int
apply_list(const struct store_config *config, const struct queue_item *item,
	   queue_report *report, void *opaque, struct error *err)
{
	struct application application = { .changes = item->changes };
	int rc = store_rewrite(config, edit, &application, err);

	if (rc)
		return rc;
	return report(opaque, item,
		      application.result < 0 ? QUEUE_DROPPED :
		      application.result     ? QUEUE_APPLIED :
					       QUEUE_IN_EFFECT,
		      &application.why, err);
}

struct progress {
	const struct queue *queue;
	int done;
};

/* Finds the lists that were applied before a crash; changes nothing. */
static int
find_done(void *opaque, const struct store *store, uint8_t *image,
	  struct error *err)
{
	struct progress *progress = opaque;
	struct varstore variables;

	(void)image;
	if (varstore_open(&variables, store_image(store), store_size(store),
			  NULL) == 0)
		progress->done = queue_done(progress->queue, &variables);
	return progress->done < 0 ?
		       error_set(err, -progress->done, "out of memory") :
		       0;
}

int
queue_apply(const struct queue *queue, const struct store_config *config,
	    queue_report *report, void *opaque, struct error *err)
{
	struct progress progress = { .queue = queue };
	int rc;

	if (!queue->count)
		return 0;
	rc = store_rewrite(config, find_done, &progress, err);
	for (size_t i = 0; !rc && i < queue->count; i++)
		if (i < (size_t)progress.done)
			rc = report(opaque, &queue->lists[i].item,
				    QUEUE_IN_EFFECT, NULL, err);
		else
			rc = apply_list(config, &queue->lists[i].item, report,
					opaque, err);
	if (rc)
		return rc;
	return queue_remove(config->files, err) < 0;
}
