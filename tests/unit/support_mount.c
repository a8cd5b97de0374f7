/* SPDX-License-Identifier: BSD-2-Clause */
#include "support_mount.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noreturn)) static void
die(const char *what)
{
	perror(what);
	abort();
}

static int
unshare_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return errno;
	return 0;
}

const char *
mount_refusal(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(unshare_mounts());
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("fork");
	return status ? strerror(WEXITSTATUS(status)) : NULL;
}

void
mount_begin(void)
{
	if (unshare_mounts())
		die("a mount namespace");
}

void
mount_memory(const char *path, const char *options)
{
	if (mount("test", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
		die(path);
}

void
mount_text(const char *path, const char *text)
{
	char name[] = "/tmp/pflash-test.XXXXXX";
	int fd = mkstemp(name);
	size_t len = strlen(text);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len ||
	    fchmod(fd, 0644) < 0 || mount(name, path, NULL, MS_BIND, NULL) < 0)
		die(path);
	close(fd);
	(void)unlink(name);
}
