/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of variables that wait for the guest's next start: a queue of lists
 * in VARS.next (docs/format.md, section "The queue").  A process replaces the
 * file as a whole and durably, with a lock on the file that it replaces.  The
 * lock on VARS is not needed: a running pflashd has that.
 *
 * Errors: 0, or -errno with a sentence that begins with the file's path.  All
 * functions accept a file with any contents.  Sizes are bytes.
 */
#ifndef PFLASH_QUEUE_H
#define PFLASH_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/changes.h"
#include "pflash/error.h"
#include "pflash/files.h"
#include "pflash/store.h"
#include "pflash/sys.h"
#include "pflash/varstore.h"

#define QUEUE_MOST 64u             /* lists */
#define QUEUE_CHANGES_MOST 1024u   /* in all lists */
#define QUEUE_TEXT_MOST 512u       /* of a command, without the NUL */
#define QUEUE_SIZE_MOST (4u << 20) /* of the file */

struct queue;

/* One list: what one command has queued. */
struct queue_item {
	uint64_t time;    /* CLOCK_REALTIME in nanoseconds since 1970 */
	const char *text; /* the command; any bytes, so print it with care */
	const struct changes *changes;
};

/* NULL: out of memory. */
struct queue *queue_new(void);

/* Also unlocks the file of queue_hold(). */
void queue_free(struct queue *queue);

size_t queue_count(const struct queue *queue);

/* NULL behind the last list.  It is valid until the queue changes. */
const struct queue_item *queue_at(const struct queue *queue, size_t index);

/*
 * Adds a copy of the list at the end; a text that is too long is cut.  -EINVAL:
 * the list has no change; -E2BIG: more than QUEUE_MOST lists, or more than
 * QUEUE_CHANGES_MOST changes; -ENOMEM.
 */
int queue_add(struct queue *queue, const struct queue_item *item,
	      struct error *err);

/* Removes the list at the index, which must exist. */
void queue_drop(struct queue *queue, size_t index);

/*
 * The number of lists, from the first one on, that need not be applied to these
 * variables: the lists of the greatest number whose changes, the later ones in
 * place of the earlier ones, are all in effect.  So a queue that was applied
 * before a crash is not applied again.  -ENOMEM.
 */
int queue_done(const struct queue *queue, const struct varstore *store);

/*
 * Applies the queue to `image` as the next start will do.  A list that cannot
 * be applied is left out; if `failed` is not NULL, *failed is the number of
 * these.  0, or -ENOMEM with a sentence.
 */
int queue_preview(const struct queue *queue, uint8_t *image, size_t size,
		  size_t *failed, struct error *err);

/*
 * The file's contents.  queue_encode(): the caller frees *bytes; -E2BIG: more
 * than QUEUE_SIZE_MOST; -ENOMEM.  queue_decode(): -EUCLEAN: damaged, or of
 * another version; -ENOMEM.  The sentences do not name the file.
 */
int queue_encode(const struct queue *queue, uint8_t **bytes, size_t *len,
		 struct error *err);
int queue_decode(struct queue **out, const uint8_t *bytes, size_t len,
		 struct error *err);

/* --- the file: FILES_NEXT of `files` --- */

/* Reads the file; without one, *out has no list.  queue_free() frees it. */
int queue_read(struct queue **out, struct files *files, const struct sys *sys,
	       struct error *err);

/*
 * The same, and no other process changes the file until queue_free().  -EBUSY:
 * another process has locked it for too long.
 */
int queue_hold(struct queue **out, struct files *files, const struct sys *sys,
	       struct error *err);

/*
 * The number of lists in the file, by its header alone, so without reading what
 * a list has; 0: there is none.
 */
size_t queue_peek(struct files *files);

/*
 * Adds a list to the file, durably.  Errors as for queue_add(), queue_encode()
 * and queue_hold(); -EUCLEAN: the file is damaged; -EREMCHG: the flash was
 * moved to another place; -ENOENT: there is no VARS file.  If the flash moves
 * at the same time, the list moves with it or is not added.
 */
int queue_append(struct files *files, const struct sys *sys,
		 const struct queue_item *item, struct error *err);

/* For queue_cancel(): all lists, also those of a damaged file. */
#define QUEUE_ALL SIZE_MAX

/*
 * Drops one list, or all, from the file, durably.  *dropped is their number; 0
 * for a damaged file, which QUEUE_ALL removes.  -ENOENT: there is no such list.
 */
int queue_cancel(struct files *files, const struct sys *sys, size_t index,
		 size_t *dropped, struct error *err);

/* Removes the file, durably; 0 also if there is none. */
int queue_remove(struct files *files, struct error *err);

/* --- the next start --- */

enum queue_result {
	QUEUE_APPLIED,   /* as one burst */
	QUEUE_IN_EFFECT, /* there was nothing to do */
	QUEUE_DROPPED,   /* refused, for the reason *why */
};

/* 0; or -errno with a sentence in *err: the queue stays, with the rest. */
typedef int queue_report(void *opaque, const struct queue_item *item,
			 enum queue_result result, const struct error *why,
			 struct error *err);

/*
 * Applies the queue of queue_hold() to the image of `config`, which has
 * `files`: each list as one burst, by store_rewrite(), and then removes the
 * file.  Calls report() for each list.  A list that is refused is no failure.
 * After a crash the same call completes the queue.  Does nothing if the queue
 * has no list.  0; 1 with a sentence: the file could not be removed; or the
 * -errno of store_rewrite() or of report(), then the file stays.
 */
int queue_apply(const struct queue *queue, const struct store_config *config,
		queue_report *report, void *opaque, struct error *err);

#endif
