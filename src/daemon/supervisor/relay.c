/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/relay.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "limit.h"
#include "log.h"

/* One relay_read() reads so much, which is a pipe's default capacity. */
#define CHUNK 4096
#define CHUNKS 16

struct relay {
	struct limit limit;
	uint64_t logged;  /* lines */
	uint64_t dropped; /* lines, since the last one that was logged */
	size_t length;    /* of the line that has not ended yet */
	char line[RELAY_LINE + 1];
};

static const struct limit_config rate = { .rate = 2, .burst = 500 };

struct relay *
relay_open(void)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay)
		limit_init(&relay->limit, &rate, 0, limit_clock());
	return relay;
}

void
relay_close(struct relay *relay)
{
	free(relay);
}

/*
 * Returns the level of "<N>text", the format of sd-daemon(3), and moves *line
 * behind the prefix.  A line without the prefix is a warning.  The level is at
 * most LOG_ERR: syslogd shows LOG_EMERG on every terminal of the host.
 */
static int
parse_level(const char **line)
{
	const char *text = *line;

	if (text[0] != '<' || text[1] < '0' || text[1] > '7' || text[2] != '>')
		return LOG_WARNING;
	*line += 3;
	return text[1] - '0' < LOG_ERR ? LOG_ERR : text[1] - '0';
}

/* Logs the line that has ended, or drops it. */
static void
end_line(struct relay *relay)
{
	const char *line = relay->line;
	int level;

	relay->line[relay->length] = '\0';
	relay->length = 0;
	level = parse_level(&line);
	if (!limit_allows(&relay->limit, relay->logged, limit_clock())) {
		relay->dropped++;
		return;
	}
	if (relay->dropped)
		log_line(LOG_WARNING,
			 "the worker's log: %" PRIu64 " lines were dropped",
			 relay->dropped);
	relay->dropped = 0;
	relay->logged++;
	log_line(level, "%s", line);
}

static void
add_bytes(struct relay *relay, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] == '\n') {
			end_line(relay);
			continue;
		}
		if (relay->length == RELAY_LINE)
			end_line(relay);
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
		add_bytes(relay, bytes, (size_t)count);
	}
	return true;
}

void
relay_finish(struct relay *relay, int fd)
{
	(void)relay_read(relay, fd);
	if (relay->length > 0)
		end_line(relay);
}
