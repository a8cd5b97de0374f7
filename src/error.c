/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
	}
	return -code;
}

int
error_errno(struct error *err, int code, const char *fmt, ...)
{
	struct error sentence;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(sentence.text, sizeof(sentence.text), fmt, ap);
	va_end(ap);
	return error_set(err, code, "%s: %s", sentence.text, strerror(code));
}
