/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands of pflashctl, one a file. */
#ifndef PFLASHCTL_H
#define PFLASHCTL_H

/* Exit codes, documented in pflashctl(1). */
enum {
	CTL_OK = 0,
	CTL_FAILED = 1, /* out of space, no permission */
	CTL_USAGE = 2,
	CTL_FILE = 3, /* a file was refused */
};

/* argv[0] is the subcommand.  The result is the exit code. */
int ctl_export(int argc, char **argv);

/* One line on stderr; returns `code`. */
int ctl_fail(int code, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
