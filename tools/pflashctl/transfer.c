/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl send and receive. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "find.h"
#include "pflash/control.h"
#include "pflash/stream.h"
#include "pflashctl.h"

/* --- send --- */

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

static int
send_flash(const struct store_config *config, enum store_travel travel)
{
	const struct store_sink sink = { .write = write_out };
	char id[STORE_TRANSFER_TEXT];
	struct error err;
	int ret;

	signal(SIGPIPE, SIG_IGN);
	ret = store_send(config, travel, &sink, id, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	fprintf(stderr, "pflashctl: sent, transfer %s\n", id);
	return CTL_OK;
}

/* A guest has no '/' in its name. */
static bool
is_guest(const char *word)
{
	struct stat st;

	return !strchr(word, '/') && stat(word, &st) < 0 && errno == ENOENT;
}

/* The flash of a guest whose pflashd has unlocked it: it is suspended. */
static int
send_of_guest(const struct ctl_options *options)
{
	const char *wanted = options->files[0];
	struct store_config config = ctl_config(options);
	struct guests guests;
	struct guest *found;
	int code = find_guest(wanted, ask_clock() + STATUS_MS, &guests, &found);
	char *path = NULL;

	if (code == CTL_OK) {
		struct text vars = answer_text(&found->answer, STATUS_VARS);

		path = vars.bytes ? strndup(vars.bytes, vars.len) : NULL;
		if (!path)
			code = ctl_fail(CTL_FAILED,
					"%s: the answer of its pflashd has no "
					"VARS file",
					wanted);
	}
	guests_close(&guests);
	config.path = path;
	if (code == CTL_OK)
		code = send_flash(&config, STORE_WITH_GUEST);
	free(path);
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
	return is_guest(options->files[0]) ?
		       send_of_guest(options) :
		       send_flash(&config, STORE_ALONE);
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
