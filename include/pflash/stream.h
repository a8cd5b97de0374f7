/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the stream of `pflashctl send` (docs/format.md). */
#ifndef PFLASH_STREAM_H
#define PFLASH_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

/*
 * Reads from the descriptor until the end of the stream, or of the file, and
 * one byte more: store_receive() checks what was read.  The caller frees
 * *stream.  `name` is that of the descriptor, for the sentence of an -errno.
 */
int stream_read(int fd, const char *name, uint8_t **stream, size_t *len,
		struct error *err);

#endif
