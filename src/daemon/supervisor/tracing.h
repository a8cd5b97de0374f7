/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the trace of the flash goes: the file of --trace, or the connection of
 * a client of the control socket.  The worker writes it, and the supervisor
 * reads none of it.  There is one trace at a time.
 */
#ifndef PFLASHD_TRACING_H
#define PFLASHD_TRACING_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "pflash/error.h"

struct supervisor;

/* A part of struct supervisor. */
struct tracing {
	int file;     /* of --trace; -1: not open */
	bool started; /* a worker has written to it */
	bool over;    /* it is not traced any more */
	int client;   /* -1: none */
	ev_io gone;   /* the client sends something or closes */
};

void tracing_init(struct supervisor *s);

/* A worker starts, which writes to the file of --trace. */
void tracing_begin(struct supervisor *s);

/* Implements broker.trace. */
int tracing_descriptor(void *opaque, uint32_t *flags);

/*
 * The commands CONTROL_TRACE and CONTROL_TRACE_STOP, as control_ops.command;
 * tracing_stream() implements control_ops.stream.
 */
int tracing_start(struct supervisor *s, struct error *err);
int tracing_stop(struct supervisor *s, struct error *err);
void tracing_stream(void *opaque, int fd);

/* The worker has ended: closes the connection of the client. */
void tracing_worker_ended(struct supervisor *s);

/* Closes all. */
void tracing_close(struct supervisor *s);

/* The value of STATUS_TRACE. */
const char *tracing_state(const struct supervisor *s);

#endif
