/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process can do to domains on real Xen, in the sandbox or out of it:
 *	probe none|full OWN OTHER
 * prints a line for each attempt: "own map: ok", "other map: <errno's text>".
 *	probe hypercall OWN OTHER
 * makes one in the sandbox, which should be its end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xencall.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include "../../../src/daemon/sandbox.h"
#include "pflash/control.h"
#include "pflash/xen.h"

/* A frame that every guest has, and a port that none has opened to us. */
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
	/* What is refused for the port's sake is allowed for the domain's. */
	errno = 0;
	if (xenevtchn_bind_interdomain(h->events, domid, PORT) >= 0 ||
	    errno == EINVAL)
		errno = 0;
	report(whose, "bind", errno == 0);
}

static int
enter(const char *how, struct transport *t)
{
	const struct sandbox sandbox = {
		.level = strcmp(how, "none") == 0 ? SANDBOX_NONE : SANDBOX_FULL,
		.user = SANDBOX_USER,
		.transport = t,
		.root = PFLASH_RUN_DIR "/empty",
		.file_size = 1u << 20,
		.memory = 64u << 20,
	};
	struct error note;
	int ret = sandbox_enter(&sandbox, &note);

	if (ret < 0)
		fprintf(stderr, "probe: %s\n", note.text);
	return ret;
}

int
main(int argc, char **argv)
{
	struct handles h = {
		.devicemodel = xendevicemodel_open(NULL, 0),
		.memory = xenforeignmemory_open(NULL, 0),
		.events = xenevtchn_open(NULL, 0),
		.calls = xencall_open(NULL, 0),
	};
	struct transport *t;
	struct error err;
	domid_t own, other;

	if (argc != 4 || !h.devicemodel || !h.memory || !h.events || !h.calls)
		return 2;
	own = (domid_t)atoi(argv[2]);
	other = (domid_t)atoi(argv[3]);
	setvbuf(stdout, NULL, _IONBF, 0);
	printf("begin\n"); /* asks for the kind of file that it is */
	if (xen_transport_open(&t, own, &err) < 0) {
		fprintf(stderr, "probe: %s\n", err.text);
		return 1;
	}
	if (enter(argv[1], t) < 0)
		return 1;
	if (strcmp(argv[1], "hypercall") == 0)
		return xencall1(h.calls, __HYPERVISOR_xen_version, 0) < 0;
	attempt(&h, "own", own);
	attempt(&h, "other", other);
	return 0;
}
