/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define MAX_WAIT 3600
#define MAX_SPIN 100000
#define SPIN 50
#define MAX_RESTARTS 10000
#define RESTARTS 10

struct choice {
	const char *name;
	int value;
};

static const struct choice modes[] = {
	{ "auto", WINDOW_AUTO },
	{ "direct", WINDOW_DIRECT },
	{ "trap", WINDOW_TRAP },
	{ NULL, 0 },
};

static const struct choice syncs[] = {
	{ "burst", STORE_SYNC_BURST },
	{ "op", STORE_SYNC_OP },
	{ "none", STORE_SYNC_NONE },
	{ NULL, 0 },
};

static const struct choice personalities[] = {
	{ "ovmf", CFI_OVMF },
	{ "strict", CFI_STRICT },
	{ "qemu", CFI_QEMU },
	{ NULL, 0 },
};

static const struct choice reactions[] = {
	{ "report", false },
	{ "pause", true },
	{ NULL, 0 },
};

static const struct choice logs[] = {
	{ "stderr", OPTIONS_LOG_STDERR },
	{ "syslog", OPTIONS_LOG_SYSLOG },
	{ NULL, 0 },
};

static const struct choice compactions[] = {
	{ "auto", true },
	{ "never", false },
	{ NULL, 0 },
};

static const struct choice sandboxes[] = {
	{ "none", SANDBOX_NONE },
	{ "basic", SANDBOX_BASIC },
	{ "full", SANDBOX_FULL },
	{ NULL, 0 },
};

