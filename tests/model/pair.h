/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip and the model side by side: both get the same events, and after
 * each of them what they say is compared.  The chip's owner is here too: it
 * keeps the array, a window filled whenever the chip says show, and fails as
 * it is told.
 */
#ifndef PAIR_H
#define PAIR_H

#include "model.h"

enum pair_op {
	PAIR_WRITE,
	PAIR_READ,
	PAIR_HOST,    /* from here on the host answers: off, value */
	PAIR_RESTORE, /* go on with a second chip, restored from the first */
	PAIR_POWER,   /* a new guest: only the protection registers stay */
	PAIR_REPORT,  /* a commit behind the chip's back failed: value */
	PAIR_OPS,     /* number of them */
};

/* The `off` of PAIR_HOST. */
enum pair_host {
	PAIR_HOST_CHANGE, /* programs and erases */
	PAIR_HOST_COMMIT,
	PAIR_HOST_PROTECT,
	PAIR_HOST_UNDO, /* failed commits take the burst back: value 1 */
	PAIR_HOSTS,
};

struct pair_event {
	uint64_t off;
	uint64_t value; /* an errno of PAIR_HOST and PAIR_REPORT is positive */
	uint8_t op;
	uint8_t size;
};

struct pair_setup {
	const struct geometry *geometry;
	enum cfi_personality personality;
	bool show_busy;
};

struct pair {
	struct pair_setup setup;
	struct model model;
	struct cfi chips[2];
	struct cfi *chip; /* one of them */
	uint8_t *array, *committed, *window, *view;
	uint64_t commits, programs, erases;
	int fail_after; /* programs and erases from now on; below 0: never */
	bool failed;
	char why[512];
};

/* The errno values that a host is told to fail with; 0 is the first. */
extern const int pair_errors[4];

void pair_open(struct pair *p, const struct pair_setup *setup);
void pair_close(struct pair *p);

/* Applies an event; false on a difference, with a sentence in why. */
bool pair_apply(struct pair *p, const struct pair_event *event);

/* A write to the chip alone; the window shows what it changes. */
void pair_write(struct pair *p, uint64_t off, unsigned int size,
		uint64_t value);

/* The chip's record, to be freed by the caller; NULL on a difference. */
uint8_t *pair_save(struct pair *p, size_t *size);

/* Compares array, window, cfi_render() and every read: slow. */
bool pair_compare(struct pair *p);

/* One line. */
void pair_print(const struct pair_event *event);
void pair_print_setup(const struct pair_setup *setup);

/* All widths, interleaves and numbers of regions; small up to PAIR_SMALL. */
enum { PAIR_SMALL = 10, PAIR_GEOMETRIES = 15 };

struct geometry pair_geometry(unsigned int number);

#endif
