/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives the chip and the model with the same events, and compares them after
 * each event. Also plays the chip's owner: keeps the array, and a window that
 * is filled whenever the chip calls show, and fails when an event says so.
 */
#ifndef PAIR_H
#define PAIR_H

#include "model.h"

enum pair_op {
	PAIR_WRITE,
	PAIR_READ,
	PAIR_HOST,    /* sets the host's result: off, value */
	PAIR_RESTORE, /* replace the chip by one restored from its state */
	PAIR_POWER,   /* new guest: keep the protection registers only */
	PAIR_REPORT,  /* the owner's own commit fails: value */
	PAIR_OPS,     /* number of event types */
};

/* PAIR_HOST: the meaning of `off`. */
enum pair_host {
	PAIR_HOST_CHANGE, /* result of programs and erases */
	PAIR_HOST_COMMIT,
	PAIR_HOST_PROTECT,
	PAIR_HOST_UNDO, /* value 1: failed commits undo the burst */
	PAIR_HOSTS,
};

struct pair_event {
	uint64_t off;
	uint64_t value; /* errno of PAIR_HOST, PAIR_REPORT: positive */
	uint8_t op;
	uint8_t size;
};

struct pair_setup {
	const struct geometry *geometry;
	enum cfi_personality personality;
	uint32_t partition; /* bytes; 0: as the personality says */
	bool show_busy;
};

struct pair {
	struct pair_setup setup;
	struct model model;
	struct cfi chips[2];
	struct cfi *chip; /* points into `chips` */
	uint8_t *array, *committed, *window, *view;
	uint64_t commits, programs, erases;
	uint32_t seen;  /* of `window`, for cfi_next_change() */
	int fail_after; /* programs and erases before a failure; < 0: none */
	bool failed;
	char why[512];
};

/* The errno values with which a host can fail; element 0 means success. */
extern const int pair_errors[4];

/*
 * A size of partitions that the chip accepts: 0, or 4 KiB doubled `choice` - 1
 * times.
 */
uint32_t pair_partition(const struct geometry *g,
			enum cfi_personality personality, unsigned int choice);

void pair_open(struct pair *p, const struct pair_setup *setup);
void pair_close(struct pair *p);

/* Applies an event; returns false on a difference, with a sentence in `why`. */
bool pair_apply(struct pair *p, const struct pair_event *event);

/* A write to the chip alone; the window shows what it changes. */
void pair_write(struct pair *p, uint64_t off, unsigned int size,
		uint64_t value);

/* Returns the chip's saved state, to be freed; NULL on a difference. */
uint8_t *pair_save(struct pair *p, size_t *size);

/* Compares array, window, cfi_render() and every read: slow. */
bool pair_compare(struct pair *p);

/* Prints one line. */
void pair_print(const struct pair_event *event);
void pair_print_setup(const struct pair_setup *setup);

/*
 * All widths, interleaves and numbers of regions. Those below PAIR_SMALL are
 * small enough for random events.
 */
enum { PAIR_SMALL = 10, PAIR_GEOMETRIES = 15 };

struct geometry pair_geometry(unsigned int number);

#endif