static const struct option long_options[] = {
	{ "domain", required_argument, NULL, 'd' },
	{ "config", required_argument, NULL, 'C' },
	{ "vars", required_argument, NULL, 'v' },
	{ "template", required_argument, NULL, 't' },
	{ "layout", required_argument, NULL, 'l' },
	{ "code", required_argument, NULL, 'c' },
	{ "base", required_argument, NULL, 'b' },
	{ "mode", required_argument, NULL, 'm' },
	{ "sync", required_argument, NULL, 's' },
	{ "journal", required_argument, NULL, 'j' },
	{ "history", required_argument, NULL, 'H' },
	{ "on-error", required_argument, NULL, 'e' },
	{ "write-limit", required_argument, NULL, 'x' },
	{ "spin", required_argument, NULL, 'P' },
	{ "compact", required_argument, NULL, 'o' },
	{ "read-only", no_argument, NULL, 'R' },
	{ "force", no_argument, NULL, 'F' },
	{ "personality", required_argument, NULL, 'p' },
	{ "width", required_argument, NULL, 'w' },
	{ "interleave", required_argument, NULL, 'i' },
	{ "block-size", required_argument, NULL, 'B' },
	{ "ready-fd", required_argument, NULL, 'r' },
	{ "wait", required_argument, NULL, 'W' },
	{ "log", required_argument, NULL, 'L' },
	{ "sandbox", required_argument, NULL, 'S' },
	{ "user", required_argument, NULL, 'u' },
	{ "restarts", required_argument, NULL, 'n' },
	{ "check-handover", no_argument, NULL, 'k' },
	{ "foreground", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* clang-format off */
void
options_help(void)
{
	fputs("usage: pflashd --domain ID|NAME --vars FILE [options]\n"
"       pflashd --domain ID|NAME --config FILE|DIRECTORY [options]\n"
"\n"
"Gives a Xen guest a flash chip for its UEFI variables, kept in FILE.\n"
"\n"
"  --domain ID|NAME   the guest\n"
"  --config PATH      a file of options, or a directory: NAME.conf in it, or\n"
"                     default.conf; the command line wins\n"
"  --vars FILE        the variables; FILE.journal lies beside it\n"
"  --template FILE    start from a copy of this if --vars does not exist\n"
"  --layout 2m|4m     or from an empty store for an OVMF build of this size\n"
"  --code FILE        the firmware, to serve its last volume below 4 GiB\n"
"                     (a PVH guest starts slowly without it)\n"
"  --base ADDR        guest-physical address of the flash; the default goes\n"
"                     by the size of --vars: 0xffe00000 for 128 KiB,\n"
"                     0xffc00000 for 528 KiB\n"
"  --mode MODE        how the guest reads: direct (frames of memory), trap\n"
"                     (every read is a request), or auto (default)\n"
"  --sync WHEN        what is on stable storage: each burst (default), each\n"
"                     op, or none\n"
"  --history HOW      what the journal keeps of the past: a size (1M is the\n"
"                     default), an age (30d), or 0\n"
"  --journal FILE     where the journal is, if not beside --vars\n"
"  --on-error WHAT    if a change cannot be kept: report it in the chip's\n"
"                     status and the log (default), or also pause the guest\n"
"  --write-limit HOW  bytes for the disk, a second and at once: 128K,256M is\n"
"                     the default; or off\n"
"  --compact WHEN     make room for variables before a new guest runs:\n"
"                     auto (default: when it is half full, and helps), never\n"
"  --spin MICROSECONDS  watch for the guest's next access that long before\n"
"                     sleeping, if it often comes so soon: 50; 0: never\n"
"  --read-only        refuse every change, as a write-protected chip does\n"
"  --force            attach an image that the firmware would not take\n"
"  --personality P    ovmf (default), strict (the data sheet), or qemu\n"
"  --width N          bytes of the flash's bus: 1 (default), 2 or 4\n"
"  --interleave N     chips side by side on it: as few as the width allows\n"
"  --block-size LIST  erase blocks, SIZE[xCOUNT][,...]: 4096 (default)\n"
"  --foreground       do not become a daemon\n"
"  --ready-fd N       write a newline to this descriptor when attached\n"
"  --wait SECONDS     for another process to let go of the file: 0 (default)\n"
"  --log WHERE        stderr (default with --foreground) or syslog\n"
"  --sandbox HOW      what the worker gives up before it reads what the guest\n"
"                     wrote: full (default: user, root, limits, system calls,\n"
"                     other domains), basic (user, root, limits), or none\n"
"  --user USER        the worker's user; the default is a uid of its own for\n"
"                     each domain: 2000000000 and the domain's id\n"
"  --restarts COUNT   how often the supervisor replaces a worker that died,\n"
"                     within ten minutes, before it gives up: 10; 0: never\n"
"  --check-handover   only say by the exit code whether this program could go\n"
"                     on with the flash that a running pflashd has\n"
"  --help, --version\n"
"\n"
"Exit codes: 0 the guest is gone or SIGTERM came, 1 failed while running,\n"
"2 usage, 3 a file was refused, 4 the file is in use, 5 the domain or Xen.\n",
	      stdout);
}
/* clang-format on */

static int
choose(const struct choice *choices, const char *option, const char *arg,
       int *value, struct error *err)
{
	for (const struct choice *c = choices; c->name; c++) {
		if (strcmp(c->name, arg) != 0)
			continue;
		*value = c->value;
		return 0;
	}
	return error_set(err, EINVAL,
			 "--%s: '%s' is none of its choices "
			 "(see --help)",
			 option, arg);
}

static const char *
name_of(const struct choice *choices, int value)
{
	while (choices->name && choices->value != value)
		choices++;
	return choices->name;
}

bool
options_want_syslog(const struct options *options)
{
	return options->log == OPTIONS_LOG_SYSLOG ||
	       (options->log == OPTIONS_LOG_DEFAULT && !options->foreground);
}

const char *
options_sync_name(const struct options *options)
{
	return name_of(syncs, (int)options->sync);
}

const char *
options_personality_name(const struct options *options)
{
	return name_of(personalities, (int)options->personality);
}

static int
number(const char *option, const char *arg, uint64_t max, uint64_t *value,
       struct error *err)
{
	char *end;

	errno = 0;
	*value = strtoull(arg, &end, 0);
	if (errno || end == arg || *end || *arg == '-' || *value > max)
		return error_set(err, EINVAL,
				 "--%s: '%s' is not a number up "
				 "to %#llx",
				 option, arg, (unsigned long long)max);
	return 0;
}

static int
set_layout(struct options *options, const char *arg, struct error *err)
{
	options->layout = fv_layout_by_name(arg);
	if (!options->layout)
		return error_set(err, EINVAL,
				 "--layout: '%s' is neither 2m nor 4m", arg);
	return 0;
}

static int
set_ready_fd(struct options *options, const char *arg, struct error *err)
{
	uint64_t value = 0;
	int ret = number("ready-fd", arg, INT32_MAX, &value, err);

	options->ready_fd = (int)value;
	return ret;
}

static int
set_restarts(struct options *options, const char *arg, struct error *err)
{
	uint64_t value = 0;
	int ret = number("restarts", arg, MAX_RESTARTS, &value, err);

	options->restarts = (unsigned int)value;
	return ret;
}

static int
set_count(uint32_t *count, const char *option, const char *arg,
	  struct error *err)
{
	uint64_t value = 0;
	int ret = number(option, arg, GEOMETRY_MAX_WIDTH, &value, err);

	*count = (uint32_t)value;
	if (ret == 0 && value != 1 && value != 2 && value != 4)
		return error_set(err, EINVAL, "--%s: %s is not 1, 2 or 4",
				 option, arg);
	return ret;
}

static int
set_choice(struct options *options, int option, const char *arg,
	   struct error *err)
{
	int value = 0, ret;

	switch (option) {
	case 'm':
		ret = choose(modes, "mode", arg, &value, err);
		options->mode = (enum window_mode)value;
		return ret;
	case 's':
		ret = choose(syncs, "sync", arg, &value, err);
		options->sync = (enum store_sync)value;
		return ret;
	case 'p':
		ret = choose(personalities, "personality", arg, &value, err);
		options->personality = (enum cfi_personality)value;
		return ret;
	case 'e':
		ret = choose(reactions, "on-error", arg, &value, err);
		options->pause = value;
		return ret;
	case 'o':
		ret = choose(compactions, "compact", arg, &value, err);
		options->compact = value;
		return ret;
	case 'S':
		ret = choose(sandboxes, "sandbox", arg, &value, err);
		options->sandbox = (enum sandbox_level)value;
		return ret;
	default:
		ret = choose(logs, "log", arg, &value, err);
		options->log = (enum options_log)value;
		return ret;
	}
}

static int
set_option(struct options *options, int option, const char *arg,
	   struct error *err)
{
	switch (option) {
	case 'd': options->domain = arg; return 0;
	case 'C': options->config = arg; return 0;
	case 'v': options->vars = arg; return 0;
	case 't': options->template = arg; return 0;
	case 'c': options->code = arg; return 0;
	case 'f': options->foreground = true; return 0;
	case 'j': options->journal = arg; return 0;
	case 'u': options->user = arg; return 0;
	case 'n': return set_restarts(options, arg, err);
	case 'k': options->check_handover = true; return 0;
	case 'H': return store_history_parse(&options->history, arg, err);
	case 'x': return limit_parse(&options->write_limit, arg, err);
	case 'R': options->read_only = true; return 0;
	case 'F': options->force = true; return 0;
	case 'h': options->help = true; return 0;
	case 'V': options->version = true; return 0;
	case 'B': options->blocks = arg; return 0;
	case 'w': return set_count(&options->width, "width", arg, err);
	case 'i':
		return set_count(&options->interleave, "interleave", arg, err);
	case 'l': return set_layout(options, arg, err);
	case 'r': return set_ready_fd(options, arg, err);
	case 'W': return number("wait", arg, MAX_WAIT, &options->wait, err);
	case 'P': return number("spin", arg, MAX_SPIN, &options->spin, err);
	case 'b':
		options->base_given = true;
		return number("base", arg, UINT32_MAX, &options->base, err);
	default: return set_choice(options, option, arg, err);
	}
}

static int
check_complete(const struct options *options, struct error *err)
{
	if (options->help || options->version)
		return 0;
	if (!options->domain)
		return error_set(err, EINVAL,
				 "--domain is missing (see --help)");
	if (!options->vars)
		return error_set(err, EINVAL, "--vars is missing (see --help)");
	if (options->template && options->layout)
		return error_set(err, EINVAL,
				 "--template and --layout exclude each other");
	return 0;
}

static void
options_default(struct options *options)
{
	*options = (struct options){
		.ready_fd = -1,
		.width = 1,
		.blocks = "4096",
		.history.bytes = STORE_HISTORY_BYTES,
		.sandbox = SANDBOX_FULL,
		.restarts = RESTARTS,
		.write_limit = { LIMIT_RATE, LIMIT_BURST },
		.spin = SPIN,
		.compact = true,
	};
}

static int
parse_arguments(struct options *options, int argc, char **argv,
		struct error *err)
{
	int option, ret;

	opterr = optind = 0;
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) !=
	       -1) {
		if (option == ':')
			return error_set(err, EINVAL, "%s wants a value",
					 argv[optind - 1]);
		if (option == '?' && optopt)
			return error_set(err, EINVAL,
					 "unknown option '-%c' (see --help)",
					 optopt);
		if (option == '?')
			return error_set(err, EINVAL,
					 "unknown option '%s' (see --help)",
					 argv[optind - 1]);
		ret = set_option(options, option, optarg, err);
		if (ret < 0)
			return ret;
	}
	if (optind < argc)
		return error_set(err, EINVAL, "unexpected '%s' (see --help)",
				 argv[optind]);
	return 0;
}

