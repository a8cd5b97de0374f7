/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes a trace: pflash/trace.h.  Each line goes to the kernel at once.  Only
 * while the descriptor takes no more bytes do lines wait in the buffer, and
 * when it is full, accesses are lost.
 */
#include "pflash/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "pflash/names.h"
#include "pflash/text.h"

#define BUFFER (256u << 10)
#define LINE 32     /* bytes of the longest access, with its newline */
#define RESERVE 256 /* room for the lines of a hole and of the end, bytes */
#define TEXT 1280   /* bytes of the longest comment */

_Static_assert(LINE + RESERVE == TRACE_ROOM, "an access and what follows it");

struct trace {
	struct device *device;
	/* The operations of the region, as the device has added it. */
	const struct ioreq_region_ops *ops;
	void *opaque;
	int fd;
	bool broken; /* a write failed: nothing is written any more */
	uint64_t limit;
	uint64_t position; /* size of the file after the buffered bytes */
	const char *why;   /* it has ended; NULL: no */
	uint64_t hole;     /* accesses lost since the last line */
	struct trace_stats stats;
	size_t start, end; /* of the bytes in the buffer */
	char buffer[BUFFER];
};

/* Returns the number of bytes that the kernel took; 0: it takes none now. */
static size_t
write_some(struct trace *trace, const char *bytes, size_t len)
{
	ssize_t n;

	do
		n = write(trace->fd, bytes, len);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN) {
		trace->broken = true;
		trace->why = strerror(errno);
		trace->start = trace->end = 0;
	}
	if (n < 0)
		return 0;
	trace->stats.bytes += (uint64_t)n;
	return (size_t)n;
}

bool
trace_flush(struct trace *trace)
{
	size_t n = 1;

	while (n && trace->start < trace->end) {
		n = write_some(trace, trace->buffer + trace->start,
			       trace->end - trace->start);
		trace->start += n;
	}
	if (trace->start < trace->end)
		return false;
	trace->start = trace->end = 0;
	return true;
}

/* False: the buffer has no room for it; `reserve` is left free. */
static bool
put(struct trace *trace, const char *bytes, size_t len, size_t reserve)
{
	size_t done = 0;

	if (trace->broken)
		return false;
	while (trace_flush(trace) && done < len && !trace->broken) {
		size_t n = write_some(trace, bytes + done, len - done);

		done += n;
		if (n == 0)
			break;
	}
	if (trace->broken)
		return false;
	if (done == 0 && trace->start) {
		memmove(trace->buffer, trace->buffer + trace->start,
			trace->end - trace->start);
		trace->end -= trace->start;
		trace->start = 0;
	}
	if (len - done > BUFFER - reserve - trace->end)
		return false;
	memcpy(trace->buffer + trace->end, bytes + done, len - done);
	trace->end += len - done;
	trace->position += len;
	return true;
}

/* A line without its newline; a byte that is not printable becomes '?'. */
__attribute__((format(printf, 2, 3))) static void
put_line(struct trace *trace, const char *fmt, ...)
{
	char text[TEXT];
	va_list args;
	size_t len;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text) - 1, fmt, args);
	va_end(args);
	text_copy_printable(text, sizeof(text) - 1, text, sizeof(text));
	len = strlen(text);
	text[len] = '\n';
	(void)put(trace, text, len + 1, 0);
}

/* The line of a hole, as soon as half of the buffer is free. */
static bool
end_hole(struct trace *trace)
{
	if (!trace->hole)
		return true;
	if (!trace_flush(trace) && trace->end - trace->start > BUFFER / 2)
		return false;
	put_line(trace, TRACE_LOST "%" PRIu64 " accesses: the reader was slow",
		 trace->hole);
	trace->hole = 0;
	return true;
}

void
trace_end(struct trace *trace, const char *why)
{
	if (trace->why)
		return;
	if (trace->hole)
		put_line(trace,
			 TRACE_LOST "%" PRIu64 " accesses: the reader was slow",
			 trace->hole);
	put_line(trace, TRACE_END "%s", why);
	if (!trace->why)
		trace->why = why;
}

