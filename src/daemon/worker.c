/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker.h"

#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "log.h"
#include "loop.h"
#include "ready.h"

/* What is of the keeper's is not for this process. */
static void
close_others(unsigned int a, unsigned int b)
{
	unsigned int low = a < b ? a : b, high = a < b ? b : a;

	if (low > 3)
		close_range(3, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
}

static int
serve(struct loop *loop, struct flash *flash, const struct worker_start *start,
      struct error *err)
{
	enum loop_end end = LOOP_ENDS;
	int ret;

	loop_start(loop, flash, start->orders);
	ret = ask_simply(CHANNEL_READY, err);
	if (ret == 0)
		end = loop_run(loop);
	if (end == LOOP_UPGRADE)
		return WORKER_UPGRADE;
	(void)ask_simply(CHANNEL_STOPPING, err);
	loop_stop(loop);
	return ret < 0 ? EXIT_RUNTIME : EXIT_OK;
}

static int
detach(struct flash *flash, int code)
{
	int ret = flash_detach(flash);

	if (ret == 0 || code != EXIT_OK)
		return code;
	log_line(LOG_ERR,
		 "the journal could not be folded into the file (%s); both are "
		 "kept as they are",
		 strerror(-ret));
	return EXIT_RUNTIME;
}

int
worker_run(const struct worker_start *start)
{
	struct flash flash = { .domain = start->domain,
			       .options = start->options,
			       .keeper = start->keeper };
	struct loop loop;
	struct error err;
	int code;

	close_others((unsigned int)start->calls, (unsigned int)start->orders);
	/* Xen's libraries may say something to standard error. */
	ready_let_go(start->options->foreground);
	ask_init(start->calls);
	log_to(ask_log);
	if (sandbox_follow(start->keeper) < 0)
		return EXIT_RUNTIME;
	loop_init(&loop);
	code = flash_attach(&flash, start, &err);
	if (code == EXIT_OK)
		code = serve(&loop, &flash, start, &err);
	if (code == WORKER_UPGRADE)
		return code;
	if (code != EXIT_OK)
		log_line(LOG_ERR, "%s", err.text);
	return detach(&flash, code);
}
