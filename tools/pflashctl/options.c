/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pflashctl.h"

static const struct option long_options[] = {
	{ "at", required_argument, NULL, 'a' },
	{ "to", required_argument, NULL, 't' },
	{ "journal", required_argument, NULL, 'j' },
	{ "template", required_argument, NULL, 'T' },
	{ "layout", required_argument, NULL, 'l' },
	{ "code", required_argument, NULL, 'c' },
	{ "last", required_argument, NULL, 'n' },
	{ "json", no_argument, NULL, 'J' },
	{ "metrics", no_argument, NULL, 'M' },
	{ "reset", no_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int
number(const char *arg, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(arg, &end, 10);
	if (errno || *arg < '0' || *arg > '9' || *end)
		return ctl_fail(CTL_USAGE, "'%s' is not a number", arg);
	return CTL_OK;
}

static int
set_option(struct ctl_options *options, int option, const char *arg)
{
	switch (option) {
	case 'a': options->has_at = true; return number(arg, &options->at);
	case 't': options->has_to = true; return number(arg, &options->to);
	case 'n': return number(arg, &options->last);
	case 'j': options->journal = arg; return CTL_OK;
	case 'T': options->template = arg; return CTL_OK;
	case 'l': options->layout = arg; return CTL_OK;
	case 'c': options->code = arg; return CTL_OK;
	case 'r': options->reset = true; return CTL_OK;
	case 'J': options->json = true; return CTL_OK;
	case 'M': options->metrics = true; return CTL_OK;
	default: options->help = true; return CTL_OK;
	}
}

int
ctl_parse(struct ctl_options *options, const struct ctl_command *command,
	  int argc, char **argv)
{
	unsigned int count;
	int option, ret, which = 0;

	*options = (struct ctl_options){ .journal = NULL };
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", long_options, &which)) !=
	       -1) {
		if (option == ':')
			return ctl_fail(CTL_USAGE, "%s wants a value",
					argv[optind - 1]);
		if (option == '?')
			return ctl_fail(CTL_USAGE,
					"%s: unknown option '%s' (see --help)",
					command->name, argv[optind - 1]);
		if (option != 'h' && !strchr(command->letters, option))
			return ctl_fail(CTL_USAGE,
					"%s: takes no --%s (see --help)",
					command->name,
					long_options[which].name);
		ret = set_option(options, option, optarg);
		if (ret != CTL_OK || options->help)
			return ret;
	}
	count = (unsigned int)(argc - optind);
	if (count < command->least || count > command->most)
		return ctl_fail(CTL_USAGE, "usage: pflashctl %s %s",
				command->name, command->arguments);
	for (unsigned int i = 0; i < count; i++)
		options->files[i] = argv[optind + (int)i];
	return CTL_OK;
}
