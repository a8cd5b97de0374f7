/* SPDX-License-Identifier: BSD-2-Clause */
/* pflash-bench: what the flash costs, and beside it what others cost. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "pflash/store.h"

struct command {
	const char *name;
	bool makes_files;
	int (*run)(struct report *report, const struct options *options,
		   struct error *err);
};

static const struct command commands[] = {
	{ "chip", false, bench_chip },    { "path", true, bench_path },
	{ "view", true, bench_view },     { "trace", true, bench_trace },
	{ "commit", true, bench_commit }, { "recover", true, bench_recover },
	{ "attach", true, bench_attach }, { "hosts", true, bench_hosts },
	{ "guest", false, bench_guest },  { NULL, false, NULL },
};

/* clang-format off */
static void
help(void)
{
	puts("usage: pflash-bench COMMAND [options] [arguments]\n"
"\n"
"  chip [TRACE]          accesses, against the state machine alone\n"
"  path [TRACE]          from the ioreq page to the journal\n"
"  view                  a change of what reads return, by size of flash\n"
"  trace TRACE           recorded accesses, with commits\n"
"  commit                latency of a burst's commit\n"
"  recover               start after a crash, by length of the journal\n"
"  attach [-- COMMAND]   start of pflashd, and its memory\n"
"  hosts [N]             many flashes at once: 20\n"
"  guest CONSOLE...      what the lab's guest has measured\n"
"\n"
"  --directory DIR       where files are made: here\n"
"  --size BYTES          of the flash: 540672, that is OVMF's 528 KiB\n"
"  --rounds N            of each comparison: 11\n"
"  --count N             of what a command repeats\n"
"  --peer FILE.so        compare with this, too; may be given several times\n"
"  --json                all figures, for programs\n"
"  --plot FILE.svg       a picture (gnuplot)\n"
"  --help, --version\n"
"\n"
"Exit codes: 0 done, 1 failed, 2 usage.");
}
/* clang-format on */

static const struct option long_options[] = {
	{ "directory", required_argument, NULL, 'd' },
	{ "size", required_argument, NULL, 's' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "count", required_argument, NULL, 'c' },
	{ "peer", required_argument, NULL, 'p' },
	{ "json", no_argument, NULL, 'j' },
	{ "plot", required_argument, NULL, 'g' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int
usage(const char *what, const char *arg)
{
	fprintf(stderr, "pflash-bench: %s'%s' (see --help)\n", what, arg);
	return -EINVAL;
}

int
number(const char *arg, unsigned int *value)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(arg, &end, 0);
	if (errno || end == arg || *end || n == 0 || n > 1u << 30)
		return usage("not a number: ", arg);
	*value = (unsigned int)n;
	return 0;
}

static int
set_option(struct options *options, int option, const char *arg)
{
	switch (option) {
	case 'd': options->directory = arg; return 0;
	case 's': return number(arg, &options->size);
	case 'r': return number(arg, &options->rounds);
	case 'c': return number(arg, &options->count);
	case 'p':
		if (options->peer_count == BENCH_PEERS)
			return usage("too many: ", arg);
		options->peers[options->peer_count++] = arg;
		return 0;
	case 'j': options->json = true; return 0;
	default: options->plot = arg; return 0;
	}
}

/* 1: help or version was asked for and given. */
static int
parse_options(struct options *options, int argc, char **argv)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) !=
	       -1) {
		if (option == 'h')
			help();
		if (option == 'V')
			puts("pflash-bench " PFLASH_VERSION);
		if (option == 'h' || option == 'V')
			return 1;
		if (option == ':')
			return usage("a value is missing: ", argv[optind - 1]);
		if (option == '?')
			return usage("unknown option ", argv[optind - 1]);
		if (set_option(options, option, optarg) < 0)
			return -EINVAL;
	}
	if (options->size % 4096 || options->size > STORE_MAX_SIZE)
		return usage("not the size of a flash: ", "--size");
	options->arguments = argv + optind;
	options->argument_count = argc - optind;
	return 0;
}

static const struct command *
find_command(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static int
run(const struct command *command, struct options *options, int argc,
    char **argv)
{
	struct error err = { "" };
	struct report *report;
	int ret = command->makes_files ? scratch_open(options, &err) : 0;

	if (ret == 0)
		ret = report_open(&report, command->name, argc, argv, &err);
	if (ret == 0) {
		ret = command->run(report, options, &err);
		if (ret == 0)
			ret = report_end(report, options, &err);
		report_close(report);
	}
	if (ret < 0)
		fprintf(stderr, "pflash-bench: %s\n", err.text);
	return ret < 0 ? ret == -EINVAL ? EXIT_USAGE : EXIT_FAILED : EXIT_OK;
}

int
main(int argc, char **argv)
{
	struct options options = {
		.directory = ".",
		.size = 528u << 10,
		.rounds = 11,
	};
	const struct command *command;
	int ret = parse_options(&options, argc, argv);

	signal(SIGPIPE, SIG_IGN); /* a gnuplot that is not there */
	if (ret != 0)
		return ret < 0 ? EXIT_USAGE : EXIT_OK;
	if (options.argument_count == 0) {
		usage("missing: ", "COMMAND");
		return EXIT_USAGE;
	}
	command = find_command(*options.arguments);
	if (!command) {
		usage("no such command: ", *options.arguments);
		return EXIT_USAGE;
	}
	options.arguments++;
	options.argument_count--;
	return run(command, &options, argc, argv);
}
