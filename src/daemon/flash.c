/* SPDX-License-Identifier: BSD-2-Clause */
#include "flash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ask.h"
#include "compact.h"
#include "log.h"
#include "preflight.h"
#include "pflash/control.h"
#include "pflash/xen.h"
#include "reset.h"

/* A guest that runs has in its memory where which variable is. */
static bool
may_compact(const struct flash *flash, const struct preflight *preflight)
{
	struct transport *t = flash->transport;

	return preflight->compact && !flash->adopts && t->ops->has_run(t) == 0;
}

static int
connect_store(struct flash *flash, const struct options *options,
	      const struct preflight *preflight, struct error *err)
{
	const struct store_config config = {
		.path = options->vars,
		.journal = options->journal,
		.size = preflight->geometry.size,
		.read_only = options->read_only,
		.history = &options->history,
		.sync = options->sync,
		.burst = flash->live ? flash->live->burst : NULL,
		.burst_limit = flash->live ? HANDOVER_BURST_LIMIT : 0,
		.sys = &sys_keeper,
	};
	struct store_recovery found = { 0 };
	int ret = 0;

	if (preflight->initial) {
		ret = store_create(&config, preflight->initial, err);
		if (ret == 0)
			log_line(LOG_INFO, "created");
	}
	if (ret == 0 && may_compact(flash, preflight))
		ret = compact_store(&config, err);
	if (ret == 0)
		ret = store_open(&flash->store, &config, &found, err);
	if (ret < 0)
		return ret;
	if (found.bursts)
		log_line(LOG_NOTICE,
			 "recovered %" PRIu64 " bursts from the "
			 "journal",
			 found.bursts);
	if (found.dropped_bytes)
		log_line(LOG_WARNING,
			 "dropped a torn tail of %" PRIu64
			 " bytes from the journal",
			 found.dropped_bytes);
	return device_connect(flash->device, flash->store, err);
}

/* The code must not come to lie where the flash is. */
static int
attach_code(struct flash *flash, const struct preflight *preflight,
	    struct error *err)
{
	size_t size = preflight->code_size - preflight->sec;
	uint64_t base = WINDOW_HOLE_LAST + 1 - size;
	uint64_t flash_end = preflight->base + preflight->geometry.size;

	if (base < flash_end)
		return error_set(err, EINVAL,
				 "the firmware's code from %#" PRIx64
				 " on and the flash up to %#" PRIx64 " overlap",
				 base, flash_end - 1);
	return window_install_code(flash->transport,
				   preflight->code + preflight->sec, size, err);
}

/*
 * For as long as this process has the file itself: the record is made in the
 * place of the one that it is loaded from.
 */
static int
load_live(struct handover **out, const char *path, const char *life,
	  struct error *err)
{
	static uint8_t old[HANDOVER_SIZE];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *memory;
	ssize_t len;
	int ret;

	if (fd < 0)
		return error_errno(err, errno, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return error_set(err, EBUSY,
				 "the guest has a flash already: another "
				 "process has %s",
				 path);
	}
	len = pread(fd, old, sizeof(old), 0);
	ret = len < 0 ? errno : posix_fallocate(fd, 0, HANDOVER_SIZE);
	memory = mmap(NULL, HANDOVER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	if (ret || memory == MAP_FAILED) {
		close(fd);
		return error_errno(err, ret ? ret : ENOMEM, "%s", path);
	}
	memset(memory, 0, HANDOVER_SIZE);
	handover_make(out, memory);
	ret = handover_load(*out, old, (size_t)len, life, err);
	if (ret >= 0)
		return fd;
	memcpy(memory, old, sizeof(old));
	munmap(memory, HANDOVER_SIZE);
	close(fd);
	return ret;
}

static void
close_live(struct handover *live, int fd)
{
	munmap(live, HANDOVER_SIZE);
	close(fd);
}

/* Another one of this guest's may be about to die with its keeper. */
static int
wait_for_live(struct flash *flash, const char *path, struct error *err)
{
	const struct timespec step = { .tv_nsec = 20000000 };
	const char *life = domain_life(flash->domain);
	int ret = load_live(&flash->live, path, life, err);

	for (unsigned int i = 0; ret == -EBUSY && i < 50; i++) {
		nanosleep(&step, NULL);
		ret = load_live(&flash->live, path, life, err);
	}
	return ret;
}

/* Without it the guest's flash dies with this process, and that is all. */
static int
open_live(struct flash *flash, struct error *err)
{
	char path[DOMAIN_PATH_ROOM];
	int ret;

	domain_run_path(flash->domain, "live", path, sizeof(path));
	ret = wait_for_live(flash, path, err);
	if (ret == -EINVAL || ret == -EBUSY)
		return ret;
	flash->live_lock = ret;
	if (ret < 0)
		flash->live_reason = *err;
	else
		flash->adopts = flash->live->attached;
	return 0;
}

/* All that is asked for by name, or of Xen as a whole. */
static int
find_domain(struct flash *flash, const struct worker_start *start,
	    struct error *err)
{
	int ret;

