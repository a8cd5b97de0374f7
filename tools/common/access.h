/* SPDX-License-Identifier: BSD-2-Clause */
/* One line of a recording of accesses: pflash-replay(1) has the format. */
#ifndef TOOLS_ACCESS_H
#define TOOLS_ACCESS_H

#include <stdint.h>

struct access_line {
	char op;        /* 'r', 'w', or 0: a line that says nothing */
	uint64_t off;   /* below 4 GiB */
	uint64_t size;  /* bytes: 1, 2, 4 or 8 */
	uint64_t value; /* 0 for a read that names none */
};

/* The whole line must be one access, or a comment, or empty; else -EINVAL. */
int access_parse(const char *line, struct access_line *access);

#endif
