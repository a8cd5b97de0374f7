/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static char context[256];
static bool to_syslog;
static void (*taker)(int level, const char *line);

void
log_context(const char *text)
{
	snprintf(context, sizeof(context), "%s: ", text);
}

void
log_to_syslog(void)
{
	openlog("pflashd", LOG_PID, LOG_DAEMON);
	to_syslog = true;
}

void
log_to(void (*function)(int level, const char *line))
{
	taker = function;
}

void
log_plain(int level, const char *line)
{
	if (taker)
		taker(level, line);
	else if (to_syslog)
		syslog(level, "%s", line);
	else
		fprintf(stderr, "pflashd: %s\n", line);
}

void
log_line(int level, const char *fmt, ...)
{
	char line[sizeof(context) + 1024];
	int begin = snprintf(line, sizeof(line), "%s", context);
	va_list args;

	va_start(args, fmt);
	vsnprintf(line + begin, sizeof(line) - (size_t)begin, fmt, args);
	va_end(args);
	log_plain(level, line);
}
