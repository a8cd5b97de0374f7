/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A second implementation of the chip, for comparison. It was written from
 * docs/chip.md and docs/personalities.md alone; of src/cfi it uses only the
 * numbers in its headers. It is slow and simple: one byte at a time, no caches,
 * so that it is easy to compare with the specification.
 *
 * Where the specification leaves a choice, a comment in model.c that begins
 * with "Choice:" names the one taken.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/cfi.h"
#include "pflash/geometry.h"

enum {
	MODEL_MAX_BLOCKS = GEOMETRY_MAX_BLOCKS,
	MODEL_MAX_PARTITIONS = 4096,
	MODEL_BUFFER = 256,
};

enum model_wait {
	MODEL_COMMAND,
	MODEL_PROGRAM_DATA,
	MODEL_ERASE_CONFIRM,
	MODEL_LOCK_CODE,
	MODEL_PROTECT_DATA,
	MODEL_BUFFER_COUNT,
	MODEL_BUFFER_DATA,
	MODEL_BUFFER_CONFIRM,
};

enum model_view {
	MODEL_ARRAY,
	MODEL_STATUS,
	MODEL_XSR,
	MODEL_ID,
	MODEL_QUERY,
};

/* The last operation, which a SUSPEND in the next cycle could suspend. */
enum model_last { MODEL_NOTHING, MODEL_PROGRAMMED, MODEL_ERASED };

/* The view of a partition; `word` is what STATUS and XSR read. */
struct model_shown {
	enum model_view view;
	uint8_t word;
};

struct model_lock {
	bool locked, down;
};

struct model_part {
	enum model_wait wait;
	struct model_shown shown[MODEL_MAX_PARTITIONS];
	uint32_t partition; /* that the last cycle addressed */
	uint8_t status;
	enum model_last last;
	uint32_t erased_block;
	struct model_lock locks[MODEL_MAX_BLOCKS];
	uint16_t protect_lock;     /* PR-LK */
	uint8_t protect_bytes[16]; /* factory half, then user half */
	bool programmed_in_burst, erased_in_burst;
	/*
	 * The state of a buffered program; `start` is the address of buffer[0].
	 */
	uint32_t count, taken, start;
	bool bad_load;
	uint16_t buffer[MODEL_BUFFER];
	bool loaded[MODEL_BUFFER]; /* the word was loaded */
};

/* The results that the host returns: 0 or -errno. */
struct model_host {
	int program, erase, commit, protect;
	bool undo; /* a failed commit undoes the burst */
};

struct model {
	struct geometry geometry;
	enum cfi_personality personality;
	uint32_t partition; /* bytes; configured: listed in the query table */
	bool configured;
	struct model_host host;
	uint8_t *array;
	uint8_t *committed;
	bool burst;
	uint64_t commits;
	uint64_t refused; /* commands that ended with an error bit */
	struct model_part part[GEOMETRY_MAX_PARTS];
};

/*
 * Powers on with a copy of `array` and fresh protection registers. `partition`
 * is the size of a partition; 0: as the personality says.
 */
void model_init(struct model *m, const struct geometry *geometry,
		enum cfi_personality personality, uint32_t partition,
		const uint8_t *array);
void model_free(struct model *m);

/* Powers off and on; keeps the array and the protection registers. */
void model_power_cycle(struct model *m);

void model_write(struct model *m, uint64_t off, unsigned int size,
		 uint64_t value);
uint64_t model_read(const struct model *m, uint64_t off, unsigned int size);

/* Returns the byte that a read at `off` returns. */
uint8_t model_byte(const struct model *m, uint64_t off);

/* Writes the whole view, geometry.size bytes. */
void model_render(const struct model *m, uint8_t *dst);

/* Returns true if no bit of the protection registers was programmed. */
bool model_protect_is_new(const struct model *m);

/* Reports a commit that the host did by itself and that failed. */
void model_report(struct model *m, int error);

#endif
