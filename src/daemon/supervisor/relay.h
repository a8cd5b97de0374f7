/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies the worker's log lines to the supervisor's log.  The worker may be
 * hostile: long lines are split, control characters replaced (log_line() does
 * that), the level is at most LOG_ERR, and the rate is limited to 500 lines at
 * once and two a second after that.  Lines over the limit are dropped; the next
 * logged line is preceded by their number.
 */
#ifndef PFLASHD_RELAY_H
#define PFLASHD_RELAY_H

#include <stdbool.h>

/* The longest line, bytes; a longer one is logged as several lines. */
#define RELAY_LINE 1000

struct relay;

/* NULL: out of memory.  relay_close() frees it. */
struct relay *relay_open(void);
void relay_close(struct relay *relay);

/*
 * Logs the complete lines that are in the pipe `fd`, which must not block.  One
 * call reads at most 64 KiB, so that a worker that writes without end does not
 * hold up the supervisor.  Returns false at the end of the pipe, when all
 * writers have closed it: `fd` is readable for ever then.
 */
bool relay_read(struct relay *relay, int fd);

/* As relay_read(), and logs also the last line without a newline. */
void relay_finish(struct relay *relay, int fd);

#endif
