/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pflash-replay: applies recorded accesses to a VARS file, through the server,
 * chip and store of pflashd, on the simulated hypervisor.
 *
 * Standard input has one access a line, `w OFF SIZE VALUE` or `r OFF SIZE
 * [VALUE]`, in hex; a line that begins with # is a comment, and `c STATE` puts
 * the chip into a state, both as pflashd --trace writes them.  The value of a
 * read is printed in hex, on a line of its own, before the next access is read.
 */
#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../common/access.h"
#include "pflash/cmdline.h"
#include "pflash/device.h"
#include "pflash/load.h"
#include "pflash/names.h"
#include "pflash/pins.h"
#include "pflash/quiet.h"
#include "pflash/sim.h"
#include "pflash/trace.h"

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2, /* the command line, or a line of the input */
	EXIT_FILE = 3,
};

/* The flash ends at 4 GiB, whatever its size. */
#define FLASH_TOP (UINT64_C(1) << 32)

struct options {
	const char *vars;
	const char *journal; /* NULL: FILE.journal */
	enum store_sync sync;
	uint64_t settle; /* seconds */
	enum cfi_personality personality;
	uint32_t width, interleave;
	const char *blocks;
	uint64_t partition;
	enum window_mode mode;
	const char *trace; /* NULL: none */
	struct pins *pins; /* NULL: none */
};

/* Standard input.  A line that fills it is no access: its middle is dropped. */
struct input {
	char text[64 << 10];
	size_t start, end; /* of the bytes that were read and not used */
};

struct replay {
	struct input input;
	struct quiet quiet;
	struct store *store;
	struct sim *sim;
	struct ioreq_server *server;
	struct device *device;
	struct trace *trace; /* NULL: none */
	uint64_t base;
};

/* clang-format off */
static void
help(void)
{
	puts("usage: pflash-replay --vars FILE [options] < accesses\n"
"\n"
"Applies accesses (`w OFF SIZE VALUE`, `r OFF SIZE`, in hex) to FILE and\n"
"prints the value of each read.\n"
"\n"
"  --vars FILE           the image; its journal is FILE.journal\n"
"  --journal FILE        another journal; a block device needs it\n"
"  --sync variable|burst|op|none\n"
"                        which bursts are synced: variable (default), those\n"
"                        that change what the next boot will see\n"
"  --settle SECONDS      without a write for that time (5): make FILE alone\n"
"                        have all bursts, without its journal\n"
"  --personality ovmf|strict|qemu\n"
"  --width N             bytes of the bus: 1, 2 or 4\n"
"  --interleave N        chips side by side on it\n"
"  --block-size LIST     erase blocks, SIZE[xCOUNT][,...]: 4096\n"
"  --partition SIZE      bytes that change their view together\n"
"  --mode auto|direct|trap\n"
"  --pin auto|keys|mok|boot|GUID:NAME,...|off\n"
"                        undo each burst that would change these variables,\n"
"                        and say so on standard error\n"
"  --trace OUT           record the accesses in OUT, as pflashd does\n"
"  --help, --version\n"
"\n"
"Exit codes: 0 success, 1 failure, 2 usage (also a geometry that does not\n"
"fit FILE) or a line that is not an access, 3 FILE was refused.");
}
/* clang-format on */

static const struct cmdline_option table[] = {
	{ "vars", 'v', true },        { "sync", 's', true },
	{ "journal", 'j', true },     { "settle", 't', true },
	{ "personality", 'p', true }, { "mode", 'm', true },
	{ "width", 'w', true },       { "interleave", 'i', true },
	{ "block-size", 'b', true },  { "partition", 'a', true },
	{ "trace", 'R', true },       { "pin", 'P', true },
	{ "help", 'h', false },       { "version", 'V', false },
	{ NULL, 0, false },
};

