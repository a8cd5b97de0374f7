/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/flash.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "pflash/control.h"
#include "pflash/names.h"
#include "pflash/reset.h"
#include "pflash/xen.h"
#include "worker/apply.h"
#include "worker/client.h"
#include "worker/compact.h"
#include "worker/pinning.h"
#include "worker/preflight.h"
#include "worker/sandbox.h"
#include "worker/tracer.h"

#define PAGE 4096
#define FILE_MARGIN (UINT64_C(32) << 20)

/*
 * A write error has made the store read-only.  The store calls this once,
 * before the guest sees the error in the chip's status register.
 */
static void
on_failure(void *opaque)
{
	struct flash *flash = opaque;
	int ret;

	log_line(LOG_ERR, "%s; the flash is read-only from now on",
		 store_failure(flash->store));
	flash_report(flash);
	if (!flash->options->pause)
		return;
	ret = client_pause_for_admin();
	if (ret < 0)
		log_line(LOG_ERR, "the guest could not be paused: %s",
			 strerror(-ret));
	else
		log_line(LOG_ERR, "the guest is paused: make room or repair "
				  "the disk, restart this pflashd, then run "
				  "`xl unpause`");
}

/* A guest that has run has addresses of variables in its memory. */
static bool
may_compact(const struct flash *flash, const struct preflight *preflight)
{
	return preflight->compact && !flash->takes_over &&
	       !flash->start->guest->has_run;
}

/*
 * A guest that has not run yet: not a suspended one that is restored, nor one
 * whose earlier worker has died.
 */
static bool
is_start(const struct flash *flash)
{
	return !flash->options->read_only && !flash->takes_over &&
	       !flash->start->guest->has_run;
}

/*
 * A flash that came with its guest stays with the other host until the guest
 * runs here, and one that was lent comes back when the guest is resumed: the
 * supervisor orders it.
 */
static void
take_waiting(const struct flash *flash, struct store_config *config)
{
	bool writes = !flash->options->read_only;

	config->takes_arrived = writes && flash->start->guest->has_run;
	config->takes_lent = writes && flash->takes_over;
}

static int
connect_store(struct flash *flash, const struct options *options,
	      const struct preflight *preflight, struct error *err)
{
	struct store_recovery found = { 0 }, before = { 0 };
	struct store_config config = {
		.files = flash->files,
		.size = preflight->geometry.size,
		.read_only = options->read_only,
		.history = &options->history,
		.sync = options->sync,
		.burst = flash->record->burst,
		.burst_limit = HANDOVER_BURST_LIMIT,
		.recovered = &before,
		.on_failure = on_failure,
		.on_refusal = pinning_refused,
		.opaque = flash,
	};
	bool starts = is_start(flash);
	int ret = 0;

	if (flash->takes_over)
		ret = handover_check_vars(flash->record,
					  flash->files->name[FILES_VARS], err);
	if (ret == 0 && preflight->initial) {
		ret = store_create(&config, preflight->initial, err);
		if (ret == 0)
			log_line(LOG_INFO, "created");
	}
	if (ret == 0 && may_compact(flash, preflight))
		ret = compact_store(&config, err);
	if (ret == 0)
		ret = pinning_read(flash, err);
	if (ret == 0 && starts)
		ret = apply_queue(&config, flash->pins, err);
	config.pins = flash->pins;
	take_waiting(flash, &config);
	config.trail = &flash->record->trail;
	if (ret == 0)
		ret = store_open(&flash->store, &config, &found, err);
	if (ret == 0 && flash->pins)
		ret = starts ? pinning_start(flash, &config, err) :
			       pinning_continue(flash, err);
	if (ret < 0)
		return ret;
	found.bursts += before.bursts;
	found.dropped_bytes += before.dropped_bytes;
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
	ret = device_connect(flash->device, flash->store, err);
	flash->suspended = ret == 0 && store_released(flash->store);
	return ret;
}

/* Attaches the firmware's last volume, which must not overlap the flash. */
static int
attach_code(struct flash *flash, const struct preflight *preflight,
	    struct error *err)
{
	size_t off = firmware_served(&preflight->firmware);
	size_t size = preflight->code_size - off;
	uint64_t base = WINDOW_HOLE_LAST + 1 - size;
	uint64_t flash_end = preflight->base + preflight->geometry.size;
	int ret;

