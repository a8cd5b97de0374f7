/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tests of the guest. Tests with one vCPU write only to the spare area: the
 * upper half of a 128 KiB VARS image, erased at the start.
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

/* Reads and writes at addresses without a flash. */
void test_hole(void);

struct bench {
	uint64_t base, answer; /* answer: of a server without a flash, or 0 */
	uint64_t count;        /* accesses in each measurement */
	uint64_t rounds;
};

/* Cost of accesses in time-stamp counter cycles, as "# " lines. */
void test_bench(const struct bench *bench);

/* A shorter one, of tens of accesses for each line; `pause` is the time, in
 * cycles, after which the server of a flash sleeps. A time of writes is the
 * median; a line NAME-p90 has the 90th percentile. */
void bench_short(uint64_t pause);

/* Executes requests until the end is typed (selftest.c). */
void test_selftest(uint64_t pause);

/* The command of the chip in which the guest waits (control.h). */
enum middle_at {
	MIDDLE_REST, /* in no command */
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
	uint8_t seed; /* the test leaves bytes SEED, SEED + 1, ... */
};

/* The last line is "# middle ok", or "# middle failed". */
void test_middle(const struct middle *middle);

struct steady {
	struct control control;
	uint8_t seed;
};

/*
 * Rounds of erase and program until a line is typed; sometimes reports "# round
 * N". The last line is "# steady ok after N", and the block has the bytes of
 * test_middle() with the seed SEED + N; or "# steady failed", after lines with
 * the errors.
 */
void test_steady(const struct steady *steady);

/*
 * For each of the images of `size` bytes, a multiple of the block, in the
 * `bytes` at `wanted`: erases and programs what differs from it, once with one
 * burst for each block, and once with many, since a flash may refuse it.
 * Reports "# become: N blocks erased, N bytes programmed, N bytes differ" for
 * each, and waits for a line.
 */
struct become {
	const uint8_t *wanted;
	uint32_t bytes, size;
	struct control control;
};

void test_become(const struct become *become);

/* Concurrent accesses of several vCPUs to a flash of `size` bytes. They write
 * to its last blocks: a shared block, followed by one block for each vCPU. */
struct hammer {
	unsigned int vcpus;
	unsigned int count;
	uint32_t size;
};

/* All vCPUs with and without a lock, `count` times each. Reports an error by a
 * line "# failed"; the last line, "# crc32", has the checksum of the expected
 * contents of the flash. */
void test_hammer(struct hammer hammer);

/* The vCPUs come online one after another, the highest number first, while
 * those online write. Ends like test_hammer(). */
void test_late(struct hammer hammer);

/* Harmful accesses by `vcpus` vCPUs, without an end. */
struct hostile {
	uint64_t seed;
	unsigned int vcpus;
	uint32_t size;
	bool balloon; /* also accesses for which Xen may crash it */
};

void test_hostile(struct hostile hostile);

/* Handles an exception of test_hostile() with this stack; else returns. */
bool hostile_goes_on(uintptr_t stack);

#endif
