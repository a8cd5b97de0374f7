/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pflashctl trace: receives the accesses of a running guest (pflash/trace.h)
 * from its pflashd, whose worker may be hostile: only printable lines of a
 * bounded length are passed on.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "find.h"
#include "pflash/cfi.h"
#include "pflash/control.h"
#include "pflash/load.h"
#include "pflash/save.h"
#include "pflash/text.h"
#include "pflash/trace.h"
#include "pflashctl.h"

/* The longest line has the state of the chip. */
#define LINE (2 * CFI_STATE_MAX + 16)
#define END_MS 5000 /* for the last line, after a signal */
#define PROGRESS_MS 500

struct tracing {
	const struct ctl_options *options;
	const struct answer *answer; /* the status before the trace */
	struct guest *guest;         /* whose descriptor has the trace */
	FILE *out;
	char line[LINE + 1];
	size_t len;
	uint64_t bytes; /* written to `out` */
	uint64_t accesses, holes;
	uint64_t sequence, checksum; /* of the header */
	bool has_sequence, saved;    /* --vars is done, or has failed */
	bool ended;                  /* the last line has come */
	int code;
};

static volatile sig_atomic_t stop_signals;

static void
on_signal(int number)
{
	(void)number;
	stop_signals++;
}

/* --- the image at the start --- */

static bool
is_image(const struct tracing *tracing, const uint8_t *image, size_t size)
{
	return store_checksum_of(image, size) == tracing->checksum;
}

/* The newest point of the history that is not after the start; 0: none. */
static uint64_t
find_point(const struct tracing *tracing, const struct reader *reader)
{
	struct reader_point point;
	uint64_t best = 0;
	size_t cursor = 0;

	while (reader_next(reader, &cursor, &point))
		if (point.sequence <= tracing->sequence)
			best = point.sequence;
	return best;
}

static int
write_image(const struct tracing *tracing, const struct reader *reader,
	    struct error *err)
{
	size_t size = reader_size(reader);
	uint64_t point = find_point(tracing, reader);
	uint8_t *image = malloc(size);
	int ret;

	if (!image)
		return error_set(err, ENOMEM, "out of memory");
	if (!point || reader_past(reader, point, image, err) < 0 ||
	    !is_image(tracing, image, size))
		memcpy(image, reader_image(reader), size);
	if (is_image(tracing, image, size))
		ret = save_file(tracing->options->image, image, size, 0600,
				err);
	else
		ret = error_set(err, ESTALE,
				"the image at the start of the trace is in "
				"neither the history nor VARS: the guest has "
				"written since; try again");
	free(image);
	return ret;
}

static void
save_image(struct tracing *tracing)
{
	struct text vars = answer_text(tracing->answer, STATUS_VARS);
	char *path = vars.bytes ? strndup(vars.bytes, vars.len) : NULL;
	struct ctl_options options = { .journal = tracing->options->journal };
	struct store_config config;
	struct reader *reader;
	struct error err = { "the status does not name the VARS file" };
	int ret = path ? 0 : -ENOENT;

	tracing->saved = true;
	if (ret == 0) {
		options.files[0] = path;
		config = ctl_config(&options);
		ret = reader_open_files(&reader, &config, &err);
	}
	if (ret == 0) {
		ret = write_image(tracing, reader, &err);
		reader_close(reader);
	}
	free(path);
	if (ret < 0)
		tracing->code = ctl_fail(CTL_FAILED, "--vars %s: %s",
					 tracing->options->image, err.text);
}

/* --- lines --- */

/* The number behind `prefix`; false: the line has another beginning. */
static bool
number_of(const char *line, const char *prefix, int base, uint64_t *value)
{
	size_t len = strlen(prefix);

	if (strncmp(line, prefix, len) != 0)
		return false;
	*value = strtoull(line + len, NULL, base);
	return true;
}

static void
read_header(struct tracing *tracing, const char *line)
{
	if (number_of(line, TRACE_SEQUENCE, 10, &tracing->sequence))
		tracing->has_sequence = true;
	if (number_of(line, TRACE_CHECKSUM, 16, &tracing->checksum) &&
	    tracing->has_sequence && tracing->options->image && !tracing->saved)
		save_image(tracing);
	if (strncmp(line, TRACE_END, strlen(TRACE_END)) == 0)
		tracing->ended = true;
}

