/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's log: one line an event.  The supervisor puts domain and file in
 * front of each line; the worker hands its lines to the supervisor (relay.h).
 */
#ifndef PFLASHD_LOG_H
#define PFLASHD_LOG_H

#include <stdbool.h>
#include <syslog.h>

/* The beginning of every line from now on; `text` is copied. */
void log_context(const char *text);

/* From now on to syslog(3) instead of standard error. */
void log_to_syslog(void);

/*
 * From now on to standard error as the supervisor wants it: "<priority>text",
 * without a context.
 */
void log_to_supervisor(void);

/*
 * `level` is one of syslog(3): LOG_ERR, LOG_WARNING, LOG_INFO.  A byte that is
 * no printable ASCII is replaced, but for those of UTF-8 in the context.
 */
void log_line(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
