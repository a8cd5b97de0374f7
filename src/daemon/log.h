/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's log: one line an event, each with its domain and file. */
#ifndef PFLASHD_LOG_H
#define PFLASHD_LOG_H

#include <stdbool.h>
#include <syslog.h>

/* What every line from now on begins with; `text` is copied. */
void log_context(const char *text);

/* From now on to syslog(3) instead of stderr. */
void log_to_syslog(void);

/* From now on to this function, with the beginning. */
void log_to(void (*function)(int level, const char *line));

/* A line that has its beginning. */
void log_plain(int level, const char *line);

/* `level` is one of syslog(3): LOG_ERR, LOG_WARNING, LOG_INFO. */
void log_line(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
