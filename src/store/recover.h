/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a VARS file and a journal, both in memory, to the image they mean, and
 * to the images of the past.  store_open(), store_export() and the history all
 * decide here.
 */
#ifndef STORE_RECOVER_H
#define STORE_RECOVER_H

#include "scan.h"

/* The names are for messages. */
struct recovery {
	const struct scan *scan;
	const uint8_t *journal; /* the bytes that were scanned */
	const char *vars_path;
	const char *journal_path;
};

/*
 * Replays what is behind the last done record on `image`, which holds the VARS
 * file, and marks in `dirty` (may be NULL) the blocks it touches.  -EUCLEAN if
 * VARS is not what was written last, or the journal says what cannot be; the
 * image is then spoilt.
 */
int recover_image(const struct recovery *recovery, uint8_t *image,
		  uint32_t size, uint8_t *dirty, struct error *err);

/*
 * The image at a sequence number, from the journal alone.  -ENOENT if the
 * history does not reach there; -EUCLEAN as above.
 */
int recover_past(const struct recovery *recovery, uint64_t sequence,
		 uint8_t *image, uint32_t size, struct error *err);

#endif
