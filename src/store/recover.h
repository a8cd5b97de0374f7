/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a VARS file and a journal, both in memory, to the image they mean.
 * store_open() and store_export() both decide here.
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
 * Replays the journal on `image`, which holds the VARS file, and marks in
 * `dirty` (may be NULL) the blocks it touches.  -EUCLEAN if the journal does
 * not belong to the file, or says what cannot be; the image is then spoilt.
 */
int recover_image(const struct recovery *recovery, uint8_t *image,
		  uint32_t size, uint8_t *dirty, struct error *err);

#endif
