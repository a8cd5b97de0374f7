/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl vars: shows and changes single variables, and all as JSON. */
#ifndef PFLASHCTL_VARS_H
#define PFLASHCTL_VARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "edit.h"
#include "group.h"
#include "pflash/edit.h"
#include "pflash/error.h"

extern const struct group_command vars_commands[];

int vars_list(const struct group_command *command, int argc, char **argv);
int vars_get(const struct group_command *command, int argc, char **argv);
int vars_set(const struct group_command *command, int argc, char **argv);
int vars_append(const struct group_command *command, int argc, char **argv);
int vars_rm(const struct group_command *command, int argc, char **argv);
int vars_dump(const struct group_command *command, int argc, char **argv);
int vars_load(const struct group_command *command, int argc, char **argv);

/* Ids of options, beside those of edit.h. */
enum {
	VARS_ALL = 1,
	VARS_FORMAT,
	VARS_ATTR,
	VARS_TIME,
	VARS_INPUT,
	VARS_HEX,
	VARS_TEXT,
	VARS_ASCII,
	VARS_NUMBER,
	VARS_SIZE,
	VARS_REPLACE,
};

/* --- the value on a command line (vars_value.c) --- */

struct vars_value {
	int source; /* VARS_INPUT to VARS_NUMBER; 0: standard input */
	const char *argument;
	uint64_t bytes; /* of --size; 0: not given */
};

/* Takes the option: 1; 0: it is none of these; or -EINVAL with a sentence. */
int vars_value_option(struct vars_value *value, int id, const char *arg,
		      struct error *err);

/*
 * Reads the value.  -EINVAL: it is none, or has more than FV_MAX_SIZE bytes;
 * -errno of reading.  The sentence names the option or the file.  The caller
 * frees *data.
 */
int vars_value_read(const struct vars_value *value, uint8_t **data,
		    size_t *size, struct error *err);

/*
 * Reads a file, or standard input if `path` is NULL, of at most `most` bytes.
 * -EFBIG: it has more.  A NUL, which is not counted, ends the bytes.
 */
int vars_read_file(const char *path, size_t most, uint8_t **bytes, size_t *size,
		   struct error *err);

#endif
