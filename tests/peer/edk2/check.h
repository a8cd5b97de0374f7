/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenarios, what they count, and the plain memory they compare the flash
 * with.  Each scenario runs in a process of its own, so that edk2's drivers
 * start with fresh variables, as after a power-on.
 */
#ifndef PEER_CHECK_H
#define PEER_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_options {
	const char *client;  /* named in the result line */
	const char *version; /* of edk2 */
	const char *dir;     /* for files */
	uint64_t seed;
	bool longer;
};

extern struct check_options check_options;

/* Of all scenarios; shared with their processes. */
struct check_totals {
	uint64_t accesses;
	uint64_t stores; /* of these */
	uint64_t operations;
	uint64_t differences;
	bool failed;
};

extern struct check_totals *check_totals;

/* --version V --dir D --seed N --long */
void check_start(const char *client, int argc, char **argv);

/* Runs it and prints ok or not ok; `arg` is what it is called with. */
void check_scenario(const char *name, void (*run)(const void *arg),
		    const void *arg);

/* Prints the result line; the exit code. */
int check_finish(void);

/* One operation more was compared, and differed if `same` is false. */
__attribute__((format(printf, 2, 3))) bool check_that(bool same,
						      const char *fmt, ...);

/* Ends the scenario, for nothing after it could be right. */
__attribute__((format(printf, 1, 2), noreturn)) void check_give_up(
	const char *fmt, ...);

/* A file of this name in the directory; the string is static. */
const char *check_path(const char *name);

/* Pseudo-random numbers; the same for the same seed and scenario. */
uint32_t check_random(void);
uint32_t check_below(uint32_t limit); /* 0 to limit - 1 */

/* What the flash should hold. */
struct model {
	uint8_t *bytes;
	uint32_t size;
};

void model_open(struct model *model, uint32_t size);
void model_fill(struct model *model, uint32_t off, uint8_t value, uint32_t len);

/* The file `name` in the directory, with the model's contents. */
const char *model_write_file(const struct model *model, const char *name);

/* Compares the first `len` bytes; one operation. */
bool model_same(const struct model *model, uint32_t off, const uint8_t *bytes,
		uint32_t len, const char *what);

/* Bytes of one of several kinds: random, ones, zeroes, flash commands. */
void check_random_data(uint8_t *data, uint32_t len);

#endif
