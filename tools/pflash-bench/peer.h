/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What pflash-bench compares: flashes.  A peer is a shared object that has one
 * of these for each way it can be run; nothing else is known of it.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdint.h>

/* How much of the way of a write is in it. */
enum bench_kind {
	BENCH_CHIP, /* the state machine alone; nothing is kept */
	BENCH_FILE, /* and what keeps it in a file */
};

struct bench_flash {
	const char *name;
	enum bench_kind kind;
	/*
	 * A new one, all ones, of `size` bytes; BENCH_FILE: in a file of that
	 * size and name, which is there.  NULL with errno set.
	 */
	void *(*open)(const char *file, uint32_t size);
	/* Accesses of 1 to 8 bytes, little-endian, inside the flash. */
	void (*write)(void *flash, uint64_t off, unsigned int size,
		      uint64_t value);
	uint64_t (*read)(void *flash, uint64_t off, unsigned int size);
	void (*close)(void *flash);
};

/* The symbol of a peer's shared object; the list ends with a NULL. */
#define BENCH_PEER_SYMBOL "bench_peer"
extern const struct bench_flash *const bench_peer[];

#endif
