/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a queue.  Private to src/store. */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include "io.h"

#include "pflash/queue.h"

struct queued {
	struct queue_item item;
	char *text;              /* of item.text */
	struct changes *changes; /* of item.changes */
};

struct queue {
	struct queued *lists;
	size_t count;
	struct file file; /* of queue_hold(), with its lock; or closed */
};

/* Adds copies of all changes of a list to another one. */
int queue_merge(struct changes *to, const struct changes *from,
		struct error *err);

/* Of the header in the file. */
#define QUEUE_HEADER_SIZE 20

/* The number of lists by a header that is not checked; 0: it is none. */
size_t queue_header_count(const uint8_t header[QUEUE_HEADER_SIZE]);

/* Like queue_add(), and takes over `changes`, also after an error. */
int queue_take(struct queue *queue, uint64_t time, const char *text,
	       size_t text_len, struct changes *changes, struct error *err);

/*
 * Opens and locks the file that has the name, for reading or writing; -ENOENT:
 * there is none.  The caller sets file->sys, and file_close() unlocks.
 */
int queue_lock(struct file *file, struct files *files, bool write,
	       struct error *err);

/*
 * Opens and locks the file, for writing or reading; without a file *out has no
 * list and file->fd is -1.  The caller sets `sys` and `fd` of *file before, and
 * calls queue_free() and file_close() also after an error.
 */
int queue_open(struct queue **out, struct file *file, struct files *files,
	       bool write, struct error *err);

#endif
