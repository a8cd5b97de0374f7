/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attempts to access domains on real Xen, inside or outside the sandbox:
 *	probe none|full OWN OTHER
 * prints a line for each attempt: "own map: ok", "other map: <errno's text>".
 *	probe hypercall OWN OTHER
 * makes a hypercall in the sandbox, which should kill the process.
 *	probe as USER PID...
 * attempts to access these processes as this user (a number), without any
 * capability: "kill: ok", "ptrace: <errno's text>".
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include <xencall.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include "pflash/control.h"
#include "pflash/xen.h"
#include "worker/sandbox.h"

/* A domain's worker has this user plus the domain's id, see pflashd(8). */

/* A frame that every guest has, and a port that no guest has opened to us. */
#define FRAME 0x100
#define PORT 1

struct handles {
	xendevicemodel_handle *devicemodel;
	xenforeignmemory_handle *memory;
	xenevtchn_handle *events;
	xencall_handle *calls;
};

static void
report(const char *whose, const char *what, bool ok)
{
	printf("%s %s: %s\n", whose, what, ok ? "ok" : strerror(errno));
}

static void
attempt(const struct handles *h, const char *whose, domid_t domid)
{
	const xen_pfn_t frame = FRAME;
	unsigned int vcpus;
	void *page;

	report(whose, "vcpus",
	       xendevicemodel_nr_vcpus(h->devicemodel, domid, &vcpus) == 0);
	page = xenforeignmemory_map(h->memory, domid, PROT_READ | PROT_WRITE, 1,
				    &frame, NULL);
	report(whose, "map", page != NULL);
	if (page)
		xenforeignmemory_unmap(h->memory, page, 1);
	/* EINVAL concerns the port: access to the domain is allowed. */
	errno = 0;
	if (xenevtchn_bind_interdomain(h->events, domid, PORT) >= 0 ||
	    errno == EINVAL)
		errno = 0;
	report(whose, "bind", errno == 0);
}

static int
enter(const char *how, domid_t own, struct transport *t)
{
	const struct sandbox sandbox = {
		.level = strcmp(how, "none") == 0 ? SANDBOX_NONE : SANDBOX_FULL,
		.domain = own,
		.transport = t,
		.root = PFLASH_RUN_DIR "/empty",
		.file_size = 1u << 20,
		.memory = 64u << 20,
	};
	struct error note;
	int ret;

	ret = sandbox_enter(&sandbox, &note);
	if (ret < 0)
		fprintf(stderr, "probe: %s\n", note.text);
	return ret;
}

static void
report_call(const char *what, bool ok)
{
	printf("%s: %s\n", what, ok ? "ok" : strerror(errno));
}

static bool
can_read_memory(pid_t pid)
{
	char byte;
	const struct iovec here = { .iov_base = &byte, .iov_len = 1 };
	const struct iovec there = { .iov_base = &byte, .iov_len = 1 };

	/* EFAULT: access is allowed, but nothing is mapped there. */
	return process_vm_readv(pid, &here, 1, &there, 1, 0) == 1 ||
	       errno == EFAULT;
}

static void
attempt_process(pid_t pid)
{
	char path[48];
	int fd;

	report_call("kill", kill(pid, 0) == 0);
	report_call("memory", can_read_memory(pid));
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	report_call("mem", fd >= 0);
	if (fd >= 0)
		close(fd);
	/* The trace ends with this process. */
	report_call("ptrace", ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0);
}

static int
attempt_as(uid_t user, char **pids)
{
	if (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 ||
	    setresuid(user, user, user) < 0) {
		perror("probe");
		return 1;
	}
	for (; *pids; pids++)
		attempt_process((pid_t)atoi(*pids));
	return 0;
}

static int
attempt_in(const char *how, domid_t own, domid_t other)
{
	struct handles h = {
		.devicemodel = xendevicemodel_open(NULL, 0),
		.memory = xenforeignmemory_open(NULL, 0),
		.events = xenevtchn_open(NULL, 0),
		.calls = xencall_open(NULL, 0),
	};
	struct transport *t;
	struct error err;

	if (!h.devicemodel || !h.memory || !h.events || !h.calls)
		return 2;
	printf("begin\n"); /* stdio calls fstat() now, before the sandbox */
	if (xen_transport_open(&t, own, &err) < 0) {
		fprintf(stderr, "probe: %s\n", err.text);
		return 1;
	}
	if (enter(how, own, t) < 0)
		return 1;
	if (strcmp(how, "hypercall") == 0)
		return xencall1(h.calls, __HYPERVISOR_xen_version, 0) < 0;
	attempt(&h, "own", own);
	attempt(&h, "other", other);
	return 0;
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc >= 4 && strcmp(argv[1], "as") == 0)
		return attempt_as((uid_t)strtoul(argv[2], NULL, 10), argv + 3);
	if (argc != 4)
		return 2;
	return attempt_in(argv[1], (domid_t)atoi(argv[2]),
			  (domid_t)atoi(argv[3]));
}
