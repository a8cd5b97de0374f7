/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "pflash/cmdline.h"
#include "pflash/names.h"
#include "pflash/pins.h"
#include "pflash/quiet.h"
#include "pflash/trace.h"

#define MAX_WAIT 3600
#define MAX_SPIN 100000
#define SPIN 50
#define MAX_RESTARTS 10000
#define RESTARTS 10

static const struct parse_choice reactions[] = {
	{ "report", false },
	{ "pause", true },
	{ NULL, 0 },
};

static const struct parse_choice logs[] = {
	{ "stderr", OPTIONS_LOG_STDERR },
	{ "syslog", OPTIONS_LOG_SYSLOG },
	{ NULL, 0 },
};

static const struct parse_choice compactions[] = {
	{ "auto", true },
	{ "never", false },
	{ NULL, 0 },
};

static const struct parse_choice answers[] = {
	{ "yes", true },
	{ "no", false },
	{ NULL, 0 },
};

static const struct parse_choice guest_types[] = {
	{ "pvh", OPTIONS_CHECK_PVH },
	{ "hvm", OPTIONS_CHECK_HVM },
	{ NULL, 0 },
};

static const struct parse_choice sandboxes[] = {
	{ "none", SANDBOX_NONE },
	{ "basic", SANDBOX_BASIC },
	{ "full", SANDBOX_FULL },
	{ NULL, 0 },
};

static const struct cmdline_option table[] = {
	{ "domain", 'd', true },      { "config", 'C', true },
	{ "vars", 'v', true },        { "template", 't', true },
	{ "layout", 'l', true },      { "code", 'c', true },
	{ "base", 'b', true },        { "mode", 'm', true },
	{ "sync", 's', true },        { "settle", 'T', true },
	{ "journal", 'j', true },     { "history", 'H', true },
	{ "on-error", 'e', true },    { "write-limit", 'x', true },
	{ "spin", 'P', true },        { "compact", 'o', true },
	{ "read-only", 'R', false },  { "force", 'F', false },
	{ "personality", 'p', true }, { "width", 'w', true },
	{ "interleave", 'i', true },  { "block-size", 'B', true },
	{ "partition", 'a', true },   { "ready-fd", 'r', true },
	{ "wait", 'W', true },        { "log", 'L', true },
	{ "sandbox", 'S', true },     { "user", 'u', true },
	{ "restarts", 'n', true },    { "check-handover", 'k', false },
	{ "trace", 'E', true },       { "trace-limit", 'M', true },
	{ "pin", 'I', true },         { "on-pin", 'N', true },
	{ "check-start", 'K', true }, { "incoming", 'g', true },
	{ "fetch", 'G', false },      { "foreground", 'f', false },
	{ "lease", 'A', true },       { "lease-lost", 'O', true },
	{ "help", 'h', false },       { "version", 'V', false },
	{ NULL, 0, false },
};

