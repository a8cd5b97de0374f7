/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The directory for files of a run.  The run is a child process; its parent
 * removes the directory after the child's end, however the child ends.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static char place[PATH_MAX];

void
end_with(pid_t parent, int signal)
{
	prctl(PR_SET_PDEATHSIG, signal);
	if (getppid() != parent) /* the parent has already ended */
		raise(signal);
}

static void
remove_place(void)
{
	DIR *directory = opendir(place);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	if (rmdir(place) < 0)
		fprintf(stderr, "pflash-bench: %s could not be removed\n",
			place);
}

static _Noreturn void
end_as(pid_t pid, const sigset_t *signals)
{
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0)
		if (sigwaitinfo(signals, NULL) != SIGCHLD)
			kill(pid, SIGTERM);
	/* Its children get a signal at its end: wait for them too. */
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	remove_place();
	if (WIFSIGNALED(status)) {
		sigprocmask(SIG_UNBLOCK, signals, NULL);
		raise(WTERMSIG(status));
	}
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED);
}

/*
 * The caller has blocked the signals that could end this process before it has
 * removed the directory.
 */
static int
start(pid_t *pid, const struct options *options, struct error *err)
{
	if (snprintf(place, sizeof(place), "%s/pflash-bench.XXXXXX",
		     options->directory) >= (int)sizeof(place))
		return error_errno(err, ENAMETOOLONG, "%s", options->directory);
	if (!mkdtemp(place))
		return error_errno(err, errno, "%s", options->directory);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	*pid = fork();
	if (*pid >= 0)
		return 0;
	rmdir(place);
	return error_errno(err, errno, "cannot start a process");
}

int
scratch_open(struct options *options, struct error *err)
{
	sigset_t signals, before;
	pid_t pid = 0, parent = getpid();
	int ret;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	ret = start(&pid, options, err);
	if (ret == 0 && pid > 0)
		end_as(pid, &signals);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (ret == 0) {
		end_with(parent, SIGTERM);
		options->scratch = place;
	}
	return ret;
}
