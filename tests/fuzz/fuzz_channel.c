/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer: for any requests, report and log of a worker, the supervisor's
 * side of the channel does nothing that the policy forbids and leaks no
 * descriptor, and the status is a JSON object of bounded length.
 *
 * The input is a sequence of steps.  The first byte of a step selects its kind,
 * its low three bits modulo 6; these bytes follow:
 *
 *	0  a request: verb, role, flag, zero (a byte each), count and gfn.  Bit
 *	   4: count has four bytes instead of one.  Bit 3: gfn has eight bytes
 *	   instead of two, which are added to 0xfb000
 *	1  the same, then a byte for the message's size, and a byte, modulo 4,
 *	   for the number of descriptors
 *	2  none: a mode change is ordered; with bit 3 the next worker starts
 *	3  none: the worker reads no replies to the next requests; the upper
 *	   five bits are their number
 *	4  a length, and as many bytes for the log
 *	5  an offset (two bytes), a length, and as many bytes for the report
 */
#include <fcntl.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/raw_message.h"
#include "input.h"

#include "channel.h"
#include "log.h"
#include "pflash/control.h"
#include "supervisor/broker.h"
#include "supervisor/relay.h"
#include "supervisor/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct broker broker;
static struct relay *relay;
static struct report *report;
static int channel[2], pipe_ends[2];
static bool paused; /* rundir_paused() */
static bool ready, ever_ready, installed, ordered;
static unsigned int traces; /* that the worker may open */
static unsigned int unread;

/* --- doubles of the functions that broker, relay and status call --- */

void
log_line(int level, const char *fmt, ...)
{
	char text[2 * RELAY_LINE];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	demand(level >= LOG_ERR && level <= LOG_DEBUG,
	       "a level that is reserved for the host");
	demand(len >= 0 && len <= RELAY_LINE, "a long line");
	demand(!strchr(text, '\n'), "a newline within a line");
}

const char *
options_sync_name(const struct options *options)
{
	(void)options;
	return "burst";
}

const char *
options_personality_name(const struct options *options)
{
	(void)options;
	return "q35";
}

const char *
sandbox_name(enum sandbox_level level)
{
	(void)level;
	return "full";
}

int
rundir_install(struct rundir *rundir)
{
	(void)rundir;
	demand(!installed, "a record is installed twice");
	installed = true;
	return 0;
}

void
rundir_remove_record(const struct rundir *rundir)
{
	(void)rundir;
	demand(!installed, "an installed record is removed");
}

bool
rundir_paused(const struct rundir *rundir)
{
	(void)rundir;
	return paused;
}

int
rundir_set_paused(struct rundir *rundir, bool now)
{
	(void)rundir;
	demand(!now || !paused, "a second pause, which nobody will undo");
	paused = now;
	return 0;
}

static int
fake_open(struct files *files, enum files_role role, enum files_access access)
{
	bool write = access != FILES_READ;

	(void)files;
	demand(role < FILES_ROLES, "an unknown role");
	demand(role != FILES_NEXT || (!write && !ever_ready),
	       "the queue is written, or read late");
	demand(role != FILES_PINS || !write || !ever_ready,
	       "the pinned variables are written late");
	return dup(pipe_ends[0]);
}

static int
fake_create(struct files *files, enum files_role role)
{
	demand(role != FILES_VARS || !ever_ready, "a new VARS file");
	return fake_open(files, role, true);
}

static int
fake_install(struct files *files, enum files_role role, bool replace,
	     bool *named)
{
	(void)files;
	demand(role < FILES_ROLES, "an unknown role");
	demand(role != FILES_VARS || (!ever_ready && !replace),
	       "VARS is replaced");
	demand(role != FILES_PINS || !ever_ready,
	       "the pinned variables are replaced late");
	*named = true;
	return 0;
}

static int
fake_remove(struct files *files, enum files_role role, bool unfinished)
{
	(void)files;
	demand(role < FILES_ROLES, "an unknown role");
	demand(unfinished ? role != FILES_VARS || !ever_ready :
			    role == FILES_STATE || role == FILES_NEXT,
	       "a file is removed");
	demand(role != FILES_NEXT || !ever_ready, "the queue is removed late");
	demand(role != FILES_PINS || !ever_ready,
	       "new pinned variables are removed late");
	return 0;
}

static int
fake_keep(struct files *files, enum files_role role, bool copy, char **name)
{
	(void)files;
	demand(role == FILES_NEXT && !copy && !ever_ready, "a file is kept");
	*name = strdup("VARS.next.kept.2");
	return *name ? 0 : -ENOMEM;
}

static int
fake_frames(struct transport *t, uint64_t gfn, unsigned int count)
{
	uint64_t last = gfn + count - 1;

	(void)t;
	demand(count > 0 && count <= 4096, "many frames");
	demand(gfn >= 0xfc000 && last >= gfn && last <= 0xfffff,
	       "frames outside of the hole");
	demand(last < 0xfec00 || gfn > 0xfefff, "Xen's special pages");
	return 0;
}

static int
fake_get_type(struct transport *t, uint64_t gfn)
{
	(void)t, (void)gfn;
	return HVMMEM_mmio_dm;
}

static unsigned int pauses;

static int
fake_pause(struct transport *t)
{
	(void)t;
	pauses++;
	demand(pauses <= 2, "more pauses than an administrator expects");
	return 0;
}

static int
fake_unpause(struct transport *t)
{
	(void)t;
	demand(paused && pauses > 0, "a pause of somebody else is undone");
	pauses--;
	return 0;
}

static int
on_ready(void *opaque)
{
	(void)opaque;
	demand(!ready, "ready twice");
	ready = ever_ready = true;
	return 0;
}

