/* SPDX-License-Identifier: BSD-2-Clause */
#include "ready.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int
ready_notify_socket(const char *message, struct error *err)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	ssize_t sent;
	int fd;

	if (len == 0)
		return 0;
	if ((*path != '/' && *path != '@') || len >= sizeof(addr.sun_path))
		return error_set(err, EINVAL,
				 "NOTIFY_SOCKET=%s: not a path of a socket",
				 path);
	memcpy(addr.sun_path, path, len);
	if (*path == '@') /* an abstract socket */
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, errno, "NOTIFY_SOCKET=%s", path);
	sent = sendto(fd, message, strlen(message), MSG_NOSIGNAL,
		      (const struct sockaddr *)&addr,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				  len));
	if (sent < 0)
		error_errno(err, errno, "NOTIFY_SOCKET=%s", path);
	close(fd);
	return sent < 0 ? -EIO : 0;
}

int
ready_write_fd(int fd, struct error *err)
{
	int ret = 0;

	if (write(fd, "\n", 1) != 1)
		ret = error_errno(err, errno,
				  "cannot report on descriptor %d that the "
				  "flash is attached",
				  fd);
	close(fd);
	return ret;
}

static int
parent_wait(int fd, pid_t child)
{
	int status = 0;
	char byte;

	if (read(fd, &byte, 1) == 1)
		return 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int
ready_fork(int *fd, int *code, struct error *err)
{
	int ends[2];
	pid_t child;

	if (pipe(ends) < 0)
		return error_errno(err, errno, "pipe");
	child = fork();
	if (child < 0) {
		close(ends[0]);
		close(ends[1]);
		return error_errno(err, errno, "fork");
	}
	if (child > 0) {
		close(ends[1]);
		*code = parent_wait(ends[0], child);
		return 1;
	}
	close(ends[0]);
	setsid();
	*fd = ends[1];
	return 0;
}

/* `keeps_stderr`: standard error is the log. */
static void
leave_terminal(bool keeps_stderr)
{
	int last = keeps_stderr ? STDOUT_FILENO : STDERR_FILENO;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd <= last; fd++)
		dup2(null, fd);
	if (null > last)
		close(null);
}

int
ready_leave_parent(int fd, const struct options *options, struct error *err)
{
	leave_terminal(options->log == OPTIONS_LOG_STDERR);
	return ready_write_fd(fd, err);
}