static int
set_option(void *opaque, int option, const char *arg, struct error *err)
{
	struct options *options = opaque;
	int value = 0, ret = 0;

	switch (option) {
	case 'v': options->vars = arg; break;
	case 'j': options->journal = arg; break;
	case 's':
		ret = parse_choice(names_sync, arg, &value, err);
		options->sync = (enum store_sync)value;
		break;
	case 't':
		return parse_number(arg, PARSE_C, QUIET_SETTLE_LEAST,
				    QUIET_SETTLE_MOST, &options->settle, err);
	case 'p':
		ret = parse_choice(names_personality, arg, &value, err);
		options->personality = (enum cfi_personality)value;
		break;
	case 'm':
		ret = parse_choice(names_mode, arg, &value, err);
		options->mode = (enum window_mode)value;
		break;
	case 'w':
		ret = parse_choice(names_lanes, arg, &value, err);
		options->width = (uint32_t)value;
		break;
	case 'i':
		ret = parse_choice(names_lanes, arg, &value, err);
		options->interleave = (uint32_t)value;
		break;
	case 'b': options->blocks = arg; break;
	case 'R': options->trace = arg; break;
	case 'P':
		pins_free(options->pins);
		return pins_parse(&options->pins, arg, err);
	case 'a':
		ret = parse_bytes(arg, UINT32_MAX, &options->partition, err);
		break;
	case 'h': help(); return 1;
	default: puts("pflash-replay " PFLASH_VERSION); return 1;
	}
	return ret;
}

/* Returns 1 after --help or --version. */
static int
parse_options(struct options *options, int argc, char **argv, struct error *err)
{
	int first = cmdline_parse(table, argc, argv, set_option, options, err);

	if (first <= 0)
		return first < 0 ? first : 1;
	if (first < argc)
		return error_set(err, EINVAL,
				 "unexpected argument '%s' (see --help)",
				 argv[first]);
	if (!options->vars)
		return error_set(err, EINVAL, "--vars is missing (see --help)");
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
		.partition = (uint32_t)options->partition,
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

static int
open_trace(struct replay *replay, const char *path, struct error *err)
{
	struct trace_config config = {
		.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			   S_IRUSR | S_IWUSR),
	};
	int ret = config.fd < 0 ?
			  -errno :
			  trace_open(&replay->trace, replay->device, &config);

	return ret < 0 ? error_errno(err, -ret, "%s", path) : 0;
}

static void
close_trace(struct replay *replay, const char *path, int *code,
	    struct error *err)
{
	const char *why = trace_ended(replay->trace);

	if (why && *code == EXIT_OK) {
		error_set(err, EIO, "%s: %s", path, why);
		*code = EXIT_FAILED;
	}
	trace_close(replay->trace, "the end of the input");
	replay->trace = NULL;
}

