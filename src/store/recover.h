/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Computes the current image, and images of the past, from a VARS file and a
 * journal in memory (docs/format.md).  store_open(), store_accept() and the
 * readers all use these functions.
 */
#ifndef STORE_RECOVER_H
#define STORE_RECOVER_H

#include "scan.h"

struct recovery {
	const struct scan *scan;
	const uint8_t *journal;   /* the bytes that `scan` describes */
	const char *vars_path;    /* for messages */
	const char *journal_path; /* for messages */
};

/*
 * Replays the bursts behind the last done record on `image`, which holds the
 * contents of VARS, and marks the changed blocks in `dirty`, which may be NULL.
 * -EUCLEAN if VARS does not match the journal, or if the journal has an
 * operation outside the image; the contents of `image` are then undefined.
 */
int recover_image(const struct recovery *recovery, uint8_t *image,
		  uint32_t size, uint8_t *dirty, struct error *err);

/*
 * Computes the image after the record `sequence`, from the journal alone.
 * -ENOENT if the history does not have this record; -EUCLEAN as above.
 */
int recover_past(const struct recovery *recovery, uint64_t sequence,
		 uint8_t *image, uint32_t size, struct error *err);

#endif
