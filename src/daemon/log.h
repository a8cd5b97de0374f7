/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log of pflashd, one line for an event.  The supervisor begins each line
 * with domain and file.  The worker sends its lines to the supervisor, relay.h.
 */
#ifndef PFLASHD_LOG_H
#define PFLASHD_LOG_H

#include <stdbool.h>
#include <syslog.h>

/* Begins each later line with a copy of `text`. */
void log_context(const char *text);

/* Writes later lines to syslog(3) instead of standard error. */
void log_to_syslog(void);

/*
 * Writes later lines to standard error in the supervisor's format,
 * "<priority>text", without a context.
 */
void log_to_supervisor(void);

/* The text of the last line of the level LOG_ERR; "": there was none. */
const char *log_last_error(void);

/*
 * Writes one line.  `level` is LOG_ERR, LOG_WARNING, LOG_NOTICE or LOG_INFO.  A
 * byte of the text that is not printable ASCII becomes '?'.  The context may be
 * UTF-8.
 */
void log_line(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
