/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/relay.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define CHUNK 4096
#define CHUNKS 16 /* at once: a pipe holds that much */

/* Lines of the worker: 500 at once, two a second after that. */
static const struct limit_config rate = { .rate = 2, .burst = 500 };

void
relay_init(struct relay *relay)
{
	*relay = (struct relay){ .lines = 0 };
	limit_init(&relay->limit, &rate, 0, limit_clock());
}

/*
 * "<N>text" as sd-daemon(3) has it; a line without it is a warning.  LOG_ERR is
 * the worker's worst: syslogd shows LOG_EMERG on every terminal of the host.
 */
static int
take_level(const char **line)
{
	const char *text = *line;

	if (text[0] != '<' || text[1] < '0' || text[1] > '7' || text[2] != '>')
		return LOG_WARNING;
	*line += 3;
	return text[1] - '0' < LOG_ERR ? LOG_ERR : text[1] - '0';
}

static void
log_one(struct relay *relay)
{
	const char *line = relay->line;
	int level;

	relay->line[relay->length] = '\0';
	relay->length = 0;
	level = take_level(&line);
	if (!limit_allows(&relay->limit, relay->lines, limit_clock())) {
		relay->dropped++;
		return;
	}
	if (relay->dropped)
		log_line(LOG_WARNING,
			 "the worker's log: %" PRIu64 " lines were dropped",
			 relay->dropped);
	relay->dropped = 0;
	relay->lines++;
	log_line(level, "%s", line);
}

static void
take(struct relay *relay, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] == '\n') {
			log_one(relay);
			continue;
		}
		if (relay->length == RELAY_LINE)
			log_one(relay);
		relay->line[relay->length++] = bytes[i];
	}
}

bool
relay_read(struct relay *relay, int fd)
{
	char bytes[CHUNK];
	ssize_t count;

	for (int i = 0; i < CHUNKS; i++) {
		count = read(fd, bytes, sizeof(bytes));
		if (count <= 0)
			return count < 0;
		take(relay, bytes, (size_t)count);
	}
	return true;
}

void
relay_finish(struct relay *relay, int fd)
{
	(void)relay_read(relay, fd);
	if (relay->length > 0)
		log_one(relay);
}