static size_t
put_hex(char *to, uint64_t value)
{
	static const char digits[] = "0123456789abcdef";
	unsigned int shift = 60;
	size_t len = 0;

	while (shift && !(value >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		to[len++] = digits[value >> shift & 15];
		if (shift == 0)
			return len;
	}
}

static void
record(struct trace *trace, char op, uint64_t off, unsigned int size,
       uint64_t value)
{
	char line[LINE] = { op, ' ' };
	size_t len = 2;

	if (trace->why)
		return;
	if (trace->limit && trace->position + TRACE_ROOM > trace->limit) {
		trace_end(trace, "the limit of its size is reached");
		return;
	}
	len += put_hex(line + len, off);
	line[len++] = ' ';
	line[len++] = (char)('0' + size);
	line[len++] = ' ';
	if (size < 8)
		value &= (UINT64_C(1) << 8 * size) - 1;
	len += put_hex(line + len, value);
	line[len++] = '\n';
	if (end_hole(trace) && put(trace, line, len, RESERVE)) {
		trace->stats.accesses++;
	} else if (!trace->broken) {
		trace->hole++;
		trace->stats.lost++;
	}
}

static uint64_t
tapped_read(void *opaque, uint64_t off, unsigned int size)
{
	struct trace *trace = opaque;
	uint64_t value = trace->ops->read(trace->opaque, off, size);

	record(trace, 'r', off, size, value);
	return value;
}

static void
tapped_write(void *opaque, uint64_t off, unsigned int size, uint64_t value)
{
	struct trace *trace = opaque;

	record(trace, 'w', off, size, value);
	trace->ops->write(trace->opaque, off, size, value);
}

static const struct ioreq_region_ops tapped = {
	.read = tapped_read,
	.write = tapped_write,
};

/* --- the header --- */

static void
put_geometry(struct trace *trace)
{
	const struct device_config *config = &trace->device->config;
	const struct geometry *g = &config->geometry;
	char blocks[128] = "";
	size_t len = 0;

	for (unsigned int i = 0; i < g->region_count; i++)
		len += (size_t)snprintf(blocks + len, sizeof(blocks) - len,
					"%s%ux%u", i ? "," : "",
					g->regions[i].block_size,
					g->regions[i].count);
	put_line(trace,
		 "# replay: pflash-replay --vars COPY --personality %s "
		 "--width %u --interleave %u --block-size %s",
		 parse_choice_name(names_personality, (int)config->personality),
		 g->width, g->interleave, blocks);
	if (config->partition)
		put_line(trace, "# replay: also --partition %u",
			 config->partition);
}

/* The store is between two bursts: trace_open() has committed. */
static void
put_store(struct trace *trace, const char *sync)
{
	const struct store *store = trace->device->store;
	struct store_open_burst burst;

	store_note_burst(store, &burst);
	put_line(trace, "# vars: %s", store_path(store));
	if (sync)
		put_line(trace, "# sync: %s", sync);
	put_line(trace, TRACE_SEQUENCE "%" PRIu64, burst.sequence);
	put_line(trace, TRACE_CHECKSUM "%08" PRIx32, store_checksum(store));
	if (store_failed(store))
		put_line(trace, "# the flash is read-only: %s",
			 store_failure(store));
}

/* The state of the chip, unless it is as after power-on. */
static void
put_chip(struct trace *trace)
{
	const struct cfi *chip = &trace->device->chip;
	size_t size = cfi_state_size(chip), len = strlen(TRACE_CHIP);
	struct cfi *fresh = malloc(sizeof(*fresh));
	uint8_t *now = malloc(2 * size);
	char *line = malloc(len + 2 * size + 1);

	if (fresh && now && line && cfi_init(fresh, &chip->config) == 0) {
		cfi_save(chip, now);
		cfi_save(fresh, now + size);
		memcpy(line, TRACE_CHIP, len);
		for (size_t i = 0; i < size; i++, len += 2)
			(void)snprintf(line + len, 3, "%02x", now[i]);
		line[len++] = '\n';
		if (memcmp(now, now + size, size) != 0)
			(void)put(trace, line, len, 0);
	}
	free(line);
	free(now);
	free(fresh);
}

static void
put_header(struct trace *trace, const struct trace_config *config)
{
	const struct device *device = trace->device;
	time_t seconds = time(NULL);
	char when[32] = "?";
	struct tm utc;

	if (gmtime_r(&seconds, &utc))
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
	if (config->hole)
		put_line(trace, TRACE_LOST "0 or more accesses: the worker "
					   "died; the last one may follow "
					   "again");
	put_line(trace, "%s",
		 config->continued ? "# continued by another worker" :
				     TRACE_MAGIC);
	put_line(trace, "# version: %s", PFLASH_VERSION);
	put_line(trace, "# time: %s", when);
	put_line(trace, "# base: %#" PRIx64 ", size: %u bytes",
		 device->config.base, device->config.geometry.size);
	put_line(trace, "# mode: %s",
		 device_mode(device) == WINDOW_DIRECT ?
			 "direct, so reads are missing" :
			 "trap");
	put_store(trace, config->sync);
	put_geometry(trace);
	put_chip(trace);
}

int
trace_open(struct trace **out, struct device *device,
	   const struct trace_config *config)
{
	struct trace *trace = malloc(sizeof(*trace));

	if (!trace) {
		close(config->fd);
		return -ENOMEM;
	}
	memset(trace, 0, offsetof(struct trace, buffer));
	trace->device = device;
	trace->fd = config->fd;
	trace->limit = config->limit;
	trace->position = config->size;
	trace->ops = &tapped;
	trace->opaque = trace;
	device_flush(device);
	put_header(trace, config);
	ioreq_server_exchange(device->server, IOREQ_SPACE_MEMORY,
			      device->config.base, &trace->ops, &trace->opaque);
	*out = trace;
	return 0;
}

void
trace_note(struct trace *trace, const char *text)
{
	if (!trace->why)
		put_line(trace, "# %s", text);
}

const char *
trace_ended(const struct trace *trace)
{
	return trace->why;
}

struct trace_stats
trace_stats(const struct trace *trace)
{
	return trace->stats;
}

void
trace_close(struct trace *trace, const char *why)
{
	const struct device *device = trace->device;

	trace_end(trace, why);
	(void)trace_flush(trace);
	ioreq_server_exchange(device->server, IOREQ_SPACE_MEMORY,
			      device->config.base, &trace->ops, &trace->opaque);
	close(trace->fd);
	free(trace);
}
