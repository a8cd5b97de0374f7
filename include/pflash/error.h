/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors that a person will read.
 *
 * A function that can fail for a reason outside this program returns 0 or
 * -errno and leaves one sentence in a struct error: which file, domain or
 * address, and what was expected there.  The caller that gives up prints it,
 * once.  Functions on the way of a guest's write return the bare -errno.
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

/* The same with ": " and strerror(code) behind the sentence. */
int error_errno(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
