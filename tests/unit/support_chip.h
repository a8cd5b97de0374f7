/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of the chip: an owner that keeps the array and the view shown
 * last, counts the calls that it gets, and can fail.
 */
#ifndef SUPPORT_CHIP_H
#define SUPPORT_CHIP_H

#include "pflash/cfi.h"

#define SIZE 0x20000u
#define BLOCK 0x1000u

struct owner {
	uint8_t array[SIZE];
	uint8_t view[SIZE];
	uint8_t busy; /* SR that other readers saw during the last operation */
	uint32_t erased; /* length of the last erase */
	unsigned int programs, erases, commits, protects, shows;
	int fail_program, fail_erase, fail_commit,
		fail_protect; /* -errno, or 0 */
};

/*
 * Power on with one partition for the whole bank, under any personality, so
 * that a read of the view at any address is a test of the command.
 * test_partition.c tests the partitions.
 */
extern bool one_partition;

extern struct owner owner;
extern struct cfi chip;

/* One region of blocks of BLOCK bytes. */
struct geometry plain_geometry(unsigned int width, unsigned int interleave);

/* Powers on with an array of all ones. */
void power_on_bank(enum cfi_personality personality,
		   const struct geometry *geometry);

/* Powers on one x8 part. */
void power_on(enum cfi_personality personality);

/* A write of any size; the view is shown if the chip says that it changed. */
void write_chip(uint64_t off, unsigned int size, uint64_t value);

/* Shows the view as its owner does after cfi_write() or cfi_report(). */
void show(bool changed);

/* Accesses of the bus width; after a write cfi_verify() must hold. */
void w(uint64_t off, uint32_t value);
uint32_t r(uint64_t off);

/* Writes the values in sequence to one offset. */
#define W(off, ...)                                                            \
	w_all(off, (const uint32_t[]){ __VA_ARGS__ },                          \
	      sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))
void w_all(uint64_t off, const uint32_t *values, unsigned int count);

#endif
