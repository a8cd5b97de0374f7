/* SPDX-License-Identifier: BSD-2-Clause */
/* Text from a hostile source, on its way to a log or a terminal. */
#ifndef PFLASH_TEXT_H
#define PFLASH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decodes the UTF-8 sequence at the beginning of `len` bytes, as RFC 3629
 * defines it.  Returns its length, or 0 if there is none.
 */
size_t text_decode(const char *text, size_t len, uint32_t *point);

/* True if the code point is in C0 or C1, or is DEL. */
bool text_is_control(uint32_t point);

/*
 * The path as one word for a POSIX shell, in malloc()ed memory: an argument of
 * a command that a message advises.  The word is printable ASCII, without a
 * backquote: all other bytes are escapes of printf(1).  A newline at the end is
 * lost, because a shell removes it from an output.  A path with a '-' at its
 * beginning gets "./" before it.  NULL: no memory.
 */
char *text_word(const char *path);

/*
 * Copies the text before the first NUL byte, at most `len` and `room` - 1
 * bytes, and ends it with a NUL byte.  A byte that is not printable ASCII
 * becomes '?'.  Each byte is read once: another process may change the text
 * meanwhile.  `to` and `from` may be the same.
 */
void text_copy_printable(char *to, size_t room, const char *from, size_t len);

#endif