/* clang-format off */
void
options_help(void)
{
	fputs("usage: pflashd --domain ID|NAME --vars FILE [options]\n"
"       pflashd --domain ID|NAME --config FILE|DIRECTORY [options]\n"
"\n"
"Gives a Xen guest a flash chip for its UEFI variables and stores them in\n"
"FILE.\n"
"\n"
"  --domain ID|NAME   the guest\n"
"  --config PATH      a file of options, or a directory: NAME.conf in it, or\n"
"                     default.conf; the command line wins\n"
"  --vars FILE        the image of the variables\n"
"  --template FILE    if --vars does not exist: create it as a copy of FILE\n"
"  --layout 2m|4m     if --vars does not exist: create an empty variable\n"
"                     store for an OVMF build of this size\n"
"  --code FILE        the firmware image; its last volume is mapped below\n"
"                     4 GiB (a PVH guest starts slowly without it); auto\n"
"                     (default): the image in the guest's memory; none\n"
"  --base ADDR        guest-physical address of the flash; the default\n"
"                     depends on the size of --vars: 0xffe00000 for 128 KiB,\n"
"                     0xffc00000 for 528 KiB\n"
"  --mode MODE        how the guest reads: direct (frames of memory), trap\n"
"                     (every read is a request), or auto (default)\n"
"  --sync WHEN        sync the journal after each burst that changes what the\n"
"                     next boot of the firmware will see: variable (default),\n"
"                     after each burst, after each op, or never: none\n"
"  --settle SECONDS   when the guest has not written for that time, 5 by\n"
"                     default: make the file alone have all that it wrote\n"
"  --history HOW      the history in the journal: a size (default 1M), an age\n"
"                     such as 30d, or 0 for none\n"
"  --journal FILE     the journal, if it is not FILE.journal\n"
"  --on-error WHAT    if a change cannot be stored: report it in the chip's\n"
"                     status and the log (default), or pause the guest too\n"
"  --pin WHAT         variables that the guest cannot change: keys (of Secure\n"
"                     Boot), mok (of shim), boot, GUID:NAME, a list of these,\n"
"                     auto (default: keys and mok, if there is a PK), or off\n"
"  --on-pin WHAT      if it tries: report it in the chip's status and the log\n"
"                     (default), or pause the guest too\n"
"  --write-limit HOW  limit the bytes written to the disk: RATE[,BURST] in\n"
"                     bytes a second and at once (default 128K,256M), or off\n"
"  --compact WHEN     make room for variables before a new guest runs: auto\n"
"                     (default: if the store is half full), or never\n"
"  --spin MICROSECONDS  poll for the guest's next access that long before\n"
"                     sleeping, if it usually comes so soon: 50 (default);\n"
"                     0: never\n"
"  --read-only        refuse every change, like a write-protected chip\n"
"  --force            attach an image that the firmware would not accept\n"
"  --personality P    ovmf (default), strict (the data sheet), or qemu\n"
"  --width N          bytes of the flash's bus: 1 (default), 2 or 4\n"
"  --interleave N     chips side by side on the bus: as few as possible\n"
"  --block-size LIST  erase blocks, SIZE[xCOUNT][,...]: 4096 (default)\n"
"  --partition SIZE   bytes that change their view together; the default is\n"
"                     an erase block (ovmf) or the whole flash (strict)\n"
"  --trace FILE       record the guest's accesses, with values of variables\n"
"  --trace-limit SIZE the most bytes of FILE: 64M (default), up to 1G\n"
"  --lease LEASE      write only with sanlock:LOCKSPACE:RESOURCE:PATH:OFFSET\n"
"  --foreground       do not become a daemon\n"
"  --ready-fd N       write a newline to this descriptor when the flash is\n"
"                     attached\n"
"  --wait SECONDS     wait until another process closes the VARS file\n"
"  --log WHERE        stderr (default with --foreground) or syslog\n"
"  --sandbox HOW      privileges that the worker drops: full (default: user,\n"
"                     root, limits, system calls, domains), basic (user,\n"
"                     root, limits), or none\n"
"  --user USER        the worker's user; the default is a uid of its own for\n"
"                     each domain: 2000000000 plus the domain's id\n"
"  --restarts COUNT   replace a worker that died at most that often within\n"
"                     ten minutes: 10 (default); 0: never\n"
"  --incoming COMMAND gets the flash of a guest that migrates to here; %h:\n"
"                     the host it comes from; --fetch only does that\n"
"  --check-handover   exit code: could this program take over the flash?\n"
"  --lease-lost PID   pause the guest and end its pflashd; run by sanlock\n"
"  --check-start TYPE exit code: could a new guest, pvh or hvm, get it?\n"
"  --help, --version\n"
"\n"
"Exit codes: 0 the guest ended or SIGTERM arrived, 1 failure while running,\n"
"2 usage, 3 a file was refused, 4 the file is in use, 5 the domain or Xen.\n",
	      stdout);
}
/* clang-format on */

bool
options_want_syslog(const struct options *options)
{
	return options->log == OPTIONS_LOG_SYSLOG ||
	       (options->log == OPTIONS_LOG_DEFAULT && !options->foreground);
}

const char *
options_sync_name(const struct options *options)
{
	return parse_choice_name(names_sync, (int)options->sync);
}

const char *
options_personality_name(const struct options *options)
{
	return parse_choice_name(names_personality, (int)options->personality);
}

static int
number(const char *arg, uint64_t most, uint64_t *value, struct error *err)
{
	return parse_number(arg, PARSE_C, 0, most, value, err);
}

static int
set_layout(struct options *options, const char *arg, struct error *err)
{
	options->layout = fv_layout_by_name(arg);
	if (!options->layout)
		return error_set(err, EINVAL, "'%s' is not 2m or 4m", arg);
	return 0;
}

static int
set_trace_limit(struct options *options, const char *arg, struct error *err)
{
	int ret = parse_bytes(arg, TRACE_LIMIT_MOST, &options->trace_limit,
			      err);

	if (ret == 0 && options->trace_limit < TRACE_LIMIT_LEAST)
		return error_set(err, EINVAL, "'%s' is less than 64K", arg);
	return ret;
}

