/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Error messages for people.
 *
 * A function that can fail for a reason outside this program returns 0 or
 * -errno and writes one sentence to a struct error: the file, domain or address
 * concerned, and what was expected there.  The caller that handles the failure
 * prints the sentence once.  Functions that carry out a guest's write return
 * only -errno.
 */
#ifndef PFLASH_ERROR_H
#define PFLASH_ERROR_H

struct error {
	char text[1024]; /* one sentence, cut to fit; without a full stop */
};

/*
 * Formats the sentence and returns -code, so that a failure is one statement:
 * `return error_set(err, EINVAL, "%s: not a journal", path);`
 * `err` may be NULL; `code` is a positive errno value.
 */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Like error_set(), and appends ": " and strerror(code) to the sentence. */
int error_errno(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
