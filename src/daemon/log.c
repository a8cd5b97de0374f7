/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static char context[256];
static bool to_syslog;

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
log_line(int level, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (to_syslog)
		syslog(level, "%s%s", context, text);
	else
		fprintf(stderr, "pflashd: %s%s\n", context, text);
}