static int
set_ready_fd(struct options *options, const char *arg, struct error *err)
{
	uint64_t value = 0;
	int ret = number(arg, INT32_MAX, &value, err);

	options->ready_fd = (int)value;
	return ret;
}

static int
set_restarts(struct options *options, const char *arg, struct error *err)
{
	uint64_t value = 0;
	int ret = number(arg, MAX_RESTARTS, &value, err);

	options->restarts = (unsigned int)value;
	return ret;
}

static int
set_choice(struct options *options, int option, const char *arg,
	   struct error *err)
{
	static const struct {
		int option;
		const struct parse_choice *choices;
	} lists[] = {
		{ 'm', names_mode },        { 's', names_sync },
		{ 'p', names_personality }, { 'w', names_lanes },
		{ 'i', names_lanes },       { 'e', reactions },
		{ 'N', reactions },         { 'o', compactions },
		{ 'S', sandboxes },         { 'L', logs },
		{ 'K', guest_types },
	};
	int value = 0, ret;
	size_t i = 0;

	while (lists[i].option != option)
		i++;
	ret = parse_choice(lists[i].choices, arg, &value, err);
	switch (option) {
	case 'm': options->mode = (enum window_mode)value; break;
	case 's': options->sync = (enum store_sync)value; break;
	case 'p': options->personality = (enum cfi_personality)value; break;
	case 'w': options->width = (uint32_t)value; break;
	case 'i': options->interleave = (uint32_t)value; break;
	case 'e': options->pause = value; break;
	case 'N': options->pause_on_pin = value; break;
	case 'o': options->compact = value; break;
	case 'S': options->sandbox = (enum sandbox_level)value; break;
	case 'K': options->check_start = (enum options_check)value; break;
	default: options->log = (enum options_log)value; break;
	}
	return ret;
}

static bool
is_code_word(const char *value)
{
	return strcmp(value, "auto") == 0 || strcmp(value, "none") == 0;
}

/* A file of that name needs a path with a slash. */
static void
set_code(struct options *options, const char *arg)
{
	options->code = is_code_word(arg) ? NULL : arg;
	options->code_from = options->code ? OPTIONS_CODE_FILE :
			     *arg == 'a'   ? OPTIONS_CODE_AUTO :
					     OPTIONS_CODE_NONE;
}

static int
set_pin(struct options *options, const char *arg, struct error *err)
{
	struct pins *pins;
	int ret = pins_parse(&pins, arg, err);

	pins_free(pins);
	options->pin = arg;
	return ret;
}

static int
set_lease(struct options *options, const char *arg, struct error *err)
{
	int colons = 0;

	for (const char *p = arg; *p; p++)
		colons += *p == ':';
	if (strncmp(arg, "sanlock:", strlen("sanlock:")) != 0 || colons < 4)
		return error_set(err, EINVAL,
				 "'%s' is not "
				 "sanlock:LOCKSPACE:RESOURCE:PATH:OFFSET",
				 arg);
	options->lease = arg;
	return 0;
}

static int
set_lease_lost(struct options *options, const char *arg, struct error *err)
{
	return parse_number(arg, PARSE_C, 2, INT32_MAX, &options->lease_lost,
			    err);
}

