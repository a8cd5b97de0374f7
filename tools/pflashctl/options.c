/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "pflash/cmdline.h"
#include "pflash/parse.h"
#include "pflashctl.h"

static const struct cmdline_option table[] = {
	{ "at", 'a', true },          { "to", 't', true },
	{ "journal", 'j', true },     { "template", 'T', true },
	{ "layout", 'l', true },      { "code", 'c', true },
	{ "last", 'n', true },        { "json", 'J', false },
	{ "metrics", 'M', false },    { "reset", 'r', false },
	{ "bursts", 'b', false },     { "help", 'h', false },
	{ "new-journal", 'N', true }, { "undo", 'u', false },
	{ "guest", 'g', true },       { "pflashd", 'p', true },
	{ "timeout", 's', true },     { "keep", 'k', false },
	{ "vars", 'v', true },        { "limit", 'L', true },
	{ "stop", 'S', false },       { "output", 'o', true },
	{ "root", 'R', true },        { "device", 'd', false },
	{ "incoming", 'i', false },   { NULL, 0, false },
};

struct parsing {
	struct ctl_options *options;
	const struct ctl_command *command;
};

static int
number(const char *arg, uint64_t *value, struct error *err)
{
	return parse_number(arg, PARSE_DECIMAL, 0, UINT64_MAX, value, err);
}

static int
set_option(void *opaque, int option, const char *arg, struct error *err)
{
	const struct parsing *parsing = opaque;
	struct ctl_options *options = parsing->options;

	if (option != 'h' && !strchr(parsing->command->letters, option))
		return error_set(err, EINVAL,
				 "pflashctl %s does not take this option (see "
				 "--help)",
				 parsing->command->name);
	switch (option) {
	case 'a': options->has_at = true; return number(arg, &options->at, err);
	case 't': options->has_to = true; return number(arg, &options->to, err);
	case 'n':
		return parse_number(arg, PARSE_DECIMAL, 1, UINT64_MAX,
				    &options->last, err);
	case 'j': options->journal = arg; return 0;
	case 'N': options->new_journal = arg; return 0;
	case 'T': options->template = arg; return 0;
	case 'v': options->image = arg; return 0;
	case 'L': return parse_bytes(arg, UINT64_MAX, &options->limit, err);
	case 'S': options->stop = true; return 0;
	case 'l': options->layout = arg; return 0;
	case 'c': options->code = arg; return 0;
	case 'g': options->guest = arg; return 0;
	case 'p': options->pflashd = arg; return 0;
	case 's':
		return parse_number(arg, PARSE_DECIMAL, 1, 86400,
				    &options->timeout, err);
	case 'k': options->keep = true; return 0;
	case 'o': options->output = arg; return 0;
	case 'R': options->root = arg; return 0;
	case 'r': options->reset = true; return 0;
	case 'd': options->device = true; return 0;
	case 'u': options->undo = true; return 0;
	case 'b': options->bursts = true; return 0;
	case 'i': options->incoming = true; return 0;
	case 'J': options->json = true; return 0;
	case 'M': options->metrics = true; return 0;
	default: options->help = true; return 1;
	}
}

int
ctl_parse(struct ctl_options *options, const struct ctl_command *command,
	  int argc, char **argv)
{
	struct parsing parsing = { .command = command };
	unsigned int count;
	struct error err;
	int first;

	*options = (struct ctl_options){ .journal = NULL };
	parsing.options = options;
	first = cmdline_parse(table, argc, argv, set_option, &parsing, &err);
	if (first < 0)
		return ctl_fail(CTL_USAGE, "%s: %s", command->name, err.text);
	if (options->help)
		return CTL_OK;
	count = (unsigned int)(argc - first);
	if (count < command->least || count > command->most)
		return ctl_fail(CTL_USAGE, "usage: pflashctl %s %s",
				command->name, command->arguments);
	for (unsigned int i = 0; i < count; i++)
		options->files[i] = argv[first + (int)i];
	return CTL_OK;
}
