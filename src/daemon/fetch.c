/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command is split into words at blanks and runs without a shell.  ssh(1)
 * gives its words to the shell of the other host, so a guest's name that means
 * something to a shell is refused.
 */
#include "fetch.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "pflash/store.h"
#include "pflash/stream.h"

#define WORDS 64
#define HOST_MARK "%h"

unsigned int fetch_seconds = 30;

static volatile pid_t command; /* the process group; 0: none */
static volatile sig_atomic_t late;

/* The end of the command ends the stream. */
static void
on_alarm(int signal)
{
	(void)signal;
	late = true;
	if (command)
		kill(-command, SIGKILL);
}

static int
check_name(const struct guest *guest, struct error *err)
{
	char name[GUEST_NAME_SIZE];

	guest_lasting_name(guest, name);
	for (const char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) &&
		    (at == name || !strchr("._-", *at)))
			return error_set(
				err, EINVAL,
				"--incoming: the guest's name may mean "
				"something to a shell: only letters, digits, "
				"'.', '_' and '-' are allowed, and a letter or "
				"digit first");
	return 0;
}

/*
 * The host that the guest comes from: sshd has set SSH_CONNECTION for `xl
 * migrate-receive`, and libxl's scripts inherit it.  Its first word.
 */
static int
find_host(char host[64], struct error *err)
{
	const char *connection = getenv("SSH_CONNECTION");
	size_t len = connection ? strcspn(connection, " ") : 0;

	if (len == 0 || len >= 64 ||
	    strspn(connection, "0123456789abcdefABCDEF.:%") < len)
		return error_set(err, EINVAL,
				 "--incoming: %%h is not known, because "
				 "SSH_CONNECTION has no address: write the "
				 "name of the host");
	(void)snprintf(host, 64, "%.*s", (int)len, connection);
	return 0;
}

/* Replaces each %h in the text; the caller frees *out. */
static int
expand(const char *text, char **out, struct error *err)
{
	char host[64] = "", *end;
	const char *mark;
	size_t room = strlen(text) + 1;

	if (strstr(text, HOST_MARK) && find_host(host, err) < 0)
		return -EINVAL;
	for (mark = text; (mark = strstr(mark, HOST_MARK)) != NULL; mark++)
		room += sizeof(host);
	*out = end = malloc(room);
	if (!end)
		return error_set(err, ENOMEM, "out of memory");
	while ((mark = strstr(text, HOST_MARK)) != NULL) {
		end = mempcpy(end, text, (size_t)(mark - text));
		end = stpcpy(end, host);
		text = mark + strlen(HOST_MARK);
	}
	strcpy(end, text);
	return 0;
}

static int
split(char *text, char *words[WORDS], struct error *err)
{
	size_t count = 0;
	char *word;

	while ((word = strsep(&text, " \t")) != NULL)
		if (*word && count < WORDS)
			words[count++] = word;
	if (count == 0 || count == WORDS)
		return error_set(err, EINVAL,
				 "--incoming: the command has %s",
				 count ? "too many words" : "no word");
	words[count] = NULL;
	return 0;
}

/* In the child: the output goes into the pipe. */
static void
execute(char *const words[], int output)
{
	(void)setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(output, STDOUT_FILENO) == STDOUT_FILENO)
		execvp(words[0], words);
	log_line(LOG_ERR, "--incoming: %s: %s", words[0], strerror(errno));
	_exit(127);
}

static int
start(char *const words[], int *output, struct error *err)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, errno, "pipe");
	pid = fork();
	if (pid == 0)
		execute(words, ends[1]);
	close(ends[1]);
	*output = ends[0];
	if (pid < 0)
		return error_errno(err, errno, "fork");
	(void)setpgid(pid, pid); /* as the child does, whoever is first */
	command = pid;
	sigaction(SIGALRM, &action, NULL);
	(void)alarm(fetch_seconds);
	return 0;
}

/* Waits for the command; *stream may be incomplete. */
static int
finish(const char *name, struct error *err)
{
	int status;

	while (waitpid(command, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno(err, errno, "waitpid");
	command = 0;
	(void)alarm(0);
	if (late)
		return error_set(err, ETIMEDOUT,
				 "--incoming: %s has not ended within %u s",
				 name, fetch_seconds);
	if (status == 0)
		return 0;
	return error_set(err, EIO,
			 "--incoming: %s has failed (%s %d): the flash stays "
			 "with the other host",
			 name, WIFSIGNALED(status) ? "signal" : "exit code",
			 WIFSIGNALED(status) ? WTERMSIG(status) :
					       WEXITSTATUS(status));
}

static int
run(char *const words[], uint8_t **stream, size_t *len, struct error *err)
{
	struct error why;
	int output = -1, ended, ret = start(words, &output, err);

	if (ret == 0) {
		ret = stream_read(output, words[0], stream, len, err);
		close(output);
		ended = finish(words[0], &why);
		if (ended < 0) {
			*err = why;
			ret = ended;
		}
	} else if (output >= 0) {
		close(output);
	}
	return ret;
}

static int
fetch(const struct options *options, const struct store_config *to,
      struct error *err)
{
	char id[STORE_TRANSFER_TEXT], *words[WORDS], *text = NULL;
	uint8_t *stream = NULL;
	size_t len = 0;
	int ret = expand(options->incoming, &text, err);

	if (ret == 0)
		ret = split(text, words, err);
	if (ret == 0)
		ret = run(words, &stream, &len, err);
	if (ret == 0)
		ret = store_receive(to, STORE_WITH_GUEST, stream, len, id, err);
	if (ret == 0)
		log_line(LOG_INFO,
			 "%s: has arrived with its guest, transfer %s",
			 options->vars, id);
	free(stream);
	free(text);
	return ret;
}

int
fetch_flash(const struct options *options, const struct guest *guest,
	    struct error *err)
{
	const struct store_config to = { .path = options->vars,
					 .journal = options->journal };
	int ret;

	if (!options->incoming || !guest->incoming)
		return EXIT_OK;
	ret = store_awaits(&to, err);
	if (ret > 0)
		ret = check_name(guest, err);
	else if (ret == 0)
		return EXIT_OK;
	if (ret == 0)
		ret = fetch(options, &to, err);
	return ret == 0 ? EXIT_OK : ret == -EBUSY ? EXIT_BUSY : EXIT_FILE;
}
