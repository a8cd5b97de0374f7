/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traces: records the guest's accesses of one flash device, in the format that
 * pflash-replay(1) reads; docs/observability.md describes the lines.
 *
 * A trace stands between the server and the device: it replaces the operations
 * of the device's region (ioreq_server_exchange()).  Without a trace an access
 * costs nothing more.  Each access is written before it takes effect, a read
 * after it, so that the last line of a trace is the access at which the process
 * died.
 *
 * No failure of a trace reaches the guest.  A trace whose reader is slow loses
 * accesses, and a line says how many; the process never waits for the reader.
 */
#ifndef PFLASH_TRACE_H
#define PFLASH_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/device.h"

/* The first line of a trace, without its newline. */
#define TRACE_MAGIC "# pflashd trace 1"
/* Begins the line of a hole; pflash-replay stops there. */
#define TRACE_LOST "lost "
/* Begins the last line. */
#define TRACE_END "# end: "
/* Begin the lines of the header that another program reads. */
#define TRACE_SEQUENCE "# sequence: " /* decimal; store_open_burst.sequence */
#define TRACE_CHECKSUM "# checksum: " /* hexadecimal, 8 digits */
/* Begins the line of the chip's state, in hexadecimal digits. */
#define TRACE_CHIP "c "

#define TRACE_LIMIT (UINT64_C(64) << 20) /* bytes, the default */
#define TRACE_LIMIT_LEAST (UINT64_C(64) << 10)
#define TRACE_LIMIT_MOST (UINT64_C(1) << 30)
/* A trace ends when it has less room than this, for an access and its end. */
#define TRACE_ROOM 288u /* bytes */

struct trace_config {
	/*
	 * The trace writes to this descriptor, and closes it, also after a
	 * failure of trace_open().  A socket or a pipe must be non-blocking.
	 */
	int fd;
	uint64_t limit; /* bytes to write, with the last line; 0: none */
	uint64_t size;  /* bytes that the file has already */
	/* An earlier process has written to the file; it died if `hole`. */
	bool continued, hole;
	const char *sync; /* the words of --sync, for the header */
};

struct trace_stats {
	uint64_t accesses; /* written, or waiting to be written */
	uint64_t lost;
	uint64_t bytes; /* written */
};

struct trace;

/*
 * Begins a trace of the device, which is connected to a store, and writes its
 * header.  Commits the open burst, so that the image at the start is a point of
 * the history.  0, and trace_close() frees *out before the device is closed; or
 * -errno.
 */
int trace_open(struct trace **out, struct device *device,
	       const struct trace_config *config);

/* Writes a comment. */
void trace_note(struct trace *trace, const char *text);

/*
 * Writes what is buffered, as far as that is possible without waiting.  True:
 * nothing is left; false: call it again later.
 */
bool trace_flush(struct trace *trace);

/*
 * Why the trace has ended by itself: its limit, or a failed write; NULL: it has
 * not.  It records nothing any more.
 */
const char *trace_ended(const struct trace *trace);

/* Ends the trace with a last line, unless it has ended; it stays open. */
void trace_end(struct trace *trace, const char *why);

struct trace_stats trace_stats(const struct trace *trace);

/*
 * trace_end(), gives the device its region back, closes the descriptor, frees
 * the trace.  What cannot be written without waiting is lost.
 */
void trace_close(struct trace *trace, const char *why);

#endif
