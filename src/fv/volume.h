/* SPDX-License-Identifier: BSD-2-Clause */
/* The volumes of a firmware's code. */
#ifndef FV_VOLUME_H
#define FV_VOLUME_H

#include <stddef.h>
#include <stdint.h>

/* Volumes are 8-byte aligned (PI specification vol. 3, section 3.2.1). */
#define FV_ALIGNMENT 8u

/*
 * The length of the volume that begins at `p`, of which `left` bytes can be
 * read.  0: no volume begins there, it does not end within these bytes, its
 * header is damaged, or it is a volume of variables.
 */
size_t volume_length(const uint8_t *p, size_t left);

#endif
