/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands of two words, such as `pflashctl vars list`. */
#ifndef PFLASHCTL_GROUP_H
#define PFLASHCTL_GROUP_H

#include "pflash/cmdline.h"
#include "pflash/error.h"

/* A table of these ends with an entry whose name is NULL. */
struct group_command {
	const char *name;
	/* argv[0] is the second word.  Returns the exit code. */
	int (*run)(const struct group_command *command, int argc, char **argv);
	unsigned int least, most; /* arguments behind the options */
	const struct cmdline_option *options;
	const char *arguments; /* "[--json] VARS" */
	const char *description;
	const char *details; /* lines that explain the options; or NULL */
};

/*
 * Runs the command of argv[1].  argv[0] is the name of the group.  Prints the
 * help of the group or of the command.  Returns the exit code.
 */
int group_run(const struct group_command *commands, int argc, char **argv);

/*
 * Parses the options of a command.  Returns the index of its first argument in
 * argv, or -1 after a message; argc is checked against least and most.
 */
int group_parse(const struct group_command *command, int argc, char **argv,
		cmdline_set *set, void *opaque);

/* The commands of the groups; see pflashctl.h for the others. */
struct group {
	const char *name;
	const struct group_command *commands;
	const char *description;
};

extern const struct group groups[]; /* ends with a NULL name */

#endif