	if (base < flash_end)
		return error_set(err, EINVAL,
				 "the firmware's code from %#" PRIx64
				 " on and the flash up to %#" PRIx64 " overlap",
				 base, flash_end - 1);
	ret = window_install_code(flash->transport, preflight->code + off, size,
				  err);
	if (ret == 0 && preflight->loaded)
		log_line(LOG_INFO,
			 "the code of the guest's firmware is at %#" PRIx64
			 ", %#zx bytes",
			 base, size);
	return ret;
}

/* On HVM, hvmloader copies the firmware to its linked address. */
static int
install_code(struct flash *flash, const struct preflight *preflight,
	     struct error *err)
{
	int ret = 0;

	if (preflight->no_code.text[0])
		log_line(LOG_INFO, "the guest's kernel is no OvmfXen (%s)",
			 preflight->no_code.text);
	if (preflight->code && flash->start->guest->pvh && !flash->takes_over)
		ret = attach_code(flash, preflight, err);
	/* The guest works without the code that nobody has named. */
	if (ret < 0 && preflight->loaded) {
		log_line(LOG_WARNING, "%s", err->text);
		ret = 0;
	}
	return ret;
}

void *
flash_private_record(void)
{
	void *memory = aligned_alloc(PAGE, HANDOVER_SIZE);

	if (memory)
		memset(memory, 0, HANDOVER_SIZE);
	return memory;
}

/*
 * Makes the handover record of this worker and loads the earlier worker's
 * record into it.  If the supervisor had no room for a record, the worker uses
 * a private one, which no later worker can read.
 */
static int
load_record(struct flash *flash, struct error *err)
{
	const struct worker_start *start = flash->start;
	void *memory = start->record;
	int ret = 0;

	if (!memory) {
		log_line(LOG_WARNING,
			 "%s: without a handover record the guest loses its "
			 "flash if this worker dies",
			 start->no_record->text);
		memory = flash_private_record();
		if (!memory)
			return error_set(err, ENOMEM, "out of memory");
	}
	handover_make(&flash->record, memory);
	if (start->before)
		ret = handover_load(flash->record, start->before,
				    start->before_size,
				    start->guest->incarnation, err);
	flash->takes_over = ret > 0;
	return ret < 0 ? ret : 0;
}

/* Opens the handles of Xen. */
static int
open_domain(struct flash *flash, struct error *err)
{
	const struct worker_start *start = flash->start;
	int ret;

	if (!start->guest) {
		*err = *start->no_guest;
		return start->no_guest_code;
	}
	ret = xen_transport_open(&flash->transport, start->guest->id, err);
	if (ret == 0)
		client_wrap_transport(flash->transport);
	return ret;
}

static int
attach_server(struct flash *flash, struct error *err)
{
	int ret = flash->takes_over ?
			  ioreq_server_adopt(&flash->server, flash->transport,
					     flash->record->server, err) :
			  ioreq_server_open(&flash->server, flash->transport,
					    err);

	if (ret == 0)
		ioreq_server_set_poll_budget(flash->server,
					     flash->options->spin * 1000);
	return ret;
}

static const char *
mode_name(const struct flash *flash)
{
	return device_mode(flash->device) == WINDOW_DIRECT ? "direct" : "trap";
}

static void
on_window_ready(void *opaque, int ret, const struct error *reason)
{
	const struct flash *flash = opaque;

	if (ret < 0)
		log_line(LOG_ERR, "the guest has no flash: %s", reason->text);
	else
		log_line(LOG_INFO, "the firmware has started; %s mode%s%s",
			 mode_name(flash), reason->text[0] ? ": " : "",
			 reason->text);
}

static void
on_reset(void *opaque, int ret)
{
	(void)opaque;
	if (ret < 0)
		log_line(LOG_ERR, "cannot reboot the domain: %s",
			 strerror(-ret));
	else
		log_line(LOG_INFO, "the guest resets itself");
}

