/* SPDX-License-Identifier: BSD-2-Clause */
/* Text in boot entries and device paths: UTF-16LE there, UTF-8 here. */
#ifndef PFLASHCTL_BOOT_TEXT_H
#define PFLASHCTL_BOOT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

/* After an error *bytes is NULL. */

/*
 * Converts UTF-8 to UTF-16LE with a NUL character at its end, in malloc()ed
 * memory of *size bytes.  -EINVAL with a sentence: the text is empty, is not
 * UTF-8 or has a control character; -ENOMEM.
 */
int boot_utf16(const char *text, uint8_t **bytes, size_t *size,
	       struct error *err);

/*
 * The text before the first NUL character of `size` bytes as UTF-8, in
 * malloc()ed memory.  Control characters and unpaired surrogates become U+FFFD.
 * NULL: no memory.
 */
char *boot_utf8(const uint8_t *utf16, size_t size);

/*
 * Reads pairs of hexadecimal digits to malloc()ed memory of *size bytes.
 * -EINVAL with a sentence, -ENOMEM.
 */
int boot_from_hex(const char *text, size_t len, uint8_t **bytes, size_t *size,
		  struct error *err);

/* The bytes as hexadecimal digits, in malloc()ed memory.  NULL: no memory. */
char *boot_hex(const uint8_t *bytes, size_t size);

#endif
