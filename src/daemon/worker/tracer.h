/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace of the worker's flash (pflash/trace.h).  The supervisor decides
 * where it goes: the worker opens CHANNEL_TRACE when it starts with --trace,
 * and at each order CHANNEL_NEW_TRACE.
 */
#ifndef PFLASHD_TRACER_H
#define PFLASHD_TRACER_H

#include <stdbool.h>

#include "worker/flash.h"

/*
 * Asks the supervisor for the trace: begins it, or ends the one that runs.  A
 * failure is logged.
 */
void tracer_change(struct flash *flash);

/*
 * Writes what the trace has buffered.  False: its reader is slow, call it again
 * later.  Closes a trace that has ended.
 */
bool tracer_flush(struct flash *flash);

/* Ends the trace, if there is one, and closes it. */
void tracer_end(struct flash *flash, const char *why);

/* Updates the report to the supervisor (channel.h). */
void tracer_report(const struct flash *flash);

#endif
