/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors for a person to read.
 *
 * A function that can fail for a reason outside this program returns 0 or
 * -errno, and stores one sentence in a struct error: the file, domain or
 * address, and the expected value.  The caller that gives up prints the
 * sentence once.  Functions on the path of a guest's write return only -errno.
 */
#ifndef PFLASH_ERROR_H
#define PFLASH_ERROR_H

struct error {
	char text[512];
};

/*
 * Formats the sentence and returns -code, so that a failure is one statement:
 * `return error_set(err, EINVAL, "%s: not a journal", path);`
 * `err` may be NULL; `code` is a positive errno value.
 */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, and appends ": " and strerror(code) to the sentence. */
int error_errno(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