static int
attach_device(struct flash *flash, const struct options *options,
	      const struct preflight *preflight, struct error *err)
{
	const struct guest *guest = flash->start->guest;
	struct device_config config = {
		.base = preflight->base,
		.geometry = preflight->geometry,
		.show_busy = options->sync == STORE_SYNC_OP,
		.after_loader = !guest->pvh,
		.window_ready = on_window_ready,
		.opaque = flash,
		.handover = flash->record,
		.has_run = guest->has_run || flash->takes_over,
		.incoming = guest->incoming,
		.mode = options->mode,
		.personality = options->personality,
		.partition = (uint32_t)options->partition,
		.force = options->force,
	};
	struct error trap_reason;
	int ret;

	(void)snprintf(config.incarnation, sizeof(config.incarnation), "%s",
		       guest->incarnation);
	(void)snprintf(config.guest, sizeof(config.guest), "%s", guest->uuid);
	ret = device_open(&flash->device, flash->server, flash->transport,
			  &config, &trap_reason, err);

	if (ret < 0)
		return ret;
	flash->trap_reason = trap_reason;
	if (guest->pvh)
		ret = reset_add(flash->server, flash->transport, on_reset,
				flash, err);
	return ret;
}

/* Not while the store is read-only: nothing is synced. */
static void
log_sync(const struct flash *flash)
{
	enum store_sync mode = store_sync_mode(flash->store);

	if (flash->options->read_only)
		return;
	log_line(mode == flash->options->sync ? LOG_INFO : LOG_NOTICE,
		 "sync: %s%s", parse_choice_name(names_sync, (int)mode),
		 mode == flash->options->sync ?
			 "" :
			 ", because the variable store is not understood");
}

static void
log_attached(const struct flash *flash, uint64_t base)
{
	if (flash->suspended)
		log_line(LOG_INFO, "the flash waits until its guest runs; the "
				   "file is unlocked");
	log_sync(flash);
	if (flash->trap_reason.text[0])
		log_line(LOG_NOTICE, "reads are trapped: %s",
			 flash->trap_reason.text);
	log_line(LOG_INFO, "%u bytes at %#" PRIx64 ", %s mode%s",
		 store_size(flash->store), base, mode_name(flash),
		 flash->takes_over        ? ", taken over" :
		 flash->start->guest->pvh ? "" :
					    " when the firmware starts");
}

/*
 * The write limit belongs to the VARS file, not to the domain: a guest must not
 * get a full bucket by a reboot.  The supervisor has put the saved level into
 * the report.
 */
static void
open_limit(struct flash *flash)
{
	const struct options *options = flash->options;
	const struct limit_config off = { .rate = 0 };
	const struct limit_level level = { flash->start->report->level,
					   flash->start->report->level_when };
	double now = limit_clock();

	limit_init(&flash->limit,
		   options->read_only ? &off : &options->write_limit, 0, now);
	limit_resume(&flash->limit, &level, now);
}

static void
report_level(const struct flash *flash)
{
	struct report *report = flash->start->report;

	report->level = flash->limit.level.units;
	report->level_when = flash->limit.level.when;
}

static void
report_requests(const struct flash *flash)
{
	const struct ioreq_stats *requests = ioreq_server_stats(flash->server);
	struct report *report = flash->start->report;

	report->direct = device_mode(flash->device) == WINDOW_DIRECT;
	report->requests = requests->requests;
	report->reads = requests->reads;
	report->writes = requests->writes;
}

/* The store can fail or refuse a burst while there is no device, too. */
void
flash_report(struct flash *flash)
{
	struct report *report = flash->start->report;
	const struct store_stats *stored = store_stats(flash->store);
	/* With --read-only the store is read-only without a failure. */
	bool failed = store_failed(flash->store) && !flash->options->read_only;

	if (flash->device)
		report_requests(flash);
	report->bursts = stored->bursts;
	report->checkpoints = stored->checkpoints;
	report->syncs = stored->syncs;
	report->refused = stored->refused;
	report->burst_instead = store_sync_mode(flash->store) !=
				flash->options->sync;
	report->written = stored->written;
	report->throttled = flash->limit.times;
	report->throttled_seconds = (uint64_t)
		limit_waited(&flash->limit, flash->limit.level.when);
	report_level(flash);
	tracer_report(flash);
	if (failed && !report->failed)
		(void)snprintf(report->failure, sizeof(report->failure), "%s",
			       store_failure(flash->store));
	report->failed = failed;
	report->released = store_released(flash->store);
}

