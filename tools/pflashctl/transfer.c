/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl send and receive. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "find.h"
#include "pflash/control.h"
#include "pflash/stream.h"
#include "pflashctl.h"

/* --- send --- */

/* Those that wait for the flash of a guest have given up by then. */
#define SEND_SECONDS 40

static int
write_out(void *opaque, const void *bytes, size_t len, struct error *err)
{
	const char *at = bytes;

	(void)opaque;
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "standard output");
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Waits for the lock until the deadline of ask_clock(). */
static int
send_flash(const struct store_config *config, enum store_travel travel,
	   int64_t deadline)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	const struct store_sink sink = { .write = write_out };
	char id[STORE_TRANSFER_TEXT];
	struct error err;
	int ret;

	signal(SIGPIPE, SIG_IGN);
	while ((ret = store_send(config, travel, &sink, id, &err)) == -EBUSY &&
	       ask_clock() < deadline)
		(void)nanosleep(&pause, NULL);
	if (ret < 0)
		return ctl_refused(ret, &err);
	fprintf(stderr, "pflashctl: sent, transfer %s\n", id);
	return CTL_OK;
}

/*
 * The paths of a guest's files, which the caller frees; *journal is NULL if it
 * is not apart.  A pflashd that does not name its journal also takes nothing
 * back that was lent.
 */
static int
find_paths(const char *wanted, const struct answer *answer, char **path,
	   char **journal)
{
	struct text vars = answer_text(answer, STATUS_VARS);
	struct text apart = answer_text(answer, STATUS_JOURNAL);

	*path = *journal = NULL;
	if (!apart.bytes)
		return ctl_fail(CTL_FAILED,
				"%s: its pflashd is too old to lend its flash: "
				"`pflashctl upgrade` replaces it",
				wanted);
	if (!vars.bytes || vars.bytes[0] != '/' ||
	    (apart.len && apart.bytes[0] != '/'))
		return ctl_fail(CTL_FAILED,
				"%s: the paths of its files are not absolute",
				wanted);
	*path = strndup(vars.bytes, vars.len);
	*journal = apart.len ? strndup(apart.bytes, apart.len) : NULL;
	return *path && (*journal || !apart.len) ?
		       CTL_OK :
		       ctl_fail(CTL_FAILED, "out of memory");
}

/*
 * The flash of a guest that is being suspended: its pflashd unlocks it.  When
 * the connection hangs, the lock must not keep the flash from the guest.
 */
static int
send_of_guest(const struct ctl_options *options)
{
	const char *wanted = options->files[0];
	struct store_config config = { .path = NULL };
	char *path = NULL, *journal = NULL;
	int64_t deadline = ask_clock() + STATUS_MS;
	struct guests guests;
	struct guest *found;
	int code = find_guest(wanted, deadline, &guests, &found);

	if (code == CTL_OK)
		code = find_paths(wanted, &found->answer, &path, &journal);
	guests_close(&guests);
	config.path = path;
	config.journal = journal;
	if (code == CTL_OK) {
		(void)alarm(SEND_SECONDS);
		code = send_flash(&config, STORE_WITH_GUEST, deadline);
	}
	free(path);
	free(journal);
	return code;
}

int
ctl_send(const struct ctl_options *options)
{
	const struct store_config config = ctl_config(options);

	if (isatty(STDOUT_FILENO))
		return ctl_fail(CTL_USAGE, "send: standard output is a "
					   "terminal: give it to `pflashctl "
					   "receive` on the other host");
	return !options->journal && find_is_guest(options->files[0]) ?
		       send_of_guest(options) :
		       send_flash(&config, STORE_ALONE, 0);
}

/* --- receive --- */

int
ctl_receive(const struct ctl_options *options)
{
	const struct store_config config = ctl_config(options);
	char id[STORE_TRANSFER_TEXT];
	uint8_t *stream;
	struct error err;
	size_t len;
	int ret;

	if (isatty(STDIN_FILENO))
		return ctl_fail(CTL_USAGE,
				"receive: standard input is a terminal: give "
				"it what `pflashctl send` writes");
	ret = stream_read(STDIN_FILENO, "standard input", &stream, &len, &err);
	if (ret == 0)
		ret = store_receive(&config,
				    options->incoming ? STORE_WITH_GUEST :
							STORE_ALONE,
				    stream, len, id, &err);
	free(stream);
	if (ret < 0)
		return ctl_refused(ret, &err);
	printf("received, transfer %s\n", id);
	return CTL_OK;
}
