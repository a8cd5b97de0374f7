/* SPDX-License-Identifier: BSD-2-Clause */
/* pflash-bench: measures the cost of the flash, and of other flashes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "pflash/cmdline.h"
#include "pflash/parse.h"
#include "pflash/store.h"

struct command {
	const char *name;
	bool makes_files;
	bench_command *run;
};

static const struct command commands[] = {
	{ "firmware", true, bench_firmware },
	{ "trace", true, bench_trace },
	{ "path", true, bench_path },
	{ "view", true, bench_view },
	{ "chip", false, bench_chip },
	{ "commit", true, bench_commit },
	{ "places", false, bench_places },
	{ "recover", true, bench_recover },
	{ "log", true, bench_log },
	{ "attach", true, bench_attach },
	{ "hosts", true, bench_hosts },
	{ "guest", false, bench_guest },
	{ NULL, false, NULL },
};

/* clang-format off */
static void
help(void)
{
	puts("usage: pflash-bench COMMAND [options] [arguments]\n"
"\n"
"  firmware FIRST SECOND a guest's waits: boots, SetVariable(), reclaim\n"
"  trace TRACE           recorded accesses, with commits\n"
"  path [TRACE]          accesses from the ioreq page to the journal\n"
"  view                  a change of the view, by size of the flash\n"
"  chip [TRACE]          accesses of the chip alone\n"
"  commit                latency of a burst's commit\n"
"  places VARS...        the same, of empty flashes at several places\n"
"  recover               start after a crash, by length of the journal\n"
"  log                   pflashctl log, check, diff, by size of the history\n"
"  attach [-- COMMAND]   start of pflashd, and its memory\n"
"  hosts [N]             N flashes at once: 20\n"
"  guest CONSOLE...      cycles that the lab's guest has printed\n"
"\n"
"  --directory DIR       directory for files: .\n"
"  --size BYTES          size of the flash: 528K, as OVMF's\n"
"  --rounds N            rounds of each comparison: 11\n"
"  --count N             repetitions in a command\n"
"  --peer FILE.so        compare with this flash too; may be repeated\n"
"  --json                print all figures, for programs\n"
"  --plot FILE.svg       draw a plot\n"
"  --help, --version\n"
"\n"
"Exit codes: 0 success, 1 failure, 2 usage.");
}
/* clang-format on */

#define MOST (1u << 30) /* of a number on the command line */

static const struct cmdline_option table[] = {
	{ "directory", 'd', true }, { "size", 's', true },
	{ "rounds", 'r', true },    { "count", 'c', true },
	{ "peer", 'p', true },      { "json", 'j', false },
	{ "plot", 'g', true },      { "help", 'h', false },
	{ "version", 'V', false },  { NULL, 0, false },
};

static int
set_size(uint32_t *size, const char *arg, struct error *err)
{
	const char *end = arg;
	uint64_t value;

	if (!parse_size(&end, PARSE_C, STORE_MAX_SIZE, &value) || *end ||
	    value == 0 || value % 4096)
		return error_set(err, EINVAL,
				 "'%s' is not the size of a flash: a multiple "
				 "of 4K up to %uM",
				 arg, STORE_MAX_SIZE >> 20);
	*size = (uint32_t)value;
	return 0;
}

static int
set_number(unsigned int *number, const char *arg, struct error *err)
{
	uint64_t value = 0;
	int ret = parse_number(arg, PARSE_C, 1, MOST, &value, err);

	*number = (unsigned int)value;
	return ret;
}

static int
add_peer(struct options *options, const char *arg, struct error *err)
{
	if (options->peer_count == BENCH_PEERS)
		return error_set(err, EINVAL,
				 "'%s' is not accepted: at most %d peers", arg,
				 BENCH_PEERS);
	options->peers[options->peer_count++] = arg;
	return 0;
}

static int
set_option(void *opaque, int option, const char *arg, struct error *err)
{
	struct options *options = opaque;

	switch (option) {
	case 'd': options->directory = arg; return 0;
	case 's': return set_size(&options->size, arg, err);
	case 'r': return set_number(&options->rounds, arg, err);
	case 'c': return set_number(&options->count, arg, err);
	case 'p': return add_peer(options, arg, err);
	case 'j': options->json = true; return 0;
	case 'g': options->plot = arg; return 0;
	case 'h': help(); return 1;
	default: puts("pflash-bench " PFLASH_VERSION); return 1;
	}
}

static const struct command *
find_command(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* Returns 1 after --help or --version. */
static int
parse_options(struct options *options, const struct command **command, int argc,
	      char **argv, struct error *err)
{
	int first = cmdline_parse(table, argc, argv, set_option, options, err);

	if (first <= 0)
		return first < 0 ? first : 1;
	if (first == argc)
		return error_set(err, EINVAL,
				 "COMMAND is missing (see --help)");
	*command = find_command(argv[first]);
	if (!*command)
		return error_set(err, EINVAL,
				 "unknown command '%s' (see --help)",
				 argv[first]);
	options->arguments = argv + first + 1;
	options->argument_count = argc - first - 1;
	return 0;
}

static int
run(const struct command *command, struct options *options, int argc,
    char **argv, struct error *err)
{
	struct report *report;
	int ret = command->makes_files ? scratch_open(options, err) : 0;

	if (ret == 0)
		ret = report_open(&report, command->name, argc, argv, err);
	if (ret == 0) {
		ret = command->run(report, options, err);
		if (ret == 0)
			ret = report_end(report, options, err);
		report_close(report);
	}
	return ret;
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
	struct error err = { "" };
	int ret;

	if (argc > 1 && strcmp(argv[1], HOST_PROCESS) == 0)
		host_main(argc, argv);
	ret = parse_options(&options, &command, argc, argv, &err);
	if (ret == 0)
		ret = run(command, &options, argc, argv, &err);
	if (ret >= 0)
		return EXIT_OK;
	fprintf(stderr, "pflash-bench: %s\n", err.text);
	return ret == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}