static void
report_attached(struct flash *flash, uint64_t base)
{
	struct report *report = flash->start->report;

	report->since = (uint64_t)time(NULL);
	report->base = base;
	report->size = store_size(flash->store);
	report->takeovers = flash->record->takeovers;
	report->failed = 0;
	flash_report(flash);
}

/* The writes of the detach count against the limit, and are not delayed. */
static void
close_limit(struct flash *flash)
{
	if (!flash->store)
		return;
	(void)store_checkpoint(flash->store); /* store_close() reports */
	(void)limit_allows(&flash->limit, store_stats(flash->store)->written,
			   limit_clock());
	report_level(flash);
}

/*
 * The sandbox's limit for file sizes, bytes: the largest journal, that is, its
 * history and some images, and a margin.
 */
static uint64_t
file_most(const struct options *options)
{
	const struct store_history *history = &options->history;

	return (history->seconds ? STORE_HISTORY_MOST : history->bytes) +
	       4 * STORE_MAX_SIZE + FILE_MARGIN;
}

/* The same with the trace, which needs no memory. */
static uint64_t
trace_most(const struct options *options)
{
	uint64_t most = file_most(options);

	return options->trace && options->trace_limit > most ?
		       options->trace_limit :
		       most;
}

/* Without a domain the uid is that of DOMID_IDLE, which no guest has. */
static int
enter_sandbox(struct flash *flash, struct error *err)
{
	const struct options *options = flash->options;
	const struct guest *guest = flash->start->guest;
	const struct sandbox sandbox = {
		.level = options->sandbox,
		.user = options->user,
		.domain = guest ? guest->id : DOMID_IDLE,
		.transport = flash->transport,
		.root = PFLASH_RUN_DIR "/empty",
		.file_size = trace_most(options),
		.memory = 2 * file_most(options),
	};
	struct error why;
	int ret = sandbox_enter(&sandbox, &why);

	return ret < 0 ? error_set(err, -ret, "sandbox: %s", why.text) : 0;
}

/*
 * On a complete device each descriptor reaches queue and pins.  Only the first
 * worker writes them, before its guest runs; as with files (broker.c), a worker
 * that a guest may control cannot.
 */
static int
confine_writes(struct flash *flash, struct error *err)
{
	uint64_t limit = files_confine(flash->files);

	return limit ? sandbox_limit_writes(flash->options->sandbox, limit,
					    FILES_WRITE_MOST, err) :
		       0;
}

/* From here on the next worker takes over from this worker's record. */
static int
install_record(const struct flash *flash, struct error *err)
{
	int ret = flash->start->record ? client_install_record() : 0;

	return ret < 0 ? error_errno(err, -ret,
				     "cannot install the handover record") :
			 0;
}

static int
attach_to_domain(struct flash *flash, const struct preflight *preflight,
		 struct error *err)
{
	const struct options *options = flash->options;
	const struct guest *guest = flash->start->guest;
	int ret;

	if (attach_server(flash, err) < 0 ||
	    attach_device(flash, options, preflight, err) < 0)
		return EXIT_DOMAIN;
	if (install_code(flash, preflight, err) < 0)
		return EXIT_DOMAIN;
	ret = connect_store(flash, options, preflight, err);
	if (ret < 0)
		return ret == -EBUSY ? EXIT_BUSY : EXIT_FILE;
	if (!guest->has_run && confine_writes(flash, err) < 0)
		return EXIT_RUNTIME;
	open_limit(flash);
	if (install_record(flash, err) < 0)
		return EXIT_DOMAIN;
	/* A takeover finishes a request at the start of the server. */
	if (options->trace)
		tracer_change(flash);
	if (ioreq_server_start(flash->server, err) < 0)
		return EXIT_DOMAIN;
	flash->started = true;
	report_attached(flash, preflight->base);
	log_attached(flash, preflight->base);
	return EXIT_OK;
}

