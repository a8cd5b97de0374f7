/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Common to all fuzz targets: reads the input byte by byte, and aborts with a
 * message when a condition does not hold.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct input {
	const uint8_t *data;
	size_t left;
};

/* Takes a little-endian number; missing bytes are 0xff. */
static inline uint64_t
take(struct input *in, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes; i++) {
		uint8_t byte = 0xff;

		if (in->left > 0) {
			byte = *in->data++;
			in->left--;
		}
		value |= (uint64_t)byte << (8 * i);
	}
	return value;
}

static inline void
demand(bool holds, const char *what)
{
	if (holds)
		return;
	printf("%s: %s\n", program_invocation_short_name, what);
	fflush(stdout);
	abort();
}

#endif