static void
put_line(struct tracing *tracing, const char *line)
{
	int n = fprintf(tracing->out, "%s\n", line);

	if (n > 0)
		tracing->bytes += (uint64_t)n;
}

static void
take_line(struct tracing *tracing)
{
	char *line = tracing->line;

	line[tracing->len] = '\0';
	text_copy_printable(line, sizeof(tracing->line), line, tracing->len);
	tracing->len = 0;
	if (*line == 'w' || *line == 'r')
		tracing->accesses++;
	else if (*line == '#')
		read_header(tracing, line);
	else if (strncmp(line, TRACE_LOST, strlen(TRACE_LOST)) == 0)
		tracing->holes++;
	put_line(tracing, line);
}

/* The trace is over; `why` is its last line. */
static void
finish(struct tracing *tracing, const char *why)
{
	char line[128];

	(void)snprintf(line, sizeof(line), TRACE_END "%s", why);
	put_line(tracing, line);
	tracing->ended = true;
}

/* -EBADMSG: an honest pflashd does not send that. */
static int
take_bytes(struct tracing *tracing, const char *bytes, size_t count)
{
	uint64_t limit = tracing->options->limit ? tracing->options->limit :
						   TRACE_LIMIT;

	for (size_t i = 0; i < count && !tracing->ended; i++) {
		if (bytes[i] == '\n') {
			take_line(tracing);
			if (!tracing->ended && tracing->bytes > limit)
				finish(tracing,
				       "the limit of its size is reached");
		} else if (tracing->len == LINE) {
			return -EBADMSG;
		} else {
			tracing->line[tracing->len++] = bytes[i];
		}
	}
	return 0;
}

/* --- the connection --- */

/* A refusal is a status, which begins with '{'. */
static int
take_refusal(const struct tracing *tracing, const char *bytes, size_t count)
{
	static char text[CONTROL_ANSWER];
	struct answer answer;
	struct error err;
	size_t len = count < sizeof(text) ? count : sizeof(text);
	ssize_t n = 1;
	int code;

	memcpy(text, bytes, len);
	while (n > 0 && len < sizeof(text)) {
		struct pollfd ready = { .fd = tracing->guest->fd,
					.events = POLLIN };

		if (poll(&ready, 1, STATUS_MS) <= 0)
			break;
		n = recv(ready.fd, text + len, sizeof(text) - len, 0);
		len += n > 0 ? (size_t)n : 0;
	}
	if (answer_read(&answer, tracing->guest->domain, tracing->guest->pid,
			text, len, &err) < 0)
		code = ctl_fail(CTL_FAILED, "%s", err.text);
	else
		code = find_refused(tracing->options->files[0], &answer);
	answer_close(&answer);
	return code;
}

/* The worker died, or is replaced: its last accesses may be missing. */
static int
cut_off(struct tracing *tracing)
{
	put_line(tracing, TRACE_LOST "0 or more accesses: the worker ended");
	finish(tracing, "the connection has ended");
	tracing->holes++;
	return CTL_OK;
}

/* Returns 0 to continue, or 1 with the exit code in *code. */
static int
receive(struct tracing *tracing, int *code)
{
	char bytes[16384];
	ssize_t n = recv(tracing->guest->fd, bytes, sizeof(bytes), 0);

	*code = CTL_OK;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		*code = cut_off(tracing);
		return 1;
	}
	if (tracing->bytes == 0 && tracing->len == 0 && *bytes == '{') {
		*code = take_refusal(tracing, bytes, (size_t)n);
		return 1;
	}
	if (take_bytes(tracing, bytes, (size_t)n) < 0)
		*code = ctl_fail(CTL_FAILED, "%s: this is no trace",
				 tracing->options->files[0]);
	else if (fflush(tracing->out))
		*code = ctl_fail(CTL_FAILED, "%s: %s",
				 tracing->options->files[1] ?
					 tracing->options->files[1] :
					 "standard output",
				 strerror(errno));
	return tracing->ended || *code != CTL_OK;
}

static void
show_progress(const struct tracing *tracing, const char *end)
{
	if (tracing->options->files[1] && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%" PRIu64 " accesses, %" PRIu64 " bytes%s",
			tracing->accesses, tracing->bytes, end);
}

