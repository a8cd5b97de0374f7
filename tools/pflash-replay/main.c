/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pflash-replay: recorded accesses against a VARS file, through the same
 * server, chip and store as pflashd's, on the simulated hypervisor.
 *
 * Standard input has one access a line, `w OFF SIZE VALUE` or `r OFF SIZE
 * [VALUE]`, numbers in hex; a line that begins with # is a comment.  What a
 * read gave is printed in hex, one line each, before the next access is taken.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/access.h"
#include "pflash/device.h"
#include "pflash/sim.h"

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2, /* the command line, or a line of the input */
	EXIT_FILE = 3,
};

/* Sizes that are none of OVMF's fit below 4 GiB here too. */
#define FLASH_TOP (UINT64_C(1) << 32)

struct options {
	const char *vars;
	enum store_sync sync;
	enum cfi_personality personality;
	uint32_t width, interleave;
	const char *blocks;
	enum window_mode mode;
};

struct replay {
	struct store *store;
	struct sim *sim;
	struct ioreq_server *server;
	struct device *device;
	uint64_t base;
};

static const char *const syncs[] = {
	[STORE_SYNC_BURST] = "burst",
	[STORE_SYNC_OP] = "op",
	[STORE_SYNC_NONE] = "none",
	NULL,
};

static const char *const personalities[] = {
	[CFI_OVMF] = "ovmf",
	[CFI_STRICT] = "strict",
	[CFI_QEMU] = "qemu",
	NULL,
};

static const char *const modes[] = {
	[WINDOW_AUTO] = "auto",
	[WINDOW_DIRECT] = "direct",
	[WINDOW_TRAP] = "trap",
	NULL,
};

/* clang-format off */
static void
help(void)
{
	puts("usage: pflash-replay --vars FILE [options] < accesses\n"
"\n"
"Applies accesses (`w OFF SIZE VALUE`, `r OFF SIZE`, in hex) to FILE and\n"
"prints what each read gives.\n"
"\n"
"  --vars FILE           the image; FILE.journal lies beside it\n"
"  --sync burst|op|none\n"
"  --personality ovmf|strict|qemu\n"
"  --width N             bytes of the bus: 1, 2 or 4\n"
"  --interleave N        chips side by side on it\n"
"  --block-size LIST     erase blocks, SIZE[xCOUNT][,...]: 4096\n"
"  --mode auto|direct|trap\n"
"  --help, --version\n"
"\n"
"Exit codes: 0 done, 1 failed, 2 usage (also a geometry that FILE does not\n"
"have) or a line that is no access, 3 FILE was refused.");
}
/* clang-format on */

static int
usage(const char *what, const char *arg)
{
	fprintf(stderr, "pflash-replay: %s'%s' (see --help)\n", what, arg);
	return -EINVAL;
}

static int
choose(const char *const *names, const char *arg)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], arg) == 0)
			return i;
	return usage("no such choice: ", arg);
}

static int
number(const char *arg, uint32_t *value)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(arg, &end, 0);
	if (errno || end == arg || *end || n == 0 || n > UINT32_MAX)
		return usage("not a number: ", arg);
	*value = (uint32_t)n;
	return 0;
}

static int
set_option(struct options *options, int option, const char *arg)
{
	int choice;

	switch (option) {
	case 'v': options->vars = arg; return 0;
	case 's':
		choice = choose(syncs, arg);
		options->sync = (enum store_sync)choice;
		return choice;
	case 'p':
		choice = choose(personalities, arg);
		options->personality = (enum cfi_personality)choice;
		return choice;
	case 'm':
		choice = choose(modes, arg);
		options->mode = (enum window_mode)choice;
		return choice;
	case 'w': return number(arg, &options->width);
	case 'i': return number(arg, &options->interleave);
	default: options->blocks = arg; return 0;
	}
}

