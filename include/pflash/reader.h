/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the image and its history from a VARS file and its journal.  A reader
 * takes no lock and changes no file, so it works while a daemon writes both
 * files.  docs/format.md specifies the files.
 *
 * A reader holds the state of one moment, in memory; later changes of the files
 * do not affect it.
 */
#ifndef PFLASH_READER_H
#define PFLASH_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/store.h"

struct reader;

/*
 * Reads the VARS file `path` and the journal beside it.  The caller frees *out
 * with reader_close().  The errors are those of store_open(), except -EBUSY,
 * and -EAGAIN: the files changed during each of 200 attempts to read them.
 * sys NULL: sys_kernel.
 */
int reader_open(struct reader **out, const struct sys *sys, const char *path,
		struct error *err);

/*
 * Like reader_open(), for the files that the configuration names.  Its members
 * files, path, journal, size, takes_arrived, takes_lent and sys are used.
 */
int reader_open_files(struct reader **out, const struct store_config *config,
		      struct error *err);

/* The origin of reader_image(). */
enum reader_source {
	READER_SOUND, /* VARS and its journal; no rescue is necessary */
	/*
	 * VARS is as a done record of a damaged journal says, and the image has
	 * the bursts behind this record; it is not in the history.
	 */
	READER_VARS_FITS,
	READER_POINT,   /* the newest point of the history, without VARS */
	READER_VARS,    /* VARS alone: the journal has no image */
	READER_NOTHING, /* neither file has an image; reader_size() is 0 */
};

/*
 * Like reader_open_files(), but also opens files that do not agree: the journal
 * is damaged or belongs to another file; VARS has another content or size, or
 * is missing.  Then it returns 1 with the sentence in `err`: the history ends
 * before the damage, and the image is the best that these files have.
 * -EUCLEAN, -EINVAL, -ENOENT only if VARS is missing and has no journal, or is
 * no regular file or block device.
 */
int reader_open_rescue(struct reader **out, const struct store_config *config,
		       struct error *err);

void reader_close(struct reader *reader);

/* The image, of reader_size() bytes; it belongs to the reader. */
const uint8_t *reader_image(const struct reader *reader);
uint32_t reader_size(const struct reader *reader);

enum reader_source reader_source(const struct reader *reader);

/*
 * After reader_open_rescue() has returned 1: the content of VARS, which belongs
 * to the reader; NULL if its size cannot be that of a flash.
 */
const uint8_t *reader_vars(const struct reader *reader, uint32_t *size);

/*
 * After reader_open_rescue() has returned 1: the end of the journal is lost, so
 * that VARS may be newer than all points of the history.
 */
bool reader_vars_may_be_newer(const struct reader *reader);

/* The number of the newest point of the history; 0: there is none. */
uint64_t reader_newest(const struct reader *reader);

/* A point in time of the history: the image after one burst. */
struct reader_point {
	uint64_t sequence;   /* of the burst's record in the journal */
	uint64_t time;       /* CLOCK_REALTIME of the writer, ns since 1970 */
	bool oldest;         /* a snapshot: the history begins here */
	uint64_t programmed; /* bytes that the burst programmed */
	uint64_t erased;     /* bytes that the burst erased */
	/*
	 * Time of the last done record between the point before and this one:
	 * VARS then had all bursts before this point.  0: there is none.
	 */
	uint64_t written;
};

/*
 * Steps to the next point, from the oldest to the newest.  Begin with *cursor
 * 0.  False at the end.
 */
bool reader_next(const struct reader *reader, size_t *cursor,
		 struct reader_point *point);

/* Receives the range [off, off + len) of the image that a burst wrote. */
typedef void (*reader_written_fn)(void *opaque, uint32_t off, uint32_t len);

/*
 * Like reader_next(), and applies each burst to `image` of reader_size() bytes,
 * so that after each step it is the image at *point.  Its contents before the
 * first step do not matter.  Calls `written`, unless it is NULL, for each range
 * of bytes that the burst programmed or erased.
 */
bool reader_walk(const struct reader *reader, size_t *cursor,
		 struct reader_point *point, uint8_t *image,
		 reader_written_fn written, void *opaque);

/* The number of bursts that are in the journal but not yet in VARS. */
uint64_t reader_pending(const struct reader *reader);

bool reader_has_journal(const struct reader *reader);

/* True if VARS is a complete device. */
bool reader_is_complete(const struct reader *reader);

/* True if the journal has no damage; a torn tail is no damage. */
bool reader_journal_is_whole(const struct reader *reader);

/* Bytes of the torn tail: an incomplete record at the end of the journal. */
uint64_t reader_torn_bytes(const struct reader *reader);

/*
 * Writes the image at the point `sequence`, reader_size() bytes, to `image`.
 * -ENOENT if the history has no such point.
 */
int reader_past(const struct reader *reader, uint64_t sequence, uint8_t *image,
		struct error *err);

#endif