static void
detach(struct replay *replay)
{
	if (replay->device)
		device_close(replay->device, DEVICE_DISCARD_STATE, NULL);
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

static double
seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
note_work(struct replay *replay, double now)
{
	const struct quiet_work work = {
		.unsynced = device_unsynced(replay->device),
		.behind = device_behind(replay->device),
	};

	(void)quiet_note(&replay->quiet, work,
			 ioreq_server_stats(replay->server)->writes, now);
}

/*
 * Makes a checkpoint or syncs bursts that are not durable, if that is due.
 * Returns quiet_wait().
 */
static double
settle(struct replay *replay)
{
	uint64_t writes = ioreq_server_stats(replay->server)->writes;
	double now = seconds();
	struct quiet_due due;

	note_work(replay, now);
	if (quiet_wait(&replay->quiet, now) == 0) {
		due = quiet_expired(&replay->quiet, writes, false, now);
		if (due.checkpoint && device_behind(replay->device))
			device_settle(replay->device);
		else if (due.sync && device_unsynced(replay->device))
			device_sync(replay->device);
		note_work(replay, now);
	}
	return quiet_wait(&replay->quiet, now);
}

/* Returns false at the end of the input. */
static bool
read_more(struct replay *replay)
{
	struct input *in = &replay->input;
	struct pollfd ready = { .fd = STDIN_FILENO, .events = POLLIN };
	double wait;
	ssize_t n;

	while ((wait = settle(replay)) >= 0 &&
	       poll(&ready, 1, 1 + (int)(wait * 1000)) == 0)
		;
	do
		n = read(STDIN_FILENO, in->text + in->end,
			 sizeof(in->text) - 1 - in->end);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		in->end += (size_t)n;
	return n > 0;
}

/* Returns the next line without its newline; NULL at the end. */
static char *
next_line(struct replay *replay)
{
	struct input *in = &replay->input;
	char *line = in->text, *end;

	while (!(end = memchr(in->text + in->start, '\n',
			      in->end - in->start))) {
		in->end -= in->start;
		memmove(in->text, in->text + in->start, in->end);
		in->start = 0;
		if (in->end == sizeof(in->text) - 1)
			in->end /= 2;
		if (read_more(replay))
			continue;
		end = in->text + in->end;
		if (in->end == 0)
			return NULL;
		in->end++;
		break;
	}
	line += in->start;
	*end = '\0';
	in->start = (size_t)(end + 1 - in->text);
	return line;
}

static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The line of a trace that puts the chip into a state. */
static int
restore(struct replay *replay, const char *hex)
{
	static uint8_t record[CFI_STATE_MAX];
	size_t len = 0;

	for (; *hex && len < sizeof(record); hex += 2) {
		int high = digit(hex[0]), low = high < 0 ? -1 : digit(hex[1]);

		if (low < 0)
			return -EINVAL;
		record[len++] = (uint8_t)(high << 4 | low);
	}
	return *hex ? -EINVAL : device_restore(replay->device, record, len);
}

static int
replay_line(struct replay *replay, const char *line, unsigned long number,
	    struct error *err)
{
	struct access_line access;
	int ret;

	if (strncmp(line, TRACE_CHIP, strlen(TRACE_CHIP)) == 0) {
		ret = restore(replay, line + strlen(TRACE_CHIP));
		return ret < 0 ? error_set(err, EINVAL,
					   "line %lu is not a state of a chip "
					   "with this geometry and personality",
					   number) :
				 0;
	}
	if (strncmp(line, TRACE_LOST, strlen(TRACE_LOST)) == 0)
		return error_set(
			err, EINVAL,
			"line %lu: the recording has a hole, it cannot "
			"be replayed beyond it: %.60s",
			number, line);
	ret = access_parse(line, &access);
	if (ret < 0)
		return error_set(err, EINVAL,
				 "line %lu is not an access: %.60s", number,
				 line);
	if (access.op)
		apply(replay, &access);
	return 0;
}

static int
replay_input(struct replay *replay, struct error *err)
{
	unsigned long number_of_line = 0;
	const char *line;
	int ret = 0;

	while (ret == 0 && (line = next_line(replay)) != NULL) {
		number_of_line++;
		ret = replay_line(replay, line, number_of_line, err);
	}
	return ret;
}

static int
pin(void *opaque, const struct store *store, uint8_t *image, struct error *err)
{
	memcpy(image, store_image(store), store_size(store));
	return pins_start(opaque, image, store_size(store), err);
}

static void
say_refused(void *opaque, const char *why)
{
	(void)opaque;
	fprintf(stderr, "pflash-replay: refused: %s\n", why);
}

static int
open_store(struct replay *replay, const struct store_config *config,
	   struct error *err)
{
	int ret = config->pins ? store_rewrite(config, pin, config->pins, err) :
				 0;

	return ret < 0 ? ret : store_open(&replay->store, config, NULL, err);
}

static int
run(const struct options *options)
{
	const struct store_config config = {
		.path = options->vars,
		.journal = options->journal,
		.size = load_flash_size(options->vars),
		.sync = options->sync,
		.accept = true,
		.pins = options->pins,
		.on_refusal = say_refused,
	};
	static struct replay replay;
	struct geometry geometry;
	struct error err = { "" };
	int code = EXIT_OK;

	quiet_init(&replay.quiet, (double)options->settle);
	if (open_store(&replay, &config, &err) < 0)
		code = EXIT_FILE;
	else if (geometry_parse(&geometry, store_size(replay.store),
				options->width, options->interleave,
				options->blocks, &err) < 0 ||
		 cfi_check_partition(&geometry, options->personality,
				     (uint32_t)options->partition, &err) < 0)
		code = EXIT_USAGE;
	else if (attach(&replay, options, &geometry, &err) < 0)
		code = EXIT_FAILED;
	else if (options->trace &&
		 open_trace(&replay, options->trace, &err) < 0)
		code = EXIT_FAILED;
	else if (replay_input(&replay, &err) < 0)
		code = EXIT_USAGE;
	if (replay.trace)
		close_trace(&replay, options->trace, &code, &err);
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
		.sync = STORE_SYNC_VARIABLE,
		.settle = QUIET_SETTLE,
		.width = 1,
		.blocks = "4096",
	};
	struct error err;
	int ret = parse_options(&options, argc, argv, &err);

	signal(SIGXFSZ, SIG_IGN); /* write(2) then returns EFBIG */
	if (ret < 0)
		fprintf(stderr, "pflash-replay: %s\n", err.text);
	if (ret != 0)
		return ret < 0 ? EXIT_USAGE : EXIT_OK;
	ret = run(&options);
	pins_free(options.pins);
	return ret;
}