static const struct option long_options[] = {
	{ "vars", required_argument, NULL, 'v' },
	{ "sync", required_argument, NULL, 's' },
	{ "personality", required_argument, NULL, 'p' },
	{ "mode", required_argument, NULL, 'm' },
	{ "width", required_argument, NULL, 'w' },
	{ "interleave", required_argument, NULL, 'i' },
	{ "block-size", required_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* getopt(3) steps behind a long option, but not a cluster of letters. */
static const char *
unknown_option(char **argv)
{
	static char letter[] = "-?";

	if (!optopt)
		return argv[optind - 1];
	letter[1] = (char)optopt;
	return letter;
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
			puts("pflash-replay " PFLASH_VERSION);
		if (option == 'h' || option == 'V')
			return 1;
		if (option == ':')
			return usage("a value is missing: ", argv[optind - 1]);
		if (option == '?')
			return usage("unknown option ", unknown_option(argv));
		if (set_option(options, option, optarg) < 0)
			return -EINVAL;
	}
	if (optind < argc)
		return usage("unexpected ", argv[optind]);
	if (!options->vars)
		return usage("missing: ", "--vars");
	return 0;
}

static void
run_server(void *opaque)
{
	ioreq_server_poll(opaque);
}

static int
attach(struct replay *replay, const struct options *options,
       const struct geometry *geometry, struct error *err)
{
	uint32_t size = geometry->size;
	const struct sim_config sim = { .spare_frames = size / FRAME_SIZE };
	struct device_config config = {
		.base = FLASH_TOP - size,
		.geometry = *geometry,
		.show_busy = options->sync == STORE_SYNC_OP,
		.mode = options->mode,
		.personality = options->personality,
	};
	struct error note;
	int ret = sim_create(&replay->sim, &sim);

	if (ret < 0)
		return error_errno(err, -ret, "the simulated hypervisor");
	replay->base = config.base;
	ret = ioreq_server_open(&replay->server, sim_transport(replay->sim),
				err);
	if (ret == 0)
		ret = device_open(&replay->device, replay->server,
				  sim_transport(replay->sim), &config, &note,
				  err);
	if (ret == 0)
		ret = device_connect(replay->device, replay->store, err);
	if (ret < 0)
		return ret;
	sim_set_server(replay->sim, run_server, replay->server);
	return ioreq_server_start(replay->server, err);
}

static void
detach(struct replay *replay)
{
	if (replay->device)
		device_close(replay->device, DEVICE_ENDS, NULL);
	if (replay->server)
		ioreq_server_close(replay->server);
	if (replay->sim)
		sim_destroy(replay->sim);
}

static void
apply(struct replay *replay, const struct access_line *access)
{
	uint64_t addr = replay->base + access->off;
	uint64_t value = 0;

	if (access->op == 'w') {
		sim_guest_write(replay->sim, 0, addr, &access->value,
				(unsigned int)access->size);
		return;
	}
	sim_guest_read(replay->sim, 0, addr, &value,
		       (unsigned int)access->size);
	printf("%" PRIx64 "\n", value);
	fflush(stdout);
}

static int
replay_input(struct replay *replay, struct error *err)
{
	struct access_line access;
	unsigned long number_of_line = 0;
	char *line = NULL;
	size_t room = 0;
	int ret = 0;

	while (ret == 0 && getline(&line, &room, stdin) >= 0) {
		number_of_line++;
		line[strcspn(line, "\n")] = '\0';
		ret = access_parse(line, &access);
		if (ret < 0)
			error_set(err, EINVAL, "line %lu is no access: %.60s",
				  number_of_line, line);
		else if (access.op)
			apply(replay, &access);
	}
	free(line);
	return ret;
}

static int
run(const struct options *options)
{
	const struct store_config config = {
		.path = options->vars,
		.sync = options->sync,
		.accept = true,
	};
	struct replay replay = { 0 };
	struct geometry geometry;
	struct error err = { "" };
	int code = EXIT_OK;

	if (store_open(&replay.store, &config, NULL, &err) < 0)
		code = EXIT_FILE;
	else if (geometry_parse(&geometry, store_size(replay.store),
				options->width, options->interleave,
				options->blocks, &err) < 0)
		code = EXIT_USAGE;
	else if (attach(&replay, options, &geometry, &err) < 0)
		code = EXIT_FAILED;
	else if (replay_input(&replay, &err) < 0)
		code = EXIT_USAGE;
	if (code == EXIT_OK && ferror(stdout)) {
		error_set(&err, EIO, "standard output could not be written");
		code = EXIT_FAILED;
	}
	detach(&replay);
	if (replay.store && store_failed(replay.store)) {
		error_set(&err, EIO, "%s", store_failure(replay.store));
		code = EXIT_FAILED;
	}
	if (replay.store && store_close(replay.store) < 0 && code == EXIT_OK) {
		error_set(&err, EIO, "%s: could not be closed cleanly",
			  options->vars);
		code = EXIT_FAILED;
	}
	if (code != EXIT_OK)
		fprintf(stderr, "pflash-replay: %s\n", err.text);
	return code;
}

int
main(int argc, char **argv)
{
	struct options options = {
		.width = 1,
		.blocks = "4096",
	};
	int ret = parse_options(&options, argc, argv);

	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an errno */
	if (ret != 0)
		return ret < 0 ? EXIT_USAGE : EXIT_OK;
	return run(&options);
}
