/* SPDX-License-Identifier: BSD-2-Clause */
#include "upgrade.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define MARK "PFLASHD_UPGRADE"

static char **arguments;
static char program[PATH_MAX];

void
upgrade_remember(char **argv)
{
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[len > 0 ? len : 0] = '\0';
	arguments = argv;
}

bool
upgrade_was_one(void)
{
	bool was = getenv(MARK) != NULL;

	unsetenv(MARK);
	return was;
}

int
upgrade_execute(struct error *err)
{
	int ret;

	if (!program[0] || setenv(MARK, "1", 1) < 0)
		return error_errno(err, errno, "cannot upgrade");
	execv(program, arguments);
	ret = error_errno(err, errno, "cannot upgrade to %s", program);
	unsetenv(MARK);
	return ret;
}
