/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "pflash/control.h"
#include "pflash/handover.h"
#include "worker/client.h"
#include "worker/loop.h"
#include "worker/sandbox.h"
#include "worker/tracer.h"

#define LARGE (128 << 10) /* bytes */

/* Serves the guest until an order ends the loop; returns the exit code. */
static int
serve(struct loop *loop, struct flash *flash, const struct worker_start *start,
      struct error *err)
{
	enum loop_end end = LOOP_ENDS;
	int ret;

	loop_start(loop, flash, start->orders);
	ret = client_ready();
	if (ret == 0)
		end = loop_run(loop);
	else
		error_errno(err, -ret, "the supervisor refused CHANNEL_READY");
	loop_stop(loop);
	if (end == LOOP_UPGRADE)
		return WORKER_UPGRADE;
	return ret < 0 ? EXIT_RUNTIME : EXIT_OK;
}

/* Detaches the flash; `code` is the exit code unless the detach fails. */
static int
detach(struct flash *flash, int code)
{
	int ret = flash_detach(flash);

	if (ret == 0 || code != EXIT_OK)
		return code;
	log_line(LOG_ERR,
		 "the changes in the journal could not be written to VARS "
		 "(%s); VARS and journal together hold every committed write",
		 strerror(-ret));
	return EXIT_RUNTIME;
}

int
worker_run(const struct worker_start *start)
{
	struct flash flash = { .start = start, .options = start->options };
	struct loop loop;
	struct error err;
	int code;

	/*
	 * The buffers of the store are larger than what it uses of them, and
	 * must be fresh pages: the default lets them take the place of others
	 * that were freed.
	 */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE);
	client_init(start->requests);
	if (sandbox_die_with_parent(start->supervisor) < 0)
		return EXIT_RUNTIME;
	loop_init(&loop);
	code = flash_attach(&flash, &err);
	if (code == EXIT_OK && !start->options->check_start)
		code = serve(&loop, &flash, start, &err);
	if (code == WORKER_UPGRADE) {
		tracer_end(&flash, "another worker takes over");
		return code;
	}
	/* At EXIT_BUSY the supervisor logs which process has the file. */
	if (code != EXIT_OK && code != EXIT_BUSY)
		log_line(LOG_ERR, "%s", err.text);
	return detach(&flash, code);
}

/* --- --check-handover --- */

static int
open_record(uint32_t id)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path),
		       PFLASH_RUN_DIR "/%" PRIu32 ".handover", id);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * Loads a copy of the record: the serving worker changes the record meanwhile.
 * Returns 1: accepted; or -errno and sets *err.
 */
static int
load_record(int fd, void *copy, const struct guest *guest, struct error *err)
{
	struct handover *record;
	void *memory = flash_private_record();
	ssize_t size = pread(fd, copy, HANDOVER_MOST, 0);
	int ret;

	if (!memory || size < 0)
		return error_errno(err, memory ? errno : ENOMEM,
				   "the handover record");
	handover_make(&record, memory);
	ret = handover_load(record, copy, (size_t)size, guest->incarnation,
			    err);
	if (ret == 0)
		ret = error_set(err, ENOENT,
				"the handover record has no flash of this "
				"domain");
	free(memory);
	return ret;
}

/* Returns 1: this program accepts the record; or -errno and sets *err. */
static int
check_record(const struct options *options, const struct guest *guest,
	     struct error *err)
{
	const struct sandbox sandbox = {
		.level = options->sandbox,
		.user = options->user,
		.domain = guest->id,
		.root = PFLASH_RUN_DIR "/empty",
		.file_size = 0,
		.memory = 4 * HANDOVER_MOST,
	};
	void *copy = malloc(HANDOVER_MOST);
	int fd = open_record(guest->id), ret = fd;

	if (fd < 0)
		error_errno(err, -fd, "the handover record");
	else if (!copy)
		ret = error_set(err, ENOMEM, "out of memory");
	else
		ret = sandbox_enter(&sandbox, err);
	if (ret >= 0)
		ret = load_record(fd, copy, guest, err);
	free(copy);
	return ret;
}

int
worker_check_handover(const struct options *options, const struct guest *guest)
{
	struct error err;

	if (guest && check_record(options, guest, &err) > 0)
		return EXIT_OK;
	log_line(LOG_ERR, "%s", guest ? err.text : "there is no such domain");
	return EXIT_DOMAIN;
}