static int
on_trace(void *opaque, uint32_t *flags)
{
	(void)opaque;
	demand(traces > 0, "a trace that was not ordered");
	traces--;
	*flags |= CHANNEL_CONTINUED;
	return dup(pipe_ends[0]);
}

static void
on_mode_done(void *opaque, int error)
{
	(void)opaque, (void)error;
	demand(ordered, "a mode that was not ordered");
	ordered = false;
}

static const struct files_ops files_ops = {
	.open = fake_open,
	.create = fake_create,
	.install = fake_install,
	.remove = fake_remove,
	.keep = fake_keep,
};

static int
fake_is_paused(struct transport *t)
{
	(void)t;
	return pauses > 0;
}

static const struct transport_ops transport_ops = {
	.populate = fake_frames,
	.depopulate = fake_frames,
	.get_type = fake_get_type,
	.pause = fake_pause,
	.unpause = fake_unpause,
	.is_paused = fake_is_paused,
};

/* --- the worker --- */

static int
lowest_free(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

static void
drop_replies(void)
{
	struct channel_reply reply;
	int fd_in;

	while (channel_receive(channel[1], &reply, sizeof(reply), &fd_in) > 0)
		if (fd_in >= 0)
			close(fd_in);
}

static void
start_worker(void)
{
	drop_replies();
	broker_begin(&broker);
	ready = installed = ordered = false;
	traces = 0;
	unread = 0;
}

/* After a refused request the next worker starts. */
static void
request(struct input *in, uint8_t step)
{
	struct channel_request message = { .verb = (uint8_t)take(in, 1) };
	bool exact = step % 8 % 6 == 0;
	uint8_t bytes[256] = { 0 };
	struct error why;
	size_t size = sizeof(message);
	unsigned int descriptors = 0;

	message.role = (uint8_t)take(in, 1);
	message.flag = (uint8_t)take(in, 1);
	message.zero = (uint8_t)take(in, 1);
	message.count = (uint32_t)take(in, step & 16 ? 4 : 1);
	message.gfn = step & 8 ? take(in, 8) : 0xfb000 + take(in, 2);
	memcpy(bytes, &message, sizeof(message));
	if (!exact) {
		size = take(in, 1);
		descriptors = (unsigned int)take(in, 1) % 4;
	}
	demand(send_raw(channel[1], bytes, size, descriptors) == (ssize_t)size,
	       "sendmsg");
	if (broker_serve(&broker, channel[0], &why) <= 0)
		start_worker();
	else
		demand(size == sizeof(message) && descriptors == 0,
		       "a malformed message was served");
	if (unread == 0)
		drop_replies();
	else
		unread--;
}

static void
print_log(struct input *in)
{
	size_t size = (size_t)take(in, 1);

	while (size--) {
		char byte = (char)take(in, 1);

		demand(write(pipe_ends[1], &byte, 1) == 1, "write");
	}
	demand(relay_read(relay, pipe_ends[0]), "the log's end");
}

static void
ask_status(void)
{
	static const struct options options = { .vars = "/vars" };
	static const struct guest guest = { .id = 7, .name = "guest" };
	const struct status status = {
		.trace = "off",
		.options = &options,
		.guest = &guest,
		.report = report,
		.state = "running",
	};
	char *text = status_text(&status);
	struct json_object *object;

	demand(text && strlen(text) <= CONTROL_ANSWER, "no answer");
	for (const char *c = text; *c; c++)
		demand(*c >= ' ' && *c <= '~', "a byte that is not printable");
	object = json_tokener_parse(text);
	demand(json_object_is_type(object, json_type_object), "no JSON");
	json_object_put(object);
	free(text);
}

static void
write_report(struct input *in)
{
	size_t where = (size_t)take(in, 2) % sizeof(*report);
	size_t size = (size_t)take(in, 1);

	for (; size-- && where < sizeof(*report); where++)
		((uint8_t *)report)[where] = (uint8_t)take(in, 1);
	ask_status();
}

static void
step(struct input *in)
{
	uint8_t what = (uint8_t)take(in, 1);

	switch (what % 8 % 6) {
	case 0:
	case 1: request(in, what); return;
	case 2:
		if (what & 8) {
			start_worker();
			return;
		}
		broker.mode_ordered = ordered = true;
		broker.traces_ordered = ++traces;
		return;
	case 3: unread = what >> 3; return;
	case 4: print_log(in); return;
	default: write_report(in); return;
	}
}

/* --- one input --- */

static void
begin(void)
{
	static struct files files = { .ops = &files_ops };
	static struct transport transport = { .ops = &transport_ops };
	static struct rundir rundir;

	demand(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
			  channel) == 0 &&
		       pipe2(pipe_ends, O_NONBLOCK) == 0,
	       "no descriptors");
	broker = (struct broker){ .files = &files,
				  .transport = &transport,
				  .rundir = &rundir,
				  .ready = on_ready,
				  .mode_done = on_mode_done,
				  .trace = on_trace };
	report = calloc(1, sizeof(*report));
	demand(report != NULL, "out of memory");
	relay = relay_open();
	demand(relay != NULL, "out of memory");
	paused = ever_ready = false;
	pauses = 0;
	start_worker();
}

static void
end(void)
{
	drop_replies();
	relay_finish(relay, pipe_ends[0]);
	relay_close(relay);
	for (int i = 0; i < 2; i++) {
		close(channel[i]);
		close(pipe_ends[i]);
	}
	free(report);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	int before = lowest_free();

	begin();
	while (in.left > 0)
		step(&in);
	end();
	demand(lowest_free() == before, "a descriptor has leaked");
	return 0;
}