static int
set_option(void *opaque, int option, const char *arg, struct error *err)
{
	struct options *options = opaque;

	switch (option) {
	case 'd': options->domain = arg; return 0;
	case 'C': options->config = arg; return 0;
	case 'v': options->vars = arg; return 0;
	case 't': options->template = arg; return 0;
	case 'c': set_code(options, arg); return 0;
	case 'f': options->foreground = true; return 0;
	case 'j': options->journal = arg; return 0;
	case 'u': options->user = arg; return 0;
	case 'E': options->trace = arg; return 0;
	case 'I': return set_pin(options, arg, err);
	case 'M': return set_trace_limit(options, arg, err);
	case 'n': return set_restarts(options, arg, err);
	case 'g': options->incoming = arg; return 0;
	case 'G': options->fetch = true; return 0;
	case 'A': return set_lease(options, arg, err);
	case 'O': return set_lease_lost(options, arg, err);
	case 'k': options->check_handover = true; return 0;
	case 'H': return store_history_parse(&options->history, arg, err);
	case 'x': return limit_parse(&options->write_limit, arg, err);
	case 'R': options->read_only = true; return 0;
	case 'F': options->force = true; return 0;
	case 'h': options->help = true; return 0;
	case 'V': options->version = true; return 0;
	case 'B': options->blocks = arg; return 0;
	case 'a': return parse_bytes(arg, UINT32_MAX, &options->partition, err);
	case 'l': return set_layout(options, arg, err);
	case 'r': return set_ready_fd(options, arg, err);
	case 'W': return number(arg, MAX_WAIT, &options->wait, err);
	case 'T':
		return parse_number(arg, PARSE_C, QUIET_SETTLE_LEAST,
				    QUIET_SETTLE_MOST, &options->settle, err);
	case 'P': return number(arg, MAX_SPIN, &options->spin, err);
	case 'b':
		options->base_given = true;
		return number(arg, UINT32_MAX, &options->base, err);
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
	if (!options->vars && !options->lease_lost)
		return error_set(err, EINVAL, "--vars is missing (see --help)");
	if (options->template && options->layout)
		return error_set(err, EINVAL,
				 "--template and --layout exclude each other");
	if (options->trace && strcmp(options->trace, options->vars) == 0)
		return error_set(err, EINVAL,
				 "--trace and --vars name the same file");
	return 0;
}

static void
options_default(struct options *options)
{
	*options = (struct options){
		.ready_fd = -1,
		.sync = STORE_SYNC_VARIABLE,
		.settle = QUIET_SETTLE,
		.pin = "auto",
		.width = 1,
		.blocks = "4096",
		.history.bytes = STORE_HISTORY_BYTES,
		.sandbox = SANDBOX_FULL,
		.restarts = RESTARTS,
		.write_limit = { LIMIT_RATE, LIMIT_BURST },
		.spin = SPIN,
		.compact = true,
		.trace_limit = TRACE_LIMIT,
	};
}

static int
parse_arguments(struct options *options, int argc, char **argv,
		struct error *err)
{
	int first = cmdline_parse(table, argc, argv, set_option, options, err);

	if (first >= 0 && first < argc)
		return error_set(err, EINVAL,
				 "unexpected argument '%s' (see --help)",
				 argv[first]);
	return first < 0 ? first : 0;
}

/* The context of config_read()'s functions. */
struct source {
	struct options *options;
	options_find_name *find_name;
	void *opaque;    /* for find_name() */
	bool given[128]; /* the file has the option, by its id */
};

static int
ask_name(void *opaque, char **name, struct error *err)
{
	const struct source *source = opaque;

	return source->find_name(source->opaque, source->options->domain, name,
				 err);
}

/*
 * A file is read by processes with different working directories, so a path in
 * it must not depend on them.
 */
static int
check_path(const char *name, int id, const char *value, struct error *err)
{
	if (!strchr("vtcjE", id) || *value == '/' ||
	    (id == 'c' && is_code_word(value)))
		return 0;
	return error_set(err, EINVAL,
			 "%s: '%s' is a relative path: write the whole path, "
			 "from / on",
			 name, value);
}

/* A file describes the flash: it cannot set the options of one process. */
static int
set_from_file(void *opaque, const char *name, const char *value,
	      struct error *err)
{
	struct source *source = opaque;
	const struct cmdline_option *option = cmdline_find(table, name);
	struct error why;
	int yes = false;

	if (!option || strchr("dCrfkKGOhV", option->id))
		return error_set(err, EINVAL, "unknown option '%s'", name);
	if (source->given[option->id])
		return error_set(err, EINVAL,
				 "'%s' for the second time: remove one of the "
				 "lines",
				 name);
	source->given[option->id] = true;
	if (option->has_value && check_path(name, option->id, value, err) < 0)
		return -EINVAL;
	if (option->has_value)
		return cmdline_apply(option, value, set_option, source->options,
				     err);
	if (parse_choice(answers, value, &yes, &why) < 0)
		return error_set(err, EINVAL, "--%s: %s", name, why.text);
	return yes ? cmdline_apply(option, NULL, set_option, source->options,
				   err) :
		     0;
}

/*
 * The command line wins: it is applied again after the file.  The file's
 * template or layout is dropped if the command line gives either.
 */
static int
parse_with_file(struct options *options, struct source *source, int argc,
		char **argv, struct error *err)
{
	struct options given = *options;
	int ret;

	options_default(options);
	options->domain = given.domain;
	options->check_start = given.check_start; /* for ask_name() */
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
