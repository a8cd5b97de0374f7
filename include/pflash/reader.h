/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VARS file and its journal, read without a lock and without changing
 * either, also while a daemon writes them: the image, and its history.
 */
#ifndef PFLASH_READER_H
#define PFLASH_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/store.h"

struct reader;

/* Errors as for store_open(), but -EBUSY; -EAGAIN: never still enough. */
int reader_open(struct reader **out, const struct sys *sys, const char *path,
		struct error *err);
/* The same, of the configuration's files or path and journal, size and sys. */
int reader_open_files(struct reader **out, const struct store_config *config,
		      struct error *err);

/*
 * For rescue: a journal that is damaged, or disagrees with VARS, is taken as
 * far as it is whole.  1 if it is so, with the sentence in `err`; the image
 * is what VARS has then.
 */
int reader_open_rescue(struct reader **out, const struct store_config *config,
		       struct error *err);

void reader_close(struct reader *reader);

/* The image, the reader's own. */
const uint8_t *reader_image(const struct reader *reader);
uint32_t reader_size(const struct reader *reader);

/* A point in time: the image after one burst. */
struct reader_point {
	uint64_t sequence;
	uint64_t time;       /* CLOCK_REALTIME of the writer, ns since 1970 */
	bool oldest;         /* the history begins here, with a whole image */
	uint64_t programmed; /* bytes */
	uint64_t erased;     /* bytes */
};

/* The next point, oldest first; *cursor is 0 at the beginning. */
bool reader_next(const struct reader *reader, size_t *cursor,
		 struct reader_point *point);

/* The same, and brings `image`, reader_size() bytes, from point to point. */
bool reader_walk(const struct reader *reader, size_t *cursor,
		 struct reader_point *point, uint8_t *image);

/* Bursts that are in the journal and not in the VARS file yet. */
uint64_t reader_pending(const struct reader *reader);

/* Is there a journal, and what lies behind its last complete record? */
bool reader_has_journal(const struct reader *reader);

/* Could all of it be read, but for a torn tail? */
bool reader_journal_is_whole(const struct reader *reader);
uint64_t reader_torn_bytes(const struct reader *reader);

/* reader_size() bytes: the image at this point.  -ENOENT: there is none. */
int reader_past(const struct reader *reader, uint64_t sequence, uint8_t *image,
		struct error *err);

#endif
