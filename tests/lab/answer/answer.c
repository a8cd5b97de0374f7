/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ioreq server that does nothing but answer, for what that itself costs:
 *	answer DOMID BASE SIZE [MICROSECONDS [direct]]
 * claims those addresses, prints "ready", and ends with the domain. It watches
 * for the next request that long; with `direct` the guest has memory there, and
 * only its writes are requests.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "pflash/ioreq.h"
#include "pflash/window.h"
#include "pflash/xen.h"

#define LOOK 200 /* milliseconds between two looks whether the domain lives */

static uint64_t
answer_read(void *opaque, uint64_t off, unsigned int size)
{
	(void)opaque, (void)off, (void)size;
	return 0;
}

static void
answer_write(void *opaque, uint64_t off, unsigned int size, uint64_t value)
{
	(void)opaque, (void)off, (void)size, (void)value;
}

static void
serve(struct ioreq_server *server, struct transport *t)
{
	struct pollfd fd = { .fd = t->ops->event_fd(t), .events = POLLIN };

	while (t->ops->alive(t)) {
		if (poll(&fd, 1, LOOK) > 0)
			ioreq_server_poll(server);
	}
}

static int
start(struct ioreq_server *server, struct transport *t, char **argv,
      struct error *err)
{
	static const struct ioreq_region_ops ops = {
		.read = answer_read,
		.write = answer_write,
	};
	const struct ioreq_region region = {
		.space = IOREQ_SPACE_MEMORY,
		.first = strtoull(argv[2], NULL, 0),
		.size = strtoull(argv[3], NULL, 0),
		.ops = &ops,
	};
	int ret = ioreq_server_add(server, &region, err);
	struct window *window;

	if (ret == 0 && argv[4] && argv[5])
		ret = window_open(&window, t, region.first,
				  (uint32_t)region.size, WINDOW_DIRECT, err);
	if (argv[4])
		ioreq_server_set_poll_budget(server,
					  strtoull(argv[4], NULL, 0) * 1000);
	return ret < 0 ? ret : ioreq_server_start(server, err);
}

int
main(int argc, char **argv)
{
	struct ioreq_server *server;
	struct transport *t;
	struct error err;

	if (argc < 4) {
		fputs("usage: answer DOMID BASE SIZE [MICROSECONDS [direct]]\n",
		      stderr);
		return 2;
	}
	if (xen_transport_open(&t, (uint32_t)strtoul(argv[1], NULL, 0), &err) <
		    0 ||
	    ioreq_server_open(&server, t, &err) < 0 ||
	    start(server, t, argv, &err) < 0) {
		fprintf(stderr, "answer: %s\n", err.text);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	serve(server, t);
	ioreq_server_close(server);
	t->ops->close(t);
	return 0;
}
