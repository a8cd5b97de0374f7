/* SPDX-License-Identifier: BSD-2-Clause */
#include "bounded.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"

#define MOST (1u << 20) /* bytes that a child may write */
#define REAP_TRIES 200  /* of 1 ms each */

static void
run_child(bounded_work *work, void *opaque, int to)
{
	FILE *file = fdopen(to, "w");

	(void)setpgid(0, 0);
	if (!file)
		_exit(1);
	work(file, opaque);
	_exit(fclose(file) == 0 ? 0 : 1);
}

/* Reads to the end.  0, -ETIMEDOUT, or another -errno. */
static int
collect(int fd, int64_t deadline, char **text, size_t *len)
{
	struct pollfd waiting = { .fd = fd, .events = POLLIN };
	size_t room = 0;

	for (;;) {
		int64_t left = deadline - ask_clock();
		ssize_t n;

		if (*len + 1 >= room) {
			char *more = realloc(*text, room += 4096);

			if (!more)
				return -ENOMEM;
			*text = more;
			(*text)[*len] = '\0';
		}
		if (left <= 0 || poll(&waiting, 1, (int)left) == 0)
			return -ETIMEDOUT;
		n = read(fd, *text + *len, room - *len - 1);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		*len += n > 0 ? (size_t)n : 0;
		(*text)[*len] = '\0';
		if (*len > MOST)
			return -EFBIG;
	}
}

/* 0 if the child has ended by itself with the code 0. */
static int
reap(pid_t pid)
{
	const struct timespec step = { .tv_nsec = 1000000 };
	int status = 0;

	for (int i = 0; i < REAP_TRIES; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && WEXITSTATUS(status) == 0 ?
				       0 :
				       -ECHILD;
		(void)nanosleep(&step, NULL);
	}
	return -ETIMEDOUT;
}

static int
watch_child(pid_t pid, int from, int64_t deadline, char **text, size_t *len)
{
	int ret = collect(from, deadline, text, len), ended;

	if (ret < 0) {
		(void)kill(-pid, SIGKILL);
		(void)kill(pid, SIGKILL);
	}
	ended = reap(pid);
	return ret < 0 ? ret : ended;
}

int
bounded_run(bounded_work *work, void *opaque, int64_t deadline, char **text,
	    size_t *len)
{
	int ends[2], ret;
	pid_t pid;

	*text = NULL;
	*len = 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		run_child(work, opaque, ends[1]);
	}
	ret = pid < 0 ? -errno : 0;
	(void)close(ends[1]);
	if (ret == 0)
		ret = watch_child(pid, ends[0], deadline, text, len);
	(void)close(ends[0]);
	return ret;
}
