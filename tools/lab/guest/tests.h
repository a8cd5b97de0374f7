/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs the guest can run. All write only to the spare area: the upper
 * half of a 128 KiB VARS image, which is erased at first.
 */
#ifndef LAB_GUEST_TESTS_H
#define LAB_GUEST_TESTS_H

#include <stdint.h>

/* Every kind of access, in a fixed order. */
void test_script(void);

/* `count` accesses drawn from a generator that starts from `seed`. */
void test_random(uint64_t seed, uint64_t count);

/* Reads and writes where no flash is. */
void test_hole(void);

/* Cost of accesses in time-stamp counter cycles, as "# " lines. */
void test_bench(uint64_t rounds);

#endif
