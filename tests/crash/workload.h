/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The workloads: the operations on the file, the store's limits, and how many
 * power cuts are tried.
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
	unsigned int quick_seeds; /* 0: none; --long: as many as fit */
	bool faults;              /* calls fail, then the power is cut */
	const char *trace, *next; /* NULL: none */
};

extern const struct workload workloads[];
extern const size_t workload_count;

/* The directory of the traces. */
extern const char *trace_directory;

/*
 * Adds the bursts of a recorded boot with `image`, and makes it the image after
 * that boot; returns false if the trace cannot be read.
 */
bool trace_steps(struct script *script, const char *name, uint8_t *image,
		 uint32_t size);

#endif