	if (!flash->domain) {
		*err = *start->no_domain;
		return start->no_domain_code;
	}
	ret = open_live(flash, err);
	if (ret == 0)
		ret = xen_transport_open(&flash->transport,
					 domain_id(flash->domain), err);
	if (ret == 0)
		ask_for_transport(flash->transport);
	return ret;
}

static int
attach_server(struct flash *flash, struct error *err)
{
	int ret = flash->adopts ?
			  ioreq_server_adopt(&flash->server, flash->transport,
					     flash->live->server, err) :
			  ioreq_server_open(&flash->server, flash->transport,
					    err);

	if (ret == 0)
		ioreq_server_set_patience(flash->server,
					  flash->options->spin * 1000);
	return ret;
}

/* Before the guest's answer: it is said once, and the chip tells the guest. */
static void
on_failure(void *opaque)
{
	struct flash *flash = opaque;
	int ret;

	log_line(LOG_ERR, "%s; the flash is read-only from now on",
		 store_failure(flash->store));
	if (!flash->pause)
		return;
	ret = flash->transport->ops->pause(flash->transport);
	if (ret < 0)
		log_line(LOG_ERR, "the guest could not be paused: %s",
			 strerror(-ret));
	else
		log_line(LOG_ERR, "the guest is paused: make room or repair, "
				  "stop this pflashd and start it again, then "
				  "`xl unpause`");
}

static const char *
mode_name(const struct flash *flash)
{
	return device_mode(flash->device) == WINDOW_DIRECT ? "direct" : "trap";
}

static void
on_taken(void *opaque, int ret, const struct error *note)
{
	const struct flash *flash = opaque;

	if (ret < 0)
		log_line(LOG_ERR, "the guest has no flash: %s", note->text);
	else
		log_line(LOG_INFO, "the firmware is there; %s mode%s%s",
			 mode_name(flash), note->text[0] ? ": " : "",
			 note->text);
}

static int
attach_device(struct flash *flash, const struct options *options,
	      const struct preflight *preflight, struct error *err)
{
	struct device_config config = {
		.base = preflight->base,
		.geometry = preflight->geometry,
		.show_busy = options->sync == STORE_SYNC_OP,
		.after_loader = !domain_is_pvh(flash->domain),
		.failed = on_failure,
		.taken = on_taken,
		.opaque = flash,
		.handover = flash->live,
		.mode = options->mode,
		.personality = options->personality,
		.force = options->force,
	};
	struct error note;
	int ret;

	(void)snprintf(config.life, sizeof(config.life), "%s",
		       domain_life(flash->domain));
	(void)snprintf(config.guest, sizeof(config.guest), "%s",
		       domain_guest(flash->domain));
	config.has_run = flash->transport->ops->has_run(flash->transport) > 0;
	ret = device_open(&flash->device, flash->server, flash->transport,
			  &config, &note, err);

	if (ret < 0)
		return ret;
	flash->trap_reason = note;
	if (domain_is_pvh(flash->domain))
		ret = reset_add(flash->server, flash->transport, err);
	return ret;
}

static void
log_attached(const struct flash *flash, uint64_t base)
{
	if (flash->trap_reason.text[0])
		log_line(LOG_NOTICE, "reads are trapped: %s",
			 flash->trap_reason.text);
	if (!flash->live)
		log_line(LOG_WARNING,
			 "%s: the guest's flash will not outlive this process",
			 flash->live_reason.text);
	if (flash->sandbox_reason.text[0])
		log_line(LOG_WARNING, "sandbox: %s: %s",
			 sandbox_name(flash->sandbox),
			 flash->sandbox_reason.text);
	log_line(LOG_INFO, "%u bytes at %#" PRIx64 ", %s mode%s",
		 store_size(flash->store), base, mode_name(flash),
		 flash->adopts                ? ", taken over" :
		 domain_is_pvh(flash->domain) ? "" :
						" when the firmware starts");
}

/*
 * The file is of the VARS file's, not of the domain: a guest that reboots
 * itself again and again does not begin anew.  What the attach has written is
 * taken out, for the same reason.
 */
static void
open_limit(struct flash *flash)
{
	const struct options *options = flash->options;
	double now = limit_clock();
	int ret;

	limit_init(&flash->limit, &options->write_limit, 0, now);
	if (options->read_only || options->write_limit.rate == 0)
		return;
	ret = ask_descriptor(CHANNEL_LIMIT);
	if (ret >= 0)
		ret = limit_keep(&flash->limit, ret, now);
	if (ret < 0)
		log_line(LOG_WARNING,
			 "the file of the write limit: %s; what this guest has "
			 "written is forgotten with this process",
			 strerror(-ret));
}

/* What the end of it writes does not wait, but counts. */
static void
close_limit(struct flash *flash)
{
	double now = limit_clock();
	struct error err;

	if (!flash->store || !flash->limit.kept)
		return;
	(void)store_checkpoint(flash->store); /* store_close() tells */
	(void)limit_allows(&flash->limit, store_stats(flash->store)->written,
			   now);
	if (limit_close(&flash->limit, now))
		(void)ask_simply(CHANNEL_LIMIT_FULL, &err);
}

/* What a journal may grow to, and the file system's own; generously. */
#define FILE_MARGIN (UINT64_C(64) << 20)

/* The first uid of the workers, each of which has one by its domain's id. */
#define OWN_UIDS 2000000000u

static int
enter_sandbox(struct flash *flash, const struct preflight *preflight,
	      struct error *err)
{
	const struct options *options = flash->options;
	uint64_t files = 4 * (uint64_t)preflight->geometry.size +
			 STORE_HISTORY_MOST + FILE_MARGIN;
	char own[16];
	const struct sandbox sandbox = {
		.level = options->sandbox,
		.user = options->user ? options->user : own,
		.transport = flash->transport,
		.root = PFLASH_RUN_DIR "/empty",
		.file_size = files,
		.memory = 2 * files,
	};
	int ret;

