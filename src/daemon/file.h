/* SPDX-License-Identifier: BSD-2-Clause */
/* Small files that are read whole: templates and firmware. */
#ifndef PFLASHD_FILE_H
#define PFLASHD_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

/*
 * *data is malloc()ed and the caller's; NULL after a failure.  -EFBIG above
 * `max` bytes.
 */
int file_load(const char *path, size_t max, uint8_t **data, size_t *size,
	      struct error *err);

#endif