/* The context of config_read()'s functions. */
struct source {
	struct options *options;
	options_find_name *find_name;
	void *opaque; /* of that */
};

static int
ask_name(void *opaque, char **name, struct error *err)
{
	const struct source *source = opaque;

	return source->find_name(source->opaque, source->options->domain, name,
				 err);
}

/* Options of one process, not of the guest's flash, are not for a file. */
static int
set_from_file(void *opaque, const char *name, const char *value,
	      struct error *err)
{
	const struct source *source = opaque;
	const struct option *option = long_options;

	while (option->name && strcmp(option->name, name) != 0)
		option++;
	if (!option->name || strchr("dCrfkhV", option->val))
		return error_set(err, EINVAL, "unknown option '%s'", name);
	if (option->has_arg != no_argument)
		return set_option(source->options, option->val, value, err);
	if (strcmp(value, "no") == 0)
		return 0;
	if (strcmp(value, "yes") != 0)
		return error_set(err, EINVAL, "%s: '%s' is neither yes nor no",
				 name, value);
	return set_option(source->options, option->val, NULL, err);
}

/* The file is for what the command line leaves open: it is read before. */
static int
parse_with_file(struct options *options, struct source *source, int argc,
		char **argv, struct error *err)
{
	struct options given = *options;
	int ret;

	options_default(options);
	options->domain = given.domain;
	ret = config_read(given.config, ask_name, set_from_file, source,
			  &options->config_text, err);
	if (ret < 0)
		return ret;
	if (given.template || given.layout) {
		options->template = NULL;
		options->layout = NULL;
	}
	return parse_arguments(options, argc, argv, err);
}

int
options_parse(struct options *options, int argc, char **argv,
	      options_find_name *find_name, void *opaque, struct error *err)
{
	struct source source = { .options = options,
				 .find_name = find_name,
				 .opaque = opaque };

	options_default(options);
	if (parse_arguments(options, argc, argv, err) < 0)
		return EXIT_USAGE;
	if (options->config && options->domain && !options->help &&
	    !options->version) {
		int ret = parse_with_file(options, &source, argc, argv, err);

		if (ret < 0)
			return ret == -ESRCH ? EXIT_DOMAIN : EXIT_FILE;
	}
	return check_complete(options, err) < 0 ? EXIT_USAGE : EXIT_OK;
}

void
options_free(struct options *options)
{
	free(options->config_text);
}
