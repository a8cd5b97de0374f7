/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ioreq server that only answers, to measure the cost of a request:
 *	answer DOMID BASE SIZE [MICROSECONDS [direct]]
 * claims those addresses, prints "ready", and ends with the domain.  It polls
 * for the next request for so many microseconds.  With `direct` the guest has
 * memory at the addresses, and only its writes are requests.
 */
#include <poll.h>
#include <stdio.h>

#include "../../../tools/common/null_region.h"
#include "pflash/parse.h"
#include "pflash/window.h"
#include "pflash/xen.h"

#define LOOK 200 /* milliseconds between two checks that the domain is alive */

struct arguments {
	uint64_t domain, base, size, spin;
	bool direct;
};

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
start(struct ioreq_server *server, struct transport *t,
      const struct arguments *arguments, struct error *err)
{
	struct window *window;
	int ret = null_region_add(server, arguments->base, arguments->size,
				  err);

	if (ret == 0 && arguments->direct)
		ret = window_open(&window, t, arguments->base,
				  (uint32_t)arguments->size, WINDOW_DIRECT,
				  err);
	if (arguments->spin)
		ioreq_server_set_poll_budget(server, arguments->spin * 1000);
	return ret < 0 ? ret : ioreq_server_start(server, err);
}

static int
parse_arguments(struct arguments *arguments, char **argv, struct error *err)
{
	const struct {
		uint64_t *value, most;
	} numbers[] = {
		{ &arguments->domain, UINT32_MAX },
		{ &arguments->base, UINT64_MAX },
		{ &arguments->size, UINT32_MAX },
		{ &arguments->spin, UINT32_MAX },
	};
	int i = 0, ret = 0;

	for (; ret == 0 && i < 4 && argv[i + 1]; i++)
		ret = parse_number(argv[i + 1], PARSE_C, 0, numbers[i].most,
				   numbers[i].value, err);
	arguments->direct = argv[4] && argv[5];
	return ret;
}

int
main(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	struct ioreq_server *server;
	struct transport *t;
	struct error err;

	if (argc < 4) {
		fputs("usage: answer DOMID BASE SIZE [MICROSECONDS [direct]]\n",
		      stderr);
		return 2;
	}
	if (parse_arguments(&arguments, argv, &err) < 0 ||
	    xen_transport_open(&t, (uint32_t)arguments.domain, &err) < 0 ||
	    ioreq_server_open(&server, t, &err) < 0 ||
	    start(server, t, &arguments, &err) < 0) {
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
