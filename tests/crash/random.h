/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CRASH_RANDOM_H
#define CRASH_RANDOM_H

#include <stdint.h>

static inline uint64_t
mix(uint64_t a, uint64_t b)
{
	uint64_t x = a + 0x9e3779b97f4a7c15u * (b + 1);

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Returns the next number of a sequence. */
static inline uint64_t
draw(uint64_t *state)
{
	return mix(++*state, 0x2545f491);
}

static inline uint32_t
below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((draw(state) >> 32) * limit >> 32);
}

#endif