/*
 * Is the firmware in the guest's memory, as Xen's domain builder left it?  A
 * guest that has run may have changed it, and has the code below 4 GiB already:
 * from its start, or from the memory that was saved.
 */
static bool
has_loaded(const struct flash *flash)
{
	const struct guest *guest = flash->start->guest;

	return flash->options->code_from == OPTIONS_CODE_AUTO && guest->pvh &&
	       !guest->has_run && !flash->takes_over;
}

/* With --check-start the guest does not exist yet. */
static bool
is_pvh(const struct flash *flash)
{
	const struct guest *guest = flash->start->guest;

	return guest ? guest->pvh :
		       flash->options->check_start == OPTIONS_CHECK_PVH;
}

/*
 * Checks files first, then the domain; changes the disk last.  The data of a
 * guest and of an earlier worker are read in the sandbox only.
 */
static int
attach(struct flash *flash, struct preflight *preflight, struct error *err)
{
	const struct options *options = flash->options;
	const struct guest *guest = flash->start->guest;
	struct files *files = flash->files;
	struct error why;
	int found = open_domain(flash, &why);
	int code = preflight_load(preflight, options, files, err);

	if (code == EXIT_OK && enter_sandbox(flash, err) < 0)
		code = EXIT_RUNTIME;
	if (code == EXIT_OK && files_complete(&flash->files, NULL, err) < 0)
		code = EXIT_FILE;
	files = flash->files;
	if (code == EXIT_OK && guest && guest->has_run &&
	    confine_writes(flash, err) < 0)
		code = EXIT_RUNTIME;
	if (code == EXIT_OK && found == 0)
		found = load_record(flash, &why);
	if (code == EXIT_OK && found == 0 && has_loaded(flash))
		preflight_take_loaded(preflight, flash->transport);
	if (code == EXIT_OK)
		code = preflight_check(preflight, options, files, err);
	if (code == EXIT_OK && !flash->takes_over && is_pvh(flash))
		code = preflight_check_pvh(preflight, options, err);
	preflight->takes_arrived = flash->start->guest &&
				   flash->start->guest->has_run;
	/* A takeover continues with an image that was checked at the start. */
	if (code == EXIT_OK && !flash->takes_over)
		code = preflight_check_contents(preflight, options, files, err);
	if (code != EXIT_OK || options->check_start)
		return code;
	if (found < 0) {
		*err = why;
		return EXIT_DOMAIN;
	}
	return attach_to_domain(flash, preflight, err);
}

int
flash_attach(struct flash *flash, struct error *err)
{
	struct preflight preflight;
	int code;

	flash->files = client_files(flash->start->files);
	code = attach(flash, &preflight, err);
	preflight_free(&preflight);
	(void)malloc_trim(0); /* of what was read before the attach */
	return code;
}

/*
 * Does the guest live on without this server, so that the chip's state must be
 * saved?  A suspended guest's state has been saved already.
 */
static enum device_at_close
state_at_close(const struct flash *flash)
{
	struct transport *t = flash->transport;

	return flash->started && !flash->suspended && t->ops->alive(t) ?
		       DEVICE_SAVE_STATE :
		       DEVICE_DISCARD_STATE;
}

int
flash_detach(struct flash *flash)
{
	struct transport *t = flash->transport;
	struct error err;
	int ret = 0;

	/* A failed takeover changes nothing: the next worker may succeed. */
	if (flash->takes_over && !flash->started)
		return 0;
	tracer_end(flash, "the flash is detached");
	if (flash->device &&
	    device_close(flash->device, state_at_close(flash), &err) < 0)
		log_line(LOG_ERR, "the chip's state could not be saved: %s",
			 err.text);
	flash->device = NULL;
	if (flash->server)
		ioreq_server_close(flash->server);
	if (t)
		t->ops->close(t);
	close_limit(flash);
	if (flash->store)
		ret = store_close(flash->store);
	pins_free(flash->pins);
	flash->pins = NULL;
	return ret;
}
