/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pflash/text.h"

#define LINE 1024

static char context[256];
static char last_error[LINE];
static enum { TO_STDERR, TO_SYSLOG, TO_SUPERVISOR } where;

void
log_context(const char *text)
{
	(void)snprintf(context, sizeof(context), "%s: ", text);
}

void
log_to_syslog(void)
{
	openlog("pflashd", LOG_PID, LOG_DAEMON);
	where = TO_SYSLOG;
}

void
log_to_supervisor(void)
{
	where = TO_SUPERVISOR;
}

const char *
log_last_error(void)
{
	return last_error;
}

/* write(2) is atomic up to PIPE_BUF bytes: one call for the line. */
static void
hand_over(int level, const char *text)
{
	char line[LINE + 8];
	int len = snprintf(line, sizeof(line), "<%d>%s\n", level, text);

	(void)!write(STDERR_FILENO, line, (size_t)len);
}

void
log_line(int level, const char *fmt, ...)
{
	char text[LINE];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	text_copy_printable(text, sizeof(text), text, sizeof(text));
	if (level == LOG_ERR)
		memcpy(last_error, text, sizeof(text));
	if (where == TO_SUPERVISOR)
		hand_over(level, text);
	else if (where == TO_SYSLOG)
		syslog(level, "%s%s", context, text);
	else
		fprintf(stderr, "pflashd: %s%s\n", context, text);
}
