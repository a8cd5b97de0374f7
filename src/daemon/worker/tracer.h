/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace of the worker's flash (pflash/trace.h).  The supervisor decides
 * where it goes: the worker opens CHANNEL_TRACE when it starts with --trace,
 * and at each order CHANNEL_NEW_TRACE.
 */
#ifndef PFLASHD_TRACER_H
#define PFLASHD_TRACER_H

#include "worker/flash.h"

/*
 * Asks the supervisor for the trace: begins it, or ends the one that runs.  A
 * failure is logged.
 */
void tracer_change(struct flash *flash);

/*
 * Writes what the trace has buffered.  Returns the descriptor to watch until it
 * is writable, or -1: nothing waits.  Closes a trace that has ended.
 */
int tracer_flush(struct flash *flash);

/* Ends the trace, if there is one, and closes it. */
void tracer_end(struct flash *flash, const char *why);

/* Updates the report to the supervisor (channel.h). */
void tracer_report(const struct flash *flash);

#endif
