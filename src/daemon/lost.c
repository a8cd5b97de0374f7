/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor is stopped first: it would start another worker.  It is killed
 * last: sanlock takes its end for the end of all writes.  After a failure it
 * stays, so that the watchdog resets the host before the lease runs out.
 */
#include "lost.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "pflash/parse.h"
#include "pflash/xen.h"

#define CHILDREN 16
#define STEP_NS 10000000L

static bool
read_proc(pid_t pid, const char *name, char *text, size_t room)
{
	char path[64];
	FILE *stream;
	size_t len = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	stream = fopen(path, "re");
	if (stream) {
		len = fread(text, 1, room - 1, stream);
		(void)fclose(stream);
	}
	text[len] = '\0';
	return len > 0;
}

/* The letter in /proc/PID/stat behind the name; 0: there is no process. */
static char
state_of(pid_t pid)
{
	char text[512];
	const char *end;

	if (!read_proc(pid, "stat", text, sizeof(text)))
		return 0;
	end = strrchr(text, ')');
	return end && end[1] == ' ' ? end[2] : 0;
}

/* Is `pid` a process of this program? */
static bool
is_ours(pid_t pid)
{
	char name[64], own[64];

	return read_proc(pid, "comm", name, sizeof(name)) &&
	       read_proc(getpid(), "comm", own, sizeof(own)) &&
	       strcmp(name, own) == 0;
}

/* The children of `pid` that have not ended; returns their number. */
static int
find_children(pid_t pid, pid_t *children)
{
	char name[64], text[512], *end = text;
	int count = 0;

	(void)snprintf(name, sizeof(name), "task/%d/children", pid);
	if (!read_proc(pid, name, text, sizeof(text)))
		return 0;
	for (char *next = text; count < CHILDREN; next = end) {
		pid_t child = (pid_t)strtol(next, &end, 10);

		if (end == next)
			break;
		if (child > 0 && state_of(child) && state_of(child) != 'Z')
			children[count++] = child;
	}
	return count;
}

/* Waits also for a process that waits for its disk. */
static void
end_process(pid_t pid)
{
	struct pollfd wait = { .fd = pidfd_open(pid, 0), .events = POLLIN };

	(void)kill(pid, SIGKILL);
	if (wait.fd < 0)
		return;
	while (poll(&wait, 1, -1) < 0 && errno == EINTR)
		;
	close(wait.fd);
}

static void
end_pflashd(pid_t pid)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	pid_t children[CHILDREN];
	char state;
	int count;

	(void)kill(pid, SIGSTOP);
	do {
		(void)nanosleep(&step, NULL);
		state = state_of(pid);
	} while (state && !strchr("tTZX", state));
	while ((count = find_children(pid, children)) > 0)
		for (int i = 0; i < count; i++)
			end_process(children[i]);
	end_process(pid);
}

/* -ESRCH: the domain is gone. */
static int
pause_domain(uint32_t id, struct error *err)
{
	struct transport *t;
	int ret = xen_transport_open(&t, id, err);

	if (ret < 0)
		return ret;
	ret = t->ops->alive(t) ? t->ops->pause(t) : -ESRCH;
	t->ops->close(t);
	return ret < 0 ? error_errno(err, -ret, "cannot pause the domain") : 0;
}

int
lost_run(const struct options *options)
{
	pid_t pid = (pid_t)options->lease_lost;
	struct error err;
	uint64_t id = 0;
	int ret;

	if (parse_number(options->domain, PARSE_C, 0, UINT16_MAX, &id, &err) <
	    0) {
		log_line(LOG_ERR, "--domain: %s", err.text);
		return EXIT_USAGE;
	}
	log_to_syslog();
	ret = pause_domain((uint32_t)id, &err);
	if (ret < 0 && ret != -ESRCH) {
		log_line(LOG_ERR,
			 "domain %u: the lease of its flash is lost, and it "
			 "cannot be paused: %s; its pflashd (pid %d) stays, so "
			 "that the watchdog resets this host",
			 (unsigned int)id, err.text, pid);
		return EXIT_DOMAIN;
	}
	log_line(LOG_ERR,
		 "domain %u: the lease of its flash is lost: it is paused, and "
		 "its pflashd (pid %d) ends; start pflashd again before `xl "
		 "unpause`",
		 (unsigned int)id, pid);
	if (is_ours(pid))
		end_pflashd(pid);
	return EXIT_OK;
}
