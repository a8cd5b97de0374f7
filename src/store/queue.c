/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue of lists of changes in memory. */
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
out_of_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for the queue");
}

struct queue *
queue_new(void)
{
	struct queue *queue = calloc(1, sizeof(*queue));

	if (queue)
		queue->file.fd = -1;
	return queue;
}

static void
queued_clear(struct queued *queued)
{
	free(queued->text);
	changes_free(queued->changes);
}

void
queue_free(struct queue *queue)
{
	if (!queue)
		return;
	for (size_t i = 0; i < queue->count; i++)
		queued_clear(&queue->lists[i]);
	file_close(&queue->file);
	free(queue->lists);
	free(queue);
}

size_t
queue_count(const struct queue *queue)
{
	return queue->count;
}

const struct queue_item *
queue_at(const struct queue *queue, size_t index)
{
	return index < queue->count ? &queue->lists[index].item : NULL;
}

static size_t
changes_in(const struct queue *queue)
{
	size_t count = 0;

	for (size_t i = 0; i < queue->count; i++)
		count += changes_count(queue->lists[i].changes);
	return count;
}

static int
check_room(const struct queue *queue, const struct changes *changes,
	   struct error *err)
{
	size_t count = changes_count(changes);

	if (!count)
		return error_set(err, EINVAL, "a list without a change");
	count += changes_in(queue);
	if (count > QUEUE_CHANGES_MOST || queue->count >= QUEUE_MOST)
		return error_set(err, E2BIG,
				 "at most %u changes in %u lists can wait for "
				 "the next start: start the guest, or drop "
				 "some with `pflashctl vars cancel`",
				 QUEUE_CHANGES_MOST, QUEUE_MOST);
	return 0;
}

int
queue_take(struct queue *queue, uint64_t time, const char *text,
	   size_t text_len, struct changes *changes, struct error *err)
{
	struct queued queued = { .item.time = time, .changes = changes };
	int rc = check_room(queue, changes, err);
	struct queued *lists;

	if (rc) {
		changes_free(changes);
		return rc;
	}
	queued.text = strndup(text, text_len < QUEUE_TEXT_MOST ?
					    text_len :
					    QUEUE_TEXT_MOST);
	lists = reallocarray(queue->lists, queue->count + 1, sizeof(*lists));
	if (lists)
		queue->lists = lists;
	if (!lists || !queued.text) {
		queued_clear(&queued);
		return out_of_memory(err);
	}
	queued.item.text = queued.text;
	queued.item.changes = queued.changes;
	lists[queue->count++] = queued;
	return 0;
}

int
queue_merge(struct changes *to, const struct changes *from, struct error *err)
{
	const struct change *change;
	int rc = 0;

	for (size_t i = 0; !rc && (change = changes_at(from, i)); i++)
		rc = changes_add(to, change, err);
	return rc;
}

int
queue_add(struct queue *queue, const struct queue_item *item, struct error *err)
{
	struct changes *copy = changes_new();
	int rc = copy ? queue_merge(copy, item->changes, err) :
			out_of_memory(err);

	if (rc) {
		changes_free(copy);
		return rc;
	}
	return queue_take(queue, item->time, item->text, strlen(item->text),
			  copy, err);
}

void
queue_drop(struct queue *queue, size_t index)
{
	struct queued *queued = &queue->lists[index];

	queued_clear(queued);
	queue->count--;
	memmove(queued, queued + 1, (queue->count - index) * sizeof(*queued));
}
