/* SPDX-License-Identifier: BSD-2-Clause */
#include "group.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pflashctl.h"

static bool
wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

static void
print_command(const char *group, const struct group_command *command)
{
	printf("usage: pflashctl %s %s %s\n\n%s\n", group, command->name,
	       command->arguments, command->description);
	if (command->details)
		printf("\n%s", command->details);
}

static void
print_group(const char *group, const struct group_command *commands)
{
	printf("usage: pflashctl %s COMMAND ...\n\n", group);
	for (; commands->name; commands++)
		printf("  %s %s\n      %s\n", commands->name,
		       commands->arguments, commands->description);
	printf("\nSee pflashctl-%s(1), and `pflashctl %s COMMAND --help`.\n",
	       group, group);
}

int
group_run(const struct group_command *commands, int argc, char **argv)
{
	const char *group = argv[0];

	if (argc < 2)
		return ctl_fail(CTL_USAGE, "%s: no command (see --help)",
				group);
	if (strcmp(argv[1], "--help") == 0) {
		print_group(group, commands);
		return CTL_OK;
	}
	for (; commands->name; commands++) {
		if (strcmp(argv[1], commands->name) != 0)
			continue;
		if (!wants_help(argc - 1, argv + 1))
			return commands->run(commands, argc - 1, argv + 1);
		print_command(group, commands);
		return CTL_OK;
	}
	return ctl_fail(CTL_USAGE, "%s: unknown command '%s' (see --help)",
			group, argv[1]);
}

int
group_parse(const struct group_command *command, int argc, char **argv,
	    cmdline_set *set, void *opaque)
{
	struct error err;
	unsigned int count;
	int first = cmdline_parse(command->options, argc, argv, set, opaque,
				  &err);

	if (first < 0) {
		(void)ctl_fail(CTL_USAGE, "%s: %s", command->name, err.text);
		return -1;
	}
	count = (unsigned int)(argc - first);
	if (count >= command->least && count <= command->most)
		return first;
	(void)ctl_fail(CTL_USAGE, "usage: pflashctl ... %s %s", command->name,
		       command->arguments);
	return -1;
}
