/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-2-4, a keyed hash of 64 bits (Aumasson and Bernstein, "SipHash: a
 * fast short-input PRF", 2012).  Without the key nobody can find inputs that
 * collide.
 */
#ifndef FV_SIPHASH_H
#define FV_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint64_t key[2], const void *input, size_t len);

#endif
