/* SPDX-License-Identifier: BSD-2-Clause */
/* Hexadecimal digits of a command line or a file. */
#ifndef PFLASHCTL_HEX_H
#define PFLASHCTL_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

/*
 * Reads an even number of digits; with `spaces`, blanks may be between two
 * bytes.  The caller frees *bytes, which is not NULL after success.  -EINVAL,
 * -ENOMEM with a sentence.
 */
int hex_read(const char *text, size_t len, bool spaces, uint8_t **bytes,
	     size_t *size, struct error *err);

#endif
