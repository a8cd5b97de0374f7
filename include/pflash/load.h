/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the files of an administrator: templates, firmware, options. */
#ifndef PFLASH_LOAD_H
#define PFLASH_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

/*
 * Reads a whole file, or a pipe without a name to its end.  The caller frees
 * *data, which has a NUL byte behind its *size bytes and is NULL after a
 * failure.  -EFBIG above `most` bytes; -EINVAL for an empty file; or an error
 * of identify_open() or a system call.
 */
int load_file(const char *path, size_t most, uint8_t **data, size_t *size,
	      struct error *err);

/*
 * The size in bytes of the flash on a block device, which is as long as the
 * firmware volume at its start says.  The size of the device if there is no
 * volume, or a longer one.  `path` is for the sentence of an error.
 */
int load_device_size(int fd, const char *path, uint64_t *size,
		     struct error *err);

/*
 * The same, by the path, for the size in struct store_config; 0, also after an
 * error: the size of the file.
 */
uint32_t load_flash_size(const char *path);

#endif
