/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decompresses LZMA in the format of LZMA_Alone: a byte of properties, the size
 * of the dictionary (4 bytes), the size of the contents (8 bytes), the stream.
 * edk2's BaseTools write it (LzmaCompress), with all sizes known.
 *
 * Source: LZMA specification (7-Zip's DOC/lzma-specification.txt, 2015).
 */
#ifndef FV_LZMA_H
#define FV_LZMA_H

#include <stddef.h>
#include <stdint.h>

#define LZMA_HEADER 13u

/* The size of the contents.  0: not such a stream, or of unknown size. */
uint64_t lzma_size(const uint8_t *in, size_t len);

/*
 * Writes `size` bytes, the size of the contents, to `out`.  -EINVAL if the
 * stream is damaged or ends too early, -ENOMEM.
 */
int lzma_decode(const uint8_t *in, size_t len, uint8_t *out, size_t size);

#endif
