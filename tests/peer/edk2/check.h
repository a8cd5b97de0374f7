/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs and counts scenarios, and keeps the plain memory with which they compare
 * the flash. Each scenario runs in its own process, so that edk2's drivers
 * start with initial variables, as after a power-on.
 */
#ifndef PEER_CHECK_H
#define PEER_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_options {
	const char *client;  /* the name in the result line */
	const char *version; /* of edk2 */
	const char *dir;     /* for temporary files */
	uint64_t seed;
	bool longer;
};

extern struct check_options check_options;

/* Sums over all scenarios, in memory shared with their processes. */
struct check_totals {
	uint64_t accesses;
	uint64_t stores; /* operations that were stores */
	uint64_t operations;
	uint64_t differences;
	bool failed;
};

extern struct check_totals *check_totals;

/* Parses the options --version V --dir D --seed N --long. */
void check_start(const char *client, int argc, char **argv);

/* Runs run(arg) as a scenario and prints `ok` or `not ok`. */
void check_scenario(const char *name, void (*run)(const void *arg),
		    const void *arg);

/* Prints the result line; returns the exit code. */
int check_finish(void);

/* Counts one comparison; prints the message if `same` is false. */
__attribute__((format(printf, 2, 3))) bool check_that(bool same,
						      const char *fmt, ...);

/* Ends the scenario after an error that makes any later result meaningless. */
__attribute__((format(printf, 1, 2), noreturn)) void check_give_up(
	const char *fmt, ...);

/* Returns the path of file `name` in the directory; the string is static. */
const char *check_path(const char *name);

/* Pseudo-random numbers; equal for equal seed and scenario. */
uint32_t check_random(void);
uint32_t check_below(uint32_t limit); /* 0 to limit - 1 */

/* The expected contents of the flash. */
struct model {
	uint8_t *bytes;
	uint32_t size;
};

void model_open(struct model *model, uint32_t size);
void model_fill(struct model *model, uint32_t off, uint8_t value, uint32_t len);

/*
 * Writes the model's contents to file `name` in the directory; returns its
 * path.
 */
const char *model_write_file(const struct model *model, const char *name);

/* Compares the first `len` bytes, as one operation. */
bool model_same(const struct model *model, uint32_t off, const uint8_t *bytes,
		uint32_t len, const char *what);

/* Fills in random data, ones, zeroes or flash commands; the kind is random. */
void check_random_data(uint8_t *data, uint32_t len);

#endif
