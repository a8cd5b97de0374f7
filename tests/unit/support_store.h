/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of the store: a scratch directory, whole files, and tables of
 * system calls that fail the Nth call or record what would be on a disk.
 */
#ifndef SUPPORT_STORE_H
#define SUPPORT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/store.h"

/* A file in memory. */
struct blob {
	uint8_t *data;
	size_t len;
};

/* A directory of the test's own; names in it are valid until it is removed. */
void scratch_make(void);
void scratch_remove(void);
const char *scratch_path(const char *name);

unsigned int scratch_entries(void);

/* store_create() with the kernel's calls, or these. */
int create_vars(const struct sys *sys, const char *path, const void *image,
		size_t size, struct error *err);

struct blob blob_read(const char *path);
struct blob blob_copy(const void *data, size_t len);
void blob_write(const char *path, const void *data, size_t len);
void blob_free(struct blob *blob);
bool blob_equal(const struct blob *blob, const void *data, size_t len);

/* The kernel's calls without the syncs, for tests that open thousands. */
extern const struct sys sys_unsynced;

enum fault_kind {
	FAULT_ERROR, /* the call fails with fault.error */
	FAULT_TORN,  /* a write does half, and the next call fails */
	FAULT_SHORT, /* a read or write does half, nothing fails */
	FAULT_EINTR, /* an interruptible call is interrupted once */
};

/* Which calls are counted and hit. */
enum fault_call {
	CALL_ANY,
	CALL_OPEN,
	CALL_WRITE,
	CALL_SYNC,
	CALL_SYNC_DIRECTORY,
	CALL_UNLINK,
	CALL_RENAME,
	CALL_OTHER,
};

/* What sys_faulty does to the call number `nth`, counted from 1. */
struct fault {
	enum fault_kind kind;
	enum fault_call only;
	int error;
	bool persistent; /* and to every one after it */
	unsigned int nth;
	unsigned int calls;
	unsigned int syncs;
	unsigned int hits;
};

extern struct fault fault;
extern const struct sys sys_faulty;

/*
 * CLOCK_REALTIME as the store sees it, in nanoseconds since 1970; 0: the true
 * one; CLOCK_BROKEN: clock_gettime() fails.
 */
#define CLOCK_BROKEN UINT64_MAX
extern uint64_t fake_clock;

/* getrandom() fails. */
extern bool no_random;

/*
 * The Nth allocation fails, whoever makes it.  memory_can_fail() says whether
 * that is so: a sanitizer has an allocator of its own.
 */
struct memory_fault {
	unsigned int nth;
	unsigned int calls;
	unsigned int hits;
};

extern struct memory_fault memory_fault;
bool memory_can_fail(void);

#endif
