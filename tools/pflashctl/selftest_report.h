/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report of the test guest (test=selftest): lines on its console.  A broken
 * guest may send anything; lines that are unknown are ignored.
 */
#ifndef PFLASHCTL_SELFTEST_REPORT_H
#define PFLASHCTL_SELFTEST_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The measurements that the guest makes, in the order of their table. */
enum {
	REPORT_WRITE,
	REPORT_ASLEEP,
	REPORT_VIEW,
	REPORT_BURST,
	REPORT_ERASE,
	REPORT_RAM_READ,
	REPORT_READ,
	REPORT_RAM_COPY,
	REPORT_COPY,
	REPORT_CYCLES,
};

/* Cycles; 0: not measured. */
struct report_cycles {
	uint64_t median, p90;
};

struct report {
	bool ready, ended, measured;
	bool sizes_ok, rounds_ok; /* since the last request */
	uint64_t round;           /* the last one that was reported */
	char failure[128];        /* the first check that failed, or "" */
	struct report_cycles cycles[REPORT_CYCLES];
};

/* Takes one line, without its end; it may contain NUL bytes. */
void report_line(struct report *report, const char *line, size_t len);

/* The name of a measurement in the report, and for people. */
const char *report_cycles_name(int index);
const char *report_cycles_text(int index);

/* The rounds of the guest: the bytes that round N leaves in its block. */
#define REPORT_ROUND_BYTES 32u
#define REPORT_ROUND_EVEN 0x11000u
#define REPORT_ROUND_ODD 0x12000u

/* True if the image has the whole round in its block; 0 is always there. */
bool report_has_round(const uint8_t *image, size_t size, uint64_t round);

enum report_verdict {
	REPORT_KEPT,
	REPORT_LOST, /* the round that was reported is not in the image */
	REPORT_TORN, /* the round behind it is there in parts */
};

/* Judges the image after the report of `round`; see guest/selftest.c. */
enum report_verdict report_judge(const uint8_t *image, size_t size,
				 uint64_t round);

#endif
