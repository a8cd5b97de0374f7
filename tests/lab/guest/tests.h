/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs the guest can run. Those of one vCPU write only to the spare
 * area: the upper half of a 128 KiB VARS image, which is erased at first.
 */
#ifndef LAB_GUEST_TESTS_H
#define LAB_GUEST_TESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"

/* Every kind of access, in a fixed order. */
void test_script(void);

/* `count` accesses drawn from a generator that starts from `seed`. */
void test_random(uint64_t seed, uint64_t count);

/* Reads and writes where no flash is. */
void test_hole(void);

struct bench {
	uint64_t base, answer; /* where a server that only answers is, or 0 */
	uint64_t count;        /* of accesses, for one figure */
	uint64_t rounds;
};

/* Cost of accesses in time-stamp counter cycles, as "# " lines. */
void test_bench(const struct bench *bench);

/* Where in a command of the chip the guest waits (control.h). */
enum middle_at {
	MIDDLE_REST, /* in none */
	MIDDLE_BUFFER,
	MIDDLE_WORD,
	MIDDLE_ERASE,
	MIDDLE_SUSPEND,
	MIDDLE_STATUS,
	MIDDLE_ID,
};

struct middle {
	enum middle_at at;
	struct control control;
	uint8_t seed; /* first of the bytes SEED, SEED + 1, ... it leaves */
};

/* The last line is "# middle ok", or "# middle failed". */
void test_middle(const struct middle *middle);

struct steady {
	struct control control;
	uint8_t seed;
};

/*
 * Rounds of erase and program until a line is typed, "# round N" now and then.
 * The last line is "# steady ok after N", and the bytes it leaves are those of
 * test_middle() with the seed SEED + N; or "# steady failed", behind lines that
 * say what was wrong.
 */
void test_steady(const struct steady *steady);

/* What several vCPUs do at once to a flash of `size` bytes. They write to its
 * last blocks: one that they share, and one for each behind it. */
struct hammer {
	unsigned int vcpus;
	unsigned int count;
	uint32_t size;
};

/* All of them with and without a lock, `count` times each. A line "# failed"
 * for what must not be; the last one, "# crc32", is of the flash as it should
 * be in the end. */
void test_hammer(struct hammer hammer);

/* They come online one after the other, the highest number first, while those
 * that are there write. Ends as test_hammer() does. */
void test_late(struct hammer hammer);

/* What a guest of `vcpus` vCPUs can do that means harm. It never ends. */
struct hostile {
	uint64_t seed;
	unsigned int vcpus;
	uint32_t size;
	bool balloon; /* it also does what Xen may crash it for */
};

void test_hostile(struct hostile hostile);

/* An exception on this stack: does not return if it is one of that test's. */
bool hostile_goes_on(uintptr_t stack);

#endif
