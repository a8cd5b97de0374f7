/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/tracing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "pflash/trace.h"
#include "supervisor/state.h"

#define OLD ".old"
#define SEND_BUFFER (1 << 20) /* bytes; the kernel may allow less */

/*
 * 1: the file is a trace, or empty; 0: it does not exist; -EEXIST: it is
 * something else, which must stay.
 */
static int
is_trace(const char *path)
{
	char start[sizeof(TRACE_MAGIC)];
	size_t len = strlen(TRACE_MAGIC);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t n = 0;
	bool is;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	is = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if (is)
		n = pread(fd, start, len, 0);
	close(fd);
	return is && (n == 0 || (n == (ssize_t)len &&
				 memcmp(start, TRACE_MAGIC, len) == 0)) ?
		       1 :
		       -EEXIST;
}

/* Renames the trace of an earlier run, and removes the one before. */
static int
keep_old(const char *path, struct error *err)
{
	char *old = NULL;
	int ret = is_trace(path);

	if (ret > 0 && asprintf(&old, "%s" OLD, path) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (ret > 0) {
		ret = is_trace(old);
		if (ret >= 0)
			ret = rename(path, old) < 0 ? -errno : 0;
	}
	if (ret == -EEXIST)
		error_set(err, EEXIST,
			  "%s, or the same with " OLD
			  ", exists and is no trace",
			  path);
	else if (ret < 0)
		error_errno(err, -ret, "%s", path);
	free(old);
	return ret;
}

static int
create(const char *path, struct error *err)
{
	int ret = keep_old(path, err), fd;

	if (ret < 0)
		return ret;
	fd = open(path,
		  O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW |
			  O_CLOEXEC,
		  S_IRUSR | S_IWUSR);
	return fd < 0 ? error_errno(err, errno, "%s", path) : fd;
}

/* After an upgrade the file of the program before goes on. */
static void
open_file(struct supervisor *s)
{
	struct tracing *tracing = &s->tracing;
	const char *path = s->options->trace;
	struct error err;

	if (s->start->lock >= 0 && is_trace(path) > 0)
		tracing->file = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW |
						   O_CLOEXEC);
	if (tracing->file < 0)
		tracing->file = create(path, &err);
	if (tracing->file >= 0)
		return;
	log_line(LOG_WARNING, "no trace: %s", err.text);
	tracing->over = true;
}

/* Then the worker has ended the trace. */
static bool
file_is_full(const struct supervisor *s)
{
	struct stat st;

	return s->options->trace_limit && s->tracing.file >= 0 &&
	       fstat(s->tracing.file, &st) == 0 &&
	       (uint64_t)st.st_size + TRACE_ROOM > s->options->trace_limit;
}

static bool
file_is_traced(const struct supervisor *s)
{
	return s->options->trace && !s->tracing.over && !file_is_full(s);
}

static int
duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

/* After an upgrade the file has the trace of the program before. */
static uint32_t
flags_of_file(const struct supervisor *s)
{
	struct stat st;

	if (s->tracing.started)
		return CHANNEL_CONTINUED | CHANNEL_HOLE;
	return fstat(s->tracing.file, &st) == 0 && st.st_size > 0 ?
		       CHANNEL_CONTINUED :
		       0;
}

static void
close_client(struct supervisor *s)
{
	struct tracing *tracing = &s->tracing;

	if (tracing->client < 0)
		return;
	ev_io_stop(s->ev, &tracing->gone);
	close(tracing->client);
	tracing->client = -1;
}

int
tracing_descriptor(void *opaque, uint32_t *flags)
{
	struct supervisor *s = opaque;
	struct tracing *tracing = &s->tracing;

	if (tracing->client >= 0 && ev_is_active(&tracing->gone))
		return duplicate(tracing->client);
	/* The worker writes the last line, and then has the only copy. */
	close_client(s);
	if (tracing->file < 0 && file_is_traced(s))
		open_file(s);
	if (!file_is_traced(s))
		return -ENOENT;
	*flags |= flags_of_file(s);
	tracing->started = true;
	return duplicate(tracing->file);
}

static void
order(struct supervisor *s)
{
	s->broker.traces_ordered++;
	supervisor_order(s, CHANNEL_NEW_TRACE);
}

/* The client has nothing to say: it wants the trace to end. */
static void
on_client(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct supervisor *s = watcher->data;

	(void)events;
	ev_io_stop(ev, watcher);
	order(s);
}

int
tracing_start(struct supervisor *s, struct error *err)
{
	if (s->state != RUNNING || s->domain_suspended)
		return error_set(err, EAGAIN, "%s",
				 s->domain_suspended ?
					 "the guest is suspended" :
					 "no worker serves the guest");
	if (s->tracing.client >= 0 || file_is_traced(s))
		return error_set(err, EBUSY,
				 "the guest is traced already, %s: end that "
				 "trace with `pflashctl trace --stop`",
				 s->tracing.client >= 0 ? "by a pflashctl" :
							  "by --trace");
	return CONTROL_STREAM;
}

void
tracing_stream(void *opaque, int fd)
{
	struct supervisor *s = opaque;
	struct tracing *tracing = &s->tracing;
	const int size = SEND_BUFFER;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		close(fd);
		return;
	}
	tracing->client = fd;
	supervisor_watch(s, &tracing->gone, on_client, fd, EV_READ);
	order(s);
}

int
tracing_stop(struct supervisor *s, struct error *err)
{
	struct tracing *tracing = &s->tracing;

	if (tracing->client < 0 && !file_is_traced(s))
		return error_set(err, ENOENT, "the guest is not traced");
	if (tracing->client >= 0) {
		ev_io_stop(s->ev, &tracing->gone);
	} else {
		tracing->over = true;
		if (tracing->file >= 0)
			close(tracing->file);
		tracing->file = -1;
	}
	order(s);
	return 0;
}

void
tracing_init(struct supervisor *s)
{
	s->tracing = (struct tracing){ .file = -1, .client = -1 };
	ev_init(&s->tracing.gone, on_client);
}

/* The worker opens the trace when it has locked the VARS file. */
void
tracing_begin(struct supervisor *s)
{
	s->broker.traces_ordered = s->options->trace ? 1 : 0;
}

void
tracing_worker_ended(struct supervisor *s)
{
	close_client(s);
}

void
tracing_close(struct supervisor *s)
{
	close_client(s);
	if (s->tracing.file >= 0)
		close(s->tracing.file);
}

const char *
tracing_state(const struct supervisor *s)
{
	return s->tracing.client >= 0 ? "client" :
	       file_is_traced(s)      ? "file" :
					"off";
}
