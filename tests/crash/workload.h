/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The workloads: what is done with the file, with which limits, and how
 * thoroughly the power is cut.
 */
#ifndef CRASH_WORKLOAD_H
#define CRASH_WORKLOAD_H

#include "explore.h"

struct workload {
	const char *name;
	void (*build)(struct script *script, const struct workload *workload,
		      uint64_t seed);
	struct setting setting;
	struct plan quick, full;
	unsigned int quick_seeds; /* 0: not at all; at length, as many as fit */
	bool faults;              /* calls fail, then the power is cut */
	const char *trace;
};

extern const struct workload workloads[];
extern const size_t workload_count;

/* Where the traces are. */
extern const char *trace_directory;

/* The bursts of a recorded boot, on a blank image; false: it can't be read. */
bool trace_steps(struct script *script, const char *name, uint32_t size);

#endif
