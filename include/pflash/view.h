/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VARS file and its journal, read without a lock and without changing
 * either, also while a daemon writes them: the image, and its history.
 */
#ifndef PFLASH_VIEW_H
#define PFLASH_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/store.h"

struct view;

/* Errors as for store_open(), but -EBUSY; -EAGAIN: never still enough. */
int view_open(struct view **out, const struct sys *sys, const char *path,
	      struct error *err);
/* The same, of the configuration's files or path and journal, size and sys. */
int view_open_files(struct view **out, const struct store_config *config,
		    struct error *err);

/*
 * For rescue: a journal that is damaged, or disagrees with VARS, is taken as
 * far as it is whole.  1 if it is so, with the sentence in `err`; the image
 * is what VARS has then.
 */
int view_open_rescue(struct view **out, const struct store_config *config,
		     struct error *err);

void view_close(struct view *view);

/* The image, the view's own. */
const uint8_t *view_image(const struct view *view);
uint32_t view_size(const struct view *view);

/* A point in time: the image after one burst. */
struct view_point {
	uint64_t sequence;
	uint64_t time;       /* CLOCK_REALTIME of the writer, ns since 1970 */
	bool oldest;         /* the history begins here, with a whole image */
	uint64_t programmed; /* bytes */
	uint64_t erased;     /* bytes */
};

/* The next point, oldest first; *cursor is 0 at the beginning. */
bool view_next(const struct view *view, size_t *cursor,
	       struct view_point *point);

/* The same, and brings `image`, view_size() bytes, from point to point. */
bool view_walk(const struct view *view, size_t *cursor,
	       struct view_point *point, uint8_t *image);

/* Bursts that are in the journal and not in the VARS file yet. */
uint64_t view_pending(const struct view *view);

/* Is there a journal, and what lies behind its last complete record? */
bool view_has_journal(const struct view *view);

/* Could all of it be read, but for a torn tail? */
bool view_journal_is_whole(const struct view *view);
uint64_t view_torn_bytes(const struct view *view);

/* view_size() bytes: the image at this point.  -ENOENT: there is none. */
int view_past(const struct view *view, uint64_t sequence, uint8_t *image,
	      struct error *err);

#endif