/* A signal asks for the last line; a second one does not wait for it. */
static int
run(struct tracing *tracing)
{
	struct pollfd ready = { .fd = tracing->guest->fd, .events = POLLIN };
	int64_t until = INT64_MAX;
	sigset_t none;
	int code = CTL_OK;

	(void)sigemptyset(&none);
	for (;;) {
		const struct timespec step = { .tv_nsec = PROGRESS_MS *
							  1000000 };
		int n = ppoll(&ready, 1, &step, &none);

		if (stop_signals && until == INT64_MAX) {
			(void)shutdown(ready.fd, SHUT_WR);
			until = ask_clock() + END_MS;
		}
		if (n > 0 && receive(tracing, &code))
			break;
		if (stop_signals > 1 || ask_clock() > until) {
			code = cut_off(tracing);
			break;
		}
		if (n == 0)
			show_progress(tracing, "");
	}
	show_progress(tracing, "\n");
	return code;
}

static void
catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction action = { .sa_handler = on_signal };
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&set);
	for (unsigned int i = 0; i < 3; i++) {
		(void)sigaddset(&set, numbers[i]);
		(void)sigaction(numbers[i], &action, NULL);
	}
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static int
report(const struct tracing *tracing)
{
	const char *wanted = tracing->options->files[0];

	if (tracing->holes)
		return ctl_fail(CTL_FAILED,
				"%s: %" PRIu64 " accesses; the trace has a "
				"hole and cannot be replayed beyond it",
				wanted, tracing->accesses);
	(void)ctl_fail(CTL_OK, "%s: %" PRIu64 " accesses", wanted,
		       tracing->accesses);
	return tracing->code;
}

static int
open_out(struct tracing *tracing)
{
	const char *path = tracing->options->files[1];
	int fd;

	tracing->out = stdout;
	if (!path)
		return CTL_OK;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	tracing->out = fd >= 0 ? fdopen(fd, "w") : NULL;
	return tracing->out ?
		       CTL_OK :
		       ctl_fail(CTL_FAILED, "%s: %s", path, strerror(errno));
}

static int
trace(const struct ctl_options *options, const struct guest *found)
{
	static struct tracing tracing;
	struct guests one;
	struct error err;
	int code;

	tracing.options = options;
	tracing.answer = &found->answer;
	if (guests_one(&one, found->domain, &err) < 0)
		return ctl_fail(CTL_FAILED, "%s", err.text);
	tracing.guest = one.all;
	catch_signals();
	code = open_out(&tracing);
	if (code == CTL_OK && ask_connect(one.all, CONTROL_TRACE "\n",
					  ask_clock() + STATUS_MS) < 0)
		code = find_unanswered(one.all);
	else if (code == CTL_OK)
		code = run(&tracing);
	if (tracing.out && tracing.out != stdout && fclose(tracing.out) != 0 &&
	    code == CTL_OK)
		code = ctl_fail(CTL_FAILED, "%s: %s", options->files[1],
				strerror(errno));
	if (tracing.out && tracing.out != stdout && tracing.bytes == 0)
		(void)unlink(options->files[1]);
	guests_close(&one);
	return code == CTL_OK ? report(&tracing) : code;
}

static int
stop(const struct ctl_options *options, const struct guest *found)
{
	struct guests one;
	int code = find_tell(found, CONTROL_TRACE_STOP "\n",
			     ask_clock() + STATUS_MS, &one);

	if (code == CTL_OK && answer_text(&one.all->answer, STATUS_ERROR).bytes)
		code = find_refused(options->files[0], &one.all->answer);
	guests_close(&one);
	return code;
}

int
ctl_trace(const struct ctl_options *options)
{
	struct guests all;
	struct guest *found;
	int code;

	if (options->stop && (options->files[1] || options->image))
		return ctl_fail(CTL_USAGE,
				"trace: --stop takes no file: the trace goes "
				"where it went");
	code = find_guest(options->files[0], ask_clock() + STATUS_MS, &all,
			  &found);
	if (code == CTL_OK)
		code = options->stop ? stop(options, found) :
				       trace(options, found);
	guests_close(&all);
	return code;
}
