/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flash for pflash-bench.  A peer is a shared object with a list of flashes,
 * one for each of its modes; pflash-bench uses nothing else of it.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdint.h>

/* The part of a write's path that the flash contains. */
enum bench_kind {
	BENCH_CHIP, /* only the state machine; nothing is stored */
	BENCH_FILE, /* the state machine, and the storage in a file */
};

struct bench_flash {
	const char *name;
	enum bench_kind kind;
	/*
	 * Makes an erased flash of `size` bytes.  BENCH_FILE: in the existing
	 * file of this name and size.  NULL with errno set.
	 */
	void *(*open)(const char *file, uint32_t size);
	/* Accesses of 1 to 8 bytes, little-endian, inside the flash. */
	void (*write)(void *flash, uint64_t off, unsigned int size,
		      uint64_t value);
	uint64_t (*read)(void *flash, uint64_t off, unsigned int size);
	void (*close)(void *flash);
	/* The number of syncs since the start; NULL: it never syncs. */
	uint64_t (*syncs)(const void *flash);
};

/* The symbol of the list in a shared object; NULL ends the list. */
#define BENCH_PEER_SYMBOL "bench_peer"
extern const struct bench_flash *const bench_peer[];

#endif
