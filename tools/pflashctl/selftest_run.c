/* SPDX-License-Identifier: BSD-2-Clause */
/* Other programs, and the time that they may take. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ask.h"
#include "selftest.h"

#define SLICE_MS 20
#define PROGRESS_MS 5000

static volatile sig_atomic_t caught;

static void
catch(int signal)
{
	caught = signal;
}

void
selftest_catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = catch };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int
selftest_signal(void)
{
	return caught;
}

static double
seconds(const struct selftest *t)
{
	return (double)(ask_clock() - t->began) / 1000;
}

void
selftest_say(struct selftest *t, const char *fmt, ...)
{
	char text[1200];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "[%6.1f s] ", seconds(t));
	(void)show_text(stderr, (struct text){ text, strlen(text) });
	fputc('\n', stderr);
	t->shown = ask_clock();
}

/* 0, or -errno with a sentence, if the test must not go on. */
static int
may_go_on(struct selftest *t, const char *what)
{
	if (caught && !t->cleaning)
		return error_set(&t->why, EINTR, "interrupted during: %s",
				 what);
	if (ask_clock() >= t->deadline)
		return error_set(&t->why, ETIME,
				 "the time limit (--timeout) was reached "
				 "during: %s",
				 what);
	if (ask_clock() - t->shown >= PROGRESS_MS)
		selftest_say(t, "... %s", what);
	return 0;
}

static int
check_flash(struct selftest *t)
{
	int status;

	if (t->pid == 0 || t->ending ||
	    waitpid(t->pid, &status, WNOHANG) != t->pid)
		return 0;
	t->pid = 0;
	return error_set(&t->why, ECHILD, "pflashd has ended: %s",
			 selftest_log_line(t));
}

/* Returns early if the console or pflashd's pipe has something. */
static void
wait_a_moment(struct selftest *t, int ms)
{
	struct pollfd fds[2] = { { .fd = t->console, .events = POLLIN },
				 { .fd = t->ready, .events = POLLIN } };

	(void)poll(fds, 2, ms);
	if (fds[0].revents)
		selftest_read_console(t);
	if (fds[1].revents & ~POLLIN)
		(void)poll(NULL, 0, ms); /* pflashd has closed its end */
}

int
selftest_wait(struct selftest *t, bool (*done)(struct selftest *t),
	      const char *what)
{
	while (!done(t)) {
		int ret = may_go_on(t, what);

		if (ret == 0)
			ret = check_flash(t);
		if (ret < 0)
			return ret;
		wait_a_moment(t, SLICE_MS);
	}
	return 0;
}

void
selftest_pause(struct selftest *t, int ms)
{
	int64_t until = ask_clock() + ms, now;

	if (until > t->deadline)
		until = t->deadline;
	while ((now = ask_clock()) < until && (!caught || t->cleaning))
		wait_a_moment(t, until - now < SLICE_MS ? (int)(until - now) :
							  SLICE_MS);
}

/* In the new process. */
static _Noreturn void
execute(const char *const argv[], int output)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, 0);
	dup2(output, 1);
	dup2(output, 2);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

/* Reads what is there; the rest of a long output is dropped. */
static void
drain(int fd, char *output, size_t room, size_t *len)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		size_t fits = room - 1 - *len;

		if (fits > (size_t)n)
			fits = (size_t)n;
		memcpy(output + *len, bytes, fits);
		*len += fits;
	}
	output[*len] = '\0';
}

/* Waits for the end of the process; a process group of its own is killed. */
static int
finish(struct selftest *t, pid_t pid, int fd, char *output, size_t room,
       const char *what)
{
	size_t len = 0;
	int status, ret = 0;

	output[0] = '\0';
	while (waitpid(pid, &status, WNOHANG) == 0) {
		ret = may_go_on(t, what);
		if (ret < 0) {
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return ret;
		}
		drain(fd, output, room, &len);
		wait_a_moment(t, SLICE_MS / 4);
	}
	drain(fd, output, room, &len);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int
selftest_run(struct selftest *t, const char *const argv[], char *output,
	     size_t room)
{
	char what[128];
	int ends[2], ret;
	pid_t pid;

	(void)snprintf(what, sizeof(what), "%s %s", argv[0],
		       argv[1] ? argv[1] : "");
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(&t->why, errno, "pipe");
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid == 0)
		execute(argv, ends[1]);
	close(ends[1]);
	if (pid < 0)
		ret = error_errno(&t->why, errno, "fork");
	else
		ret = finish(t, pid, ends[0], output, room, what);
	close(ends[0]);
	return ret;
}

const char *
selftest_last_line(char *output)
{
	size_t len = strlen(output);
	char *line;

	while (len && output[len - 1] == '\n')
		output[--len] = '\0';
	line = strrchr(output, '\n');
	return len == 0 ? "no message" : line ? line + 1 : output;
}

const char *
selftest_error_line(char *output)
{
	char *found = strstr(output, "rror");
	char *line = found;

	if (!found)
		return selftest_last_line(output);
	while (line > output && line[-1] != '\n')
		line--;
	line[strcspn(line, "\n")] = '\0';
	return line;
}
