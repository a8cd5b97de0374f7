/* SPDX-License-Identifier: BSD-2-Clause */
#include "access.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool
access_ok(const struct access_line *access)
{
	bool size_ok = access->size == 1 || access->size == 2 ||
		       access->size == 4 || access->size == 8;

	return size_ok && access->off <= UINT32_MAX &&
	       (access->size == 8 || access->value >> 8 * access->size == 0);
}

int
access_parse(const char *line, struct access_line *access)
{
	int start = 0, off_size = 0, end = 0;
	int fields;

	*access = (struct access_line){ 0 };
	sscanf(line, " %n", &start);
	line += start;
	if (*line == '\0' || *line == '#')
		return 0;
	if ((strncmp(line, "r ", 2) != 0 && strncmp(line, "w ", 2) != 0) ||
	    strpbrk(line, "+-"))
		return -EINVAL;
	fields = sscanf(line + 2, "%" SCNx64 " %" SCNx64 " %n%" SCNx64 " %n",
			&access->off, &access->size, &off_size, &access->value,
			&end);
	if (fields == 2 && *line == 'r')
		end = off_size;
	else if (fields != 3)
		return -EINVAL;
	if (line[2 + end] != '\0' || !access_ok(access))
		return -EINVAL;
	access->op = *line;
	return 0;
}