	(void)snprintf(own, sizeof(own), "%u",
		       OWN_UIDS +
			       (flash->domain ? domain_id(flash->domain) : 0));
	ret = sandbox_enter(&sandbox, &flash->sandbox_reason);
	if (ret < 0)
		return error_set(err, -ret, "--sandbox: %s",
				 flash->sandbox_reason.text);
	flash->sandbox = (enum sandbox_level)ret;
	return 0;
}

static int
attach_to_domain(struct flash *flash, const struct preflight *preflight,
		 struct error *err)
{
	const struct options *options = flash->options;
	int ret;

	if (attach_server(flash, err) < 0 ||
	    attach_device(flash, options, preflight, err) < 0)
		return EXIT_DOMAIN;
	/* hvmloader has the firmware at the address it is linked for. */
	if (preflight->code && domain_is_pvh(flash->domain) && !flash->adopts &&
	    attach_code(flash, preflight, err) < 0)
		return EXIT_DOMAIN;
	ret = connect_store(flash, options, preflight, err);
	if (ret < 0)
		return ret == -EBUSY ? EXIT_BUSY : EXIT_FILE;
	open_limit(flash);
	if (ioreq_server_start(flash->server, err) < 0)
		return EXIT_DOMAIN;
	flash->started = true;
	flash->since = time(NULL);
	log_attached(flash, preflight->base);
	return EXIT_OK;
}

/*
 * Files are looked at first, then Xen is asked; the disk is changed last.
 * What a guest has written is read in the sandbox.
 */
static int
attach(struct flash *flash, const struct worker_start *start,
       struct preflight *preflight, struct error *err)
{
	const struct options *options = flash->options;
	struct error why;
	int found = find_domain(flash, start, &why);
	int code = preflight_check(preflight, options, err);

	if (code == EXIT_OK && enter_sandbox(flash, preflight, err) < 0)
		code = EXIT_RUNTIME;
	/* A guest that has it already is not asked if it would take it. */
	if (code == EXIT_OK && !flash->adopts)
		code = preflight_check_contents(preflight, options, &sys_keeper,
						err);
	if (code != EXIT_OK)
		return code;
	if (found < 0) {
		*err = why;
		return found == -EBUSY ? EXIT_BUSY : EXIT_DOMAIN;
	}
	flash->pause = options->pause;
	return attach_to_domain(flash, preflight, err);
}

int
flash_attach(struct flash *flash, const struct worker_start *start,
	     struct error *err)
{
	struct preflight preflight;
	int code = attach(flash, start, &preflight, err);

	preflight_free(&preflight);
	return code;
}

/*
 * A guest that lives on may find another server.  For a suspended one all is
 * kept already.
 */
static enum device_end
how_it_ends(const struct flash *flash)
{
	struct transport *t = flash->transport;

	return flash->started && !flash->suspended && t->ops->alive(t) ?
		       DEVICE_LIVES :
		       DEVICE_ENDS;
}

int
flash_detach(struct flash *flash)
{
	struct transport *t = flash->transport;
	struct error err;
	int ret = 0;

	/* The end of this process leaves the guest as it was found. */
	if (flash->adopts && !flash->started)
		return 0;
	if (flash->device &&
	    device_close(flash->device, how_it_ends(flash), &err) < 0)
		log_line(LOG_ERR, "the flash's state is lost: %s", err.text);
	if (flash->server)
		ioreq_server_close(flash->server);
	if (t)
		t->ops->close(t);
	close_limit(flash);
	if (flash->store)
		ret = store_close(flash->store);
	if (flash->live) {
		(void)ask_simply(CHANNEL_FORGET, &err);
		close_live(flash->live, flash->live_lock);
	}
	return ret;
}
