/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of the store: a scratch directory, whole files, and tables of
 * system calls in which the Nth call fails.
 */
#ifndef SUPPORT_STORE_H
#define SUPPORT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/store.h"

/* The contents of a file. */
struct blob {
	uint8_t *data;
	size_t len;
};

/*
 * Makes a directory for this test. A path returned by scratch_path() is valid
 * until scratch_remove().
 */
void scratch_make(void);
void scratch_remove(void);
const char *scratch_path(const char *name);

unsigned int scratch_entries(void);

/* Calls store_create() with `sys`; NULL: the kernel's calls. */
int create_vars(const struct sys *sys, const char *path, const void *image,
		size_t size, struct error *err);

struct blob blob_read(const char *path);

/* The decompressed contents of a file of tests/data. */
struct blob blob_gunzip(const char *path);
struct blob blob_copy(const void *data, size_t len);
void blob_write(const char *path, const void *data, size_t len);
void blob_free(struct blob *blob);
bool blob_equal(const struct blob *blob, const void *data, size_t len);

/*
 * The kernel's calls without the syncs, for tests that open thousands of
 * stores.
 */
extern const struct sys sys_unsynced;

enum fault_kind {
	FAULT_ERROR, /* the call fails with fault.error */
	FAULT_TORN,  /* a write does half, and the next call fails */
	FAULT_SHORT, /* a read or write does half, without an error */
	FAULT_EINTR, /* an interruptible call is interrupted once */
};

/* The calls that are counted and can fail. */
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

/* The fault that sys_faulty injects at call number `nth`, counted from 1. */
struct fault {
	enum fault_kind kind;
	enum fault_call only;
	int error;
	bool persistent; /* and at every later call */
	unsigned int nth;
	unsigned int calls;
	unsigned int syncs;
	unsigned int hits;
};

extern struct fault fault;
extern const struct sys sys_faulty;

/*
 * Replaces CLOCK_REALTIME, in nanoseconds since 1970; 0: the real clock;
 * CLOCK_BROKEN: clock_gettime() fails.
 */
#define CLOCK_BROKEN UINT64_MAX
extern uint64_t fake_clock;

/* Makes getrandom() fail. */
extern bool no_random;

/*
 * Makes the Nth allocation of the process fail. memory_can_fail() returns false
 * if that is not possible, because a sanitizer brings its own allocator.
 */
struct memory_fault {
	unsigned int nth;
	unsigned int calls;
	unsigned int hits;
};

extern struct memory_fault memory_fault;
bool memory_can_fail(void);

#endif
