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

#define MARK "PFLASHD_UPGRADE"
#define ANSWER 400 /* bytes of the new program's sentence */
#define ROOM 65536 /* bytes that a pipe holds */
#define CHECK "--check-handover"
#define NO_PROGRAM "cannot upgrade: /proc does not show the program"

static char **arguments;
static char program[PATH_MAX];

void
upgrade_remember(char **argv)
{
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[len > 0 ? len : 0] = '\0';
	arguments = argv;
}

int
upgrade_inherited(void)
{
	const char *mark = getenv(MARK);
	int fd = mark ? atoi(mark) : -1;

	unsetenv(MARK);
	if (!mark)
		return -1;
	return fd > STDERR_FILENO ? fd : UPGRADE_NO_LOCK;
}

/* The arguments of this program, and CHECK; in the child. */
static void
execute_check(int output)
{
	size_t count = 0;
	char **with;

	while (arguments[count])
		count++;
	with = calloc(count + 2, sizeof(*with));
	if (!with || dup2(output, STDERR_FILENO) < 0)
		_exit(1);
	memcpy(with, arguments, count * sizeof(*with));
	with[count] = (char *)(uintptr_t)CHECK;
	execv(program, with);
	dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
	_exit(1);
}

static void
finish(struct upgrade *upgrade, struct ev_loop *ev)
{
	ev_io_stop(ev, &upgrade->ended);
	ev_timer_stop(ev, &upgrade->deadline);
	close(upgrade->ended.fd);
	close(upgrade->output);
	upgrade->pid = 0;
}

/* The last line of all that it has printed. */
static void
read_answer(int fd, char *text)
{
	static char all[ROOM];
	ssize_t count = read(fd, all, sizeof(all));
	size_t len = count > 0 ? (size_t)count : 0;
	const char *from = all;
	char *line;

	if (len > ANSWER - 1) {
		from += len - (ANSWER - 1);
		len = ANSWER - 1;
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
on_ended(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct upgrade *upgrade = watcher->data;
	upgrade_checked *checked = upgrade->checked;
	char answer[ANSWER];
	int status = 0;

	(void)events;
	if (waitpid(upgrade->pid, &status, WNOHANG) != upgrade->pid)
		return;
	read_answer(upgrade->output, answer);
	finish(upgrade, ev);
	if (!checked)
		return; /* it was too late */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		checked(upgrade->opaque, NULL);
	else
		checked(upgrade->opaque,
			answer[0] ? answer : "the new program failed");
}

/* It may wait for its disk: on_ended() has patience. */
static void
on_deadline(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct upgrade *upgrade = watcher->data;

	upgrade_checked *checked = upgrade->checked;

	(void)ev, (void)events;
	(void)kill(upgrade->pid, SIGKILL);
	upgrade->checked = NULL;
	checked(upgrade->opaque, "the new program gave no answer");
}

int
upgrade_check(struct upgrade *upgrade, struct ev_loop *ev,
	      upgrade_checked *checked, void *opaque, struct error *err)
{
	int output[2], ended = -1;
	pid_t pid;

	if (upgrade->pid)
		return error_set(err, EAGAIN, "an upgrade is under way");
	if (!program[0])
		return error_set(err, ENOENT, NO_PROGRAM);
	if (pipe2(output, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(err, errno, "cannot upgrade");
	pid = fork();
	if (pid == 0)
		execute_check(output[1]);
	close(output[1]);
	if (pid > 0)
		ended = pidfd_open(pid, 0);
	if (ended < 0) {
		int error = errno;

		close(output[0]);
		if (pid > 0) {
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, NULL, 0);
		}
		return error_errno(err, error, "cannot ask the new program");
	}
	*upgrade = (struct upgrade){ .pid = pid,
				     .output = output[0],
				     .checked = checked,
				     .opaque = opaque };
	ev_io_init(&upgrade->ended, on_ended, ended, EV_READ);
	ev_timer_init(&upgrade->deadline, on_deadline, UPGRADE_SECONDS, 0.);
	upgrade->ended.data = upgrade->deadline.data = upgrade;
	ev_io_start(ev, &upgrade->ended);
	ev_timer_start(ev, &upgrade->deadline);
	return 0;
}

void
upgrade_cancel(struct upgrade *upgrade, struct ev_loop *ev)
{
	if (!upgrade->pid)
		return;
	(void)kill(upgrade->pid, SIGKILL);
	(void)waitpid(upgrade->pid, NULL, WNOHANG);
	finish(upgrade, ev);
}

int
upgrade_execute(int lock, struct error *err)
{
	char mark[16];
	int ret;

	(void)snprintf(mark, sizeof(mark), "%d", lock);
	if (!program[0])
		return error_set(err, ENOENT, NO_PROGRAM);
	if (setenv(MARK, mark, 1) < 0 || fcntl(lock, F_SETFD, 0) < 0)
		return error_errno(err, errno, "cannot upgrade");
	execv(program, arguments);
	ret = error_errno(err, errno, "cannot upgrade to %s", program);
	(void)fcntl(lock, F_SETFD, FD_CLOEXEC);
	unsetenv(MARK);
	return ret;
}
