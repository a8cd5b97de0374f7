/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Both ends of the channel: [0] is the parent's, [1] the child's. */
struct ends {
	int requests[2];
	int orders[2];
	int log[2];
};

static void
close_pair(const int *pair)
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

static void
close_ends(const struct ends *ends)
{
	close_pair(ends->requests);
	close_pair(ends->orders);
	close_pair(ends->log);
}

static void
swap(int *pair)
{
	int first = pair[0];

	pair[0] = pair[1];
	pair[1] = first;
}

static int
make_ends(struct ends *ends, struct error *err)
{
	*ends = (struct ends){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		       ends->requests) < 0 ||
	    pipe2(ends->orders, O_CLOEXEC) < 0 ||
	    pipe2(ends->log, O_CLOEXEC) < 0 ||
	    fcntl(ends->requests[0], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(ends->orders[1], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(ends->log[0], F_SETFL, O_NONBLOCK) < 0) {
		int error = errno;

		close_ends(ends);
		return error_errno(err, error, "a channel to the worker");
	}
	swap(ends->orders); /* pipe2() returns the reading end first */
	return 0;
}

/* A terminal or systemd signals both processes: the supervisor decides. */
static void
ignore_signals(void)
{
	static const int ignored[] = { SIGTERM, SIGINT,  SIGHUP,
				       SIGUSR2, SIGPIPE, SIGXFSZ };
	sigset_t none;

	for (unsigned int i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Moves `fd` above CHILD_ORDERS, so that no dup2() overwrites it. */
static int
move_above(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, CHILD_ORDERS + 1);
}

/* In the child: arranges the descriptors as process.h says. */
static bool
place_ends(const struct ends *ends)
{
	int requests = move_above(ends->requests[1]);
	int orders = move_above(ends->orders[1]);
	int log = move_above(ends->log[1]);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	return null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	       dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0 &&
	       dup2(requests, CHILD_REQUESTS) >= 0 &&
	       dup2(orders, CHILD_ORDERS) >= 0 &&
	       close_range(CHILD_ORDERS + 1, ~0U, 0) == 0;
}

int
process_start(struct process *process, void (*close_handles)(void *opaque),
	      int (*run)(void *opaque), void *opaque, struct error *err)
{
	struct ends ends;
	int ret = make_ends(&ends, err);
	pid_t pid;

	if (ret < 0)
		return ret;
	pid = fork();
	if (pid < 0) {
		ret = error_errno(err, errno, "fork");
		close_ends(&ends);
		return ret;
	}
	if (pid == 0) {
		ignore_signals();
		close_handles(opaque);
		_exit(place_ends(&ends) ? run(opaque) : 1);
	}
	close(ends.requests[1]);
	close(ends.orders[1]);
	close(ends.log[1]);
	*process = (struct process){
		.pid = pid,
		.pidfd = pidfd_open(pid, 0),
		.requests = ends.requests[0],
		.orders = ends.orders[0],
		.log = ends.log[0],
	};
	if (process->pidfd >= 0)
		return 0;
	ret = error_errno(err, errno, "pidfd_open (needs Linux 5.3)");
	process_kill(process);
	(void)waitpid(pid, NULL, 0);
	process_close(process);
	return ret;
}

void
process_send_order(struct process *process, enum channel_order order)
{
	if (order == CHANNEL_SUSPEND || order == CHANNEL_RESUME)
		process->pending_orders &= ~(unsigned int)(CHANNEL_SUSPEND |
							   CHANNEL_RESUME);
	process->pending_orders |= order;
	(void)process_flush_orders(process);
}

bool
process_flush_orders(struct process *process)
{
	for (unsigned int bit = 1; bit <= process->pending_orders; bit <<= 1) {
		uint8_t byte = (uint8_t)bit;

		if (!(process->pending_orders & bit))
			continue;
		if (write(process->orders, &byte, 1) != 1)
			return errno != EAGAIN; /* EPIPE: the worker is gone */
		process->pending_orders &= ~bit;
	}
	return true;
}

void
process_kill(const struct process *process)
{
	if (process->pid > 0)
		(void)kill(process->pid, SIGKILL);
}

bool
process_reap(struct process *process, int *status)
{
	if (process->pid <= 0 ||
	    waitpid(process->pid, status, WNOHANG) != process->pid)
		return false;
	process->pid = 0;
	return true;
}

void
process_close(struct process *process)
{
	const int ends[] = { process->pidfd, process->requests, process->orders,
			     process->log };

	for (unsigned int i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (ends[i] >= 0)
			close(ends[i]);
	*process = (struct process){ 0, -1, -1, -1, -1, 0 };
}
