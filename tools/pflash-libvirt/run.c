/* SPDX-License-Identifier: BSD-2-Clause */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static int
finish(pid_t pid, const char *name, struct error *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno(err, errno, "%s", name);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return error_set(err, ECANCELED, "%s was killed by signal %d", name,
			 WTERMSIG(status));
}

int
run(char *const argv[], struct error *err)
{
	posix_spawn_file_actions_t files;
	pid_t pid;
	int ret = posix_spawn_file_actions_init(&files);

	if (ret == 0) {
		ret = posix_spawn_file_actions_addopen(&files, STDIN_FILENO,
						       "/dev/null", O_RDONLY,
						       0);
		if (ret == 0)
			ret = posix_spawn_file_actions_adddup2(&files,
							       STDERR_FILENO,
							       STDOUT_FILENO);
		if (ret == 0)
			ret = posix_spawnp(&pid, argv[0], &files, NULL, argv,
					   environ);
		(void)posix_spawn_file_actions_destroy(&files);
	}
	return ret ? error_errno(err, ret, "%s", argv[0]) :
		     finish(pid, argv[0], err);
}
