/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCK_VARIABLE "PFLASHD_UPGRADE" /* environment: the descriptor */
#define LEASE_VARIABLE "PFLASHD_LEASE"
#define CHECK_SECONDS 10.
#define SENTENCE_SIZE 400 /* bytes of the new program's sentence */
#define PIPE_SIZE 65536
#define CHECK_OPTION "--check-handover"
#define NO_PROGRAM "/proc/self/exe does not name the program"

static char **arguments;
static char program[PATH_MAX]; /* "": not known */

/* The check that is running. */
static struct {
	pid_t pid;  /* 0: none */
	int output; /* a pipe: the child's standard error */
	ev_io exited;
	ev_timer deadline;
	upgrade_checked *checked; /* NULL: was called already */
	void *opaque;
} check;

void
upgrade_remember(char **argv)
{
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[len > 0 ? len : 0] = '\0';
	arguments = argv;
}

/* The number in the variable, which is removed; -1: there is none. */
static int
take_variable(const char *name)
{
	const char *number = getenv(name);
	int fd = number ? atoi(number) : -1;

	unsetenv(name);
	return fd;
}

int
upgrade_inherited(int *lease)
{
	int fd = take_variable(LOCK_VARIABLE);

	*lease = take_variable(LEASE_VARIABLE);
	if (fd < 0 || *lease <= STDERR_FILENO)
		*lease = -1;
	if (fd < 0)
		return -1;
	return fd > STDERR_FILENO ? fd : UPGRADE_NO_LOCK;
}

const char *
upgrade_program(void)
{
	return program;
}

/* In the child: runs the new program with CHECK_OPTION as last argument. */
static void
execute_check(int output)
{
	size_t count = 0;
	char **argv;

	while (arguments[count])
		count++;
	argv = calloc(count + 2, sizeof(*argv));
	if (!argv || dup2(output, STDERR_FILENO) < 0)
		_exit(1);
	memcpy(argv, arguments, count * sizeof(*argv));
	argv[count] = (char *)(uintptr_t)CHECK_OPTION;
	execv(program, argv);
	dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
	_exit(1);
}

static void
end_check(struct ev_loop *ev)
{
	ev_io_stop(ev, &check.exited);
	ev_timer_stop(ev, &check.deadline);
	close(check.exited.fd);
	close(check.output);
	check.pid = 0;
}

/*
 * Copies the last line that the new program has printed to `text`, which
 * has SENTENCE_SIZE bytes.  The program has exited: nothing more is in the pipe
 * than one read(2) returns.
 */
static void
read_sentence(int fd, char *text)
{
	static char all[PIPE_SIZE];
	ssize_t count = read(fd, all, sizeof(all));
	size_t len = count > 0 ? (size_t)count : 0;
	const char *from = all;
	char *line;

	if (len > SENTENCE_SIZE - 1) {
		from += len - (SENTENCE_SIZE - 1);
		len = SENTENCE_SIZE - 1;
	}
	memcpy(text, from, len);
	text[len] = '\0';
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	line = strrchr(text, '\n');
	if (line)
		memmove(text, line + 1, strlen(line));
}

static void
on_exited(struct ev_loop *ev, ev_io *watcher, int events)
{
	upgrade_checked *checked = check.checked;
	char sentence[SENTENCE_SIZE];
	int status = 0;

	(void)watcher, (void)events;
	if (waitpid(check.pid, &status, WNOHANG) != check.pid)
		return;
	read_sentence(check.output, sentence);
	end_check(ev);
	if (!checked)
		return; /* on_deadline() has called it */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		checked(check.opaque, NULL);
	else
		checked(check.opaque,
			sentence[0] ? sentence : "the new program failed");
}

/*
 * The killed process may wait for its disk, so on_exited() still waits for its
 * end: until then no other check is started.
 */
static void
on_deadline(struct ev_loop *ev, ev_timer *watcher, int events)
{
	upgrade_checked *checked = check.checked;

	(void)ev, (void)watcher, (void)events;
	(void)kill(check.pid, SIGKILL);
	check.checked = NULL;
	checked(check.opaque, "the new program did not answer within 10 s");
}

static void
watch_check(struct ev_loop *ev, int pidfd)
{
	ev_io_init(&check.exited, on_exited, pidfd, EV_READ);
	ev_timer_init(&check.deadline, on_deadline, CHECK_SECONDS, 0.);
	ev_io_start(ev, &check.exited);
	ev_timer_start(ev, &check.deadline);
}

int
upgrade_check(struct ev_loop *ev, upgrade_checked *checked, void *opaque,
	      struct error *err)
{
	int output[2], pidfd = -1;
	pid_t pid;

	if (check.pid)
		return error_set(err, EAGAIN, "an upgrade is under way");
	if (!program[0])
		return error_set(err, ENOENT, NO_PROGRAM);
	if (pipe2(output, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(err, errno, "a pipe to the new program");
	pid = fork();
	if (pid == 0)
		execute_check(output[1]);
	close(output[1]);
	if (pid > 0)
		pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		int error = errno;

		close(output[0]);
		if (pid > 0) {
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, NULL, 0);
		}
		return error_errno(err, error, "cannot run the new program");
	}
	check.pid = pid;
	check.output = output[0];
	check.checked = checked;
	check.opaque = opaque;
	watch_check(ev, pidfd);
	return 0;
}

void
upgrade_cancel(struct ev_loop *ev)
{
	if (!check.pid)
		return;
	(void)kill(check.pid, SIGKILL);
	(void)waitpid(check.pid, NULL, WNOHANG);
	end_check(ev);
}

/* The new program gets the descriptor, and its number in the environment. */
static int
hand_over(const char *variable, int fd)
{
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", fd);
	return setenv(variable, number, 1) < 0 ? -1 : fcntl(fd, F_SETFD, 0);
}

static void
take_back(const char *variable, int fd)
{
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	unsetenv(variable);
}

int
upgrade_execute(int lock, int lease, struct error *err)
{
	int ret;

	if (!program[0])
		return error_set(err, ENOENT, "cannot upgrade: " NO_PROGRAM);
	if (hand_over(LOCK_VARIABLE, lock) < 0 ||
	    (lease >= 0 && hand_over(LEASE_VARIABLE, lease) < 0)) {
		ret = error_errno(err, errno, "cannot upgrade");
	} else {
		execv(program, arguments);
		ret = error_errno(err, errno, "cannot upgrade to %s", program);
	}
	take_back(LOCK_VARIABLE, lock);
	if (lease >= 0)
		take_back(LEASE_VARIABLE, lease);
	return ret;
}
