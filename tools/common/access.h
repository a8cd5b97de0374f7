/* SPDX-License-Identifier: BSD-2-Clause */
/* Parses a line of recorded accesses, in the format of pflash-replay(1). */
#ifndef TOOLS_ACCESS_H
#define TOOLS_ACCESS_H

#include <stdint.h>

struct access_line {
	char op;        /* 'r', 'w', or 0: a comment or an empty line */
	uint64_t off;   /* below 4 GiB */
	uint64_t size;  /* bytes: 1, 2, 4 or 8 */
	uint64_t value; /* 0 for a read without a value */
};

/* -EINVAL unless the line is one access, a comment, or empty. */
int access_parse(const char *line, struct access_line *access);

#endif
