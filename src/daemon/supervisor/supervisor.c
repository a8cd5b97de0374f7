/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xen/sched.h>

#include "log.h"
#include "pflash/control.h"
#include "pflash/known.h"
#include "ready.h"
#include "supervisor/state.h"
#include "supervisor/upgrade.h"

double supervisor_stop_seconds = 10.;

/* SIGKILL does not end a process at once that waits for its disk. */
#define KILL_SECONDS 5.

/* Xen sends no event when a suspended domain is resumed: poll. */
#define SUSPEND_POLL_SECONDS 0.05

bool
supervisor_has_served(const struct supervisor *s)
{
	return s->broker.was_ready || s->broker.is_ready;
}

const char *
supervisor_state_name(enum state state)
{
	static const char *const names[] = { "starting", "running",  "waiting",
					     "failed",   "stopping", "ended" };

	return names[state];
}

void
supervisor_finish(struct supervisor *s, int code)
{
	s->state = ENDED;
	s->exit_code = code;
	ev_break(s->ev, EVBREAK_ALL);
}

void
supervisor_order(struct supervisor *s, enum channel_order order)
{
	if (s->worker.pid <= 0)
		return;
	process_send_order(&s->worker, order);
	if (s->worker.pending_orders)
		ev_io_start(s->ev, &s->on_writable);
}

void
supervisor_set_exit_deadline(struct supervisor *s, double seconds)
{
	ev_timer_stop(s->ev, &s->exit_deadline);
	ev_timer_set(&s->exit_deadline, seconds, 0.);
	ev_timer_start(s->ev, &s->exit_deadline);
}

/*
 * Withdraws READY=1 from systemd and xenstore.  The control socket stays open
 * until the end and reports the state `stopping`.
 */
static void
announce_end(struct supervisor *s)
{
	struct error err;

	if (ready_notify_socket("STOPPING=1", &err) < 0)
		log_line(LOG_WARNING, "%s", err.text);
	if (s->domain)
		domain_clear_ready(s->domain);
}

void
supervisor_stop(struct supervisor *s)
{
	if (s->state == STOPPING || s->state == ENDED)
		return;
	announce_end(s);
	ev_timer_stop(s->ev, &s->restart_delay);
	upgrade_cancel(s->ev);
	control_done(s->control, DEFERRED_UPGRADE, "pflashd is stopping");
	if (s->worker.pid <= 0) {
		supervisor_finish(s, s->domain_ended ? EXIT_OK : EXIT_RUNTIME);
		return;
	}
	s->state = STOPPING;
	s->upgrade_ordered = false;
	supervisor_order(s, CHANNEL_STOP);
	supervisor_set_exit_deadline(s, supervisor_stop_seconds);
}

/* The worker has missed its exit deadline, before or after SIGKILL. */
static void
on_exit_deadline(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct supervisor *s = watcher->data;

	(void)ev, (void)events;
	/* It may still write, so the lease must not be free yet. */
	if (s->worker_killed && s->lease && lease_held(s->lease)) {
		log_line(LOG_ERR,
			 "the worker (pid %d) does not end after SIGKILL, it "
			 "may wait for its disk; pflashd waits for its end, "
			 "because it has the lease %s",
			 s->worker.pid, lease_name(s->lease));
		return;
	}
	if (s->worker_killed) {
		log_line(LOG_ERR,
			 "the worker (pid %d) does not end after SIGKILL, it "
			 "may wait for its disk; pflashd ends without it",
			 s->worker.pid);
		supervisor_finish(s, EXIT_RUNTIME);
		return;
	}
	log_line(LOG_ERR,
		 "the worker did not end within %.0f s and is killed; the "
		 "journal holds every committed write",
		 supervisor_stop_seconds);
	s->worker_killed = true;
	process_kill(&s->worker);
	supervisor_set_exit_deadline(s, KILL_SECONDS);
}

/*
 * Another host may write the flash of a suspended guest, as soon as no process
 * here has a file of it open.
 */
static void
release_lease(struct supervisor *s)
{
	struct error err;
	int ret;

	if (!s->lease || !lease_held(s->lease) ||
	    (s->worker.pid > 0 && !s->report->released))
		return;
	ret = lease_release(s->lease, &err);
	if (ret < 0)
		log_line(LOG_ERR, "%s", err.text);
	else
		log_line(LOG_INFO, "the lease %s is released",
			 lease_name(s->lease));
}

/*
 * Implements broker.lease; a failure is logged once for each resume.  Always
 * -EBUSY: the worker asks again, as for a lock.
 */
static int
on_lease(void *opaque)
{
	struct supervisor *s = opaque;
	struct error err;
	int ret;

	if (lease_held(s->lease))
		return 0;
	ret = lease_take(s->lease, &err);
	if (ret == 0)
		log_line(LOG_INFO, "the lease %s is taken",
			 lease_name(s->lease));
	else if (!s->lease_failed)
		log_line(LOG_ERR, "%s", err.text);
	s->lease_failed = ret < 0;
	return ret < 0 ? -EBUSY : 0;
}

/*
 * A domain that was shut down ends the flash although the domain may still
 * exist, with on_crash = "preserve" for long: the next domain needs the VARS
 * file.
 */
void
supervisor_check_domain(struct supervisor *s)
{
	struct transport *t = domain_transport(s->domain);
	int reason = t->ops->shutdown_reason(t);
	/* A dying domain may be paused, too. */
	int paused = s->flash_waits && reason == -EINPROGRESS ?
			     t->ops->is_paused(t) :
			     0;
	bool suspended = reason == SHUTDOWN_suspend || paused > 0;

	/* The hypervisor did not answer: ask again. */
	if ((reason < 0 && reason != -EINPROGRESS && reason != -ESRCH) ||
	    paused < 0) {
		ev_timer_again(s->ev, &s->suspend_poll);
		return;
	}
	if (s->flash_waits && reason >= 0) { /* it has run and ended */
		s->flash_waits = s->domain_suspended = false;
		supervisor_order(s, CHANNEL_RESUME);
	}
	if (reason != -EINPROGRESS && !suspended) {
		if (!s->domain_ended)
			log_line(LOG_INFO, "the guest is gone");
		s->domain_ended = true;
		supervisor_stop(s);
		return;
	}
	if (suspended)
		ev_timer_again(s->ev, &s->suspend_poll);
	else
		ev_timer_stop(s->ev, &s->suspend_poll);
	if (suspended == s->domain_suspended) {
		if (suspended)
			release_lease(s);
		return;
	}
	s->domain_suspended = suspended;
	s->flash_waits = false;
	s->lease_failed = false;
	if (s->state == WAITING && !suspended &&
	    !ev_is_active(&s->restart_delay))
		restart_worker(s);
	if (s->state == RUNNING)
		supervisor_order(s,
				 suspended ? CHANNEL_SUSPEND : CHANNEL_RESUME);
}

static void
on_domain(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct supervisor *s = watcher->data;

	(void)ev, (void)events;
	if (domain_read_events(s->domain))
		domain_set_log_prefix(s->domain, s->options->vars);
	supervisor_check_domain(s);
}

static void
on_suspend_poll(struct ev_loop *ev, ev_timer *watcher, int events)
{
	(void)ev, (void)events;
	supervisor_check_domain(watcher->data);
}

/*
 * Reports that the flash is attached: to xenstore after each worker's start, to
 * the process that started pflashd once.
 */
static int
report_ready(struct supervisor *s, struct error *err)
{
	const struct options *options = s->options;
	int ret = domain_set_ready(s->domain, err);

	if (ret < 0 || s->ready_reported)
		return ret;
	s->ready_reported = true;
	ret = ready_notify_socket("READY=1", err);
	if (ret == 0 && options->ready_fd >= 0)
		ret = ready_write_fd(options->ready_fd, err);
	if (ret < 0)
		return ret;
	if (options_want_syslog(options))
		log_to_syslog();
	return s->start->parent < 0 ?
		       0 :
		       ready_leave_parent(s->start->parent, options, err);
}

/*
 * The VARS file exists now, and the guest has not run yet.  Without the record
 * the guest still gets its flash: a host whose /var is read-only must be able
 * to start guests.
 */
static void
record_vars(const struct supervisor *s)
{
	struct error err;

	if (s->ready_reported || s->options->read_only)
		return;
	if (known_add(NULL, s->broker.files, &err) < 0)
		log_line(
			LOG_WARNING,
			"the VARS file is not recorded as used, so pflashd may "
			"create a new one if it is missing: %s",
			err.text);
}

/*
 * The flash has come with its guest, and stays with the other host until the
 * guest runs: xl unpauses it after the other host has given it up.
 */
static void
wait_for_guest(struct supervisor *s)
{
	s->flash_waits = true;
	s->domain_suspended = true;
	supervisor_check_domain(s);
}

/*
 * Implements broker.ready.  The lines that the worker has logged until now are
 * relayed first: report_ready() may redirect the log to syslog.
 */
static int
on_ready(void *opaque)
{
	struct supervisor *s = opaque;
	struct error err;
	int ret;

	if (s->state != STARTING)
		return 0; /* the worker was ordered to exit meanwhile */
	(void)relay_read(s->relay, s->worker.log);
	commands_open(s);
	record_vars(s);
	ret = report_ready(s, &err);
	if (ret < 0) {
		log_line(LOG_ERR, "%s", err.text);
		s->exit_code = EXIT_RUNTIME;
		supervisor_stop(s);
		return 0;
	}
	s->state = RUNNING;
	if (s->domain_suspended)
		supervisor_order(s, CHANNEL_SUSPEND);
	else if (s->report->released)
		wait_for_guest(s);
	return 0;
}

/*
 * Continues the write limit at the level that the last pflashd of this VARS
 * file has saved.  Without a saved level the bucket is full: when = -1.
 */
static void
load_level(struct supervisor *s)
{
	struct limit_level level = { 0, -1 };

	(void)rundir_load_level(s->options->vars, &level);
	s->report->level = level.units;
	s->report->level_when = level.when;
}

void
supervisor_save_level(struct supervisor *s)
{
	const struct limit_level claimed = { s->report->level,
					     s->report->level_when };
	struct limit limit;

	if (!supervisor_has_served(s))
		return;
	limit_init(&limit, &s->options->write_limit, 0, limit_clock());
	limit_resume(&limit, &claimed, limit_clock());
	rundir_save_level(s->options->vars, &limit.level,
			  limit_is_full(&limit, limit_clock()));
}

void
supervisor_watch(struct supervisor *s, ev_io *watcher,
		 void (*function)(struct ev_loop *, ev_io *, int), int fd,
		 int events)
{
	ev_io_init(watcher, function, fd, events);
	watcher->data = s;
	if (events == EV_READ)
		ev_io_start(s->ev, watcher);
}

/* Takes the lease before anything opens a file for writing. */
static int
open_lease(struct supervisor *s, struct error *err)
{
	const struct lease_config config = {
		.text = s->options->lease,
		.domain = domain_guest(s->domain)->id,
		.program = upgrade_program(),
		.inherited = s->start->lease,
	};
	int ret;

	if (!s->options->lease || s->options->read_only) {
		if (config.inherited > STDERR_FILENO)
			close(config.inherited); /* releases it */
		return 0;
	}
	ret = lease_open(&s->lease, &config, err);
	if (ret == 0)
		ret = lease_wait(s->lease, s->options->wait, err);
	if (ret < 0)
		return ret;
	s->broker.lease = on_lease;
	log_line(LOG_INFO, "the lease %s is taken", lease_name(s->lease));
	return 0;
}

/*
 * Opens the files, the lock and the domain.  Returns EXIT_OK, or another exit
 * code of options.h and sets *err.
 */
static int
open_all(struct supervisor *s, struct error *err)
{
	const struct options *options = s->options;
	const struct supervisor_start *start = s->start;
	int ret;

	if (mkdir(PFLASH_RUN_DIR, S_IRWXU) < 0 && errno != EEXIST && s->domain)
		log_line(LOG_WARNING, PFLASH_RUN_DIR ": %s", strerror(errno));
	ret = files_local(&s->broker.files, options->vars, options->journal,
			  NULL, err);
	if (ret < 0)
		return EXIT_FILE;
	if (!s->domain)
		return EXIT_OK;
	ret = rundir_open(&s->rundir, domain_guest(s->domain)->id, start->lock,
			  options->wait, err);
	if (ret < 0)
		return ret == -EBUSY ? EXIT_BUSY : EXIT_RUNTIME;
	if (domain_watch(s->domain, err) < 0)
		return EXIT_DOMAIN;
	ret = open_lease(s, err);
	if (ret < 0)
		return ret == -EBUSY ? EXIT_BUSY : EXIT_RUNTIME;
	s->broker.transport = domain_transport(s->domain);
	s->broker.rundir = &s->rundir;
	if (s->ready_reported)
		commands_open(s);
	supervisor_watch(s, &s->on_domain, on_domain,
			 domain_event_fd(s->domain), EV_READ);
	return EXIT_OK;
}

static void
init(struct supervisor *s, const struct supervisor_start *start)
{
	*s = (struct supervisor){
		.start = start,
		.options = start->options,
		.domain = start->domain,
		.worker = { .pid = 0, .pidfd = -1 },
		.rundir = { .lock = -1 },
		.ready_reported = start->lock >= 0,
		/* After an upgrade the guest already has the flash. */
		.broker = { .was_ready = start->lock >= 0,
			    .ready = on_ready,
			    .mode_done = commands_mode_done,
			    .trace = tracing_descriptor,
			    .opaque = s },
		/* libev's default loop would reap the worker. */
		.ev = ev_loop_new(EVFLAG_AUTO),
		.relay = relay_open(),
	};
	s->report = mmap(NULL, sizeof(*s->report), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ev_timer_init(&s->exit_deadline, on_exit_deadline, 0., 0.);
	ev_timer_init(&s->suspend_poll, on_suspend_poll, 0.,
		      SUSPEND_POLL_SECONDS);
	s->exit_deadline.data = s->suspend_poll.data = s;
	restart_init(s);
	tracing_init(s);
}

/*
 * Does the guest have no flash any more?  Otherwise the handover record stays
 * for the next pflashd: a worker was killed, or this pflashd found a record and
 * could not take over.
 */
static bool
flash_is_gone(const struct supervisor *s)
{
	return s->domain_ended || s->flash_detached ||
	       (!supervisor_has_served(s) && !s->rundir.had_record);
}

static void
close_all(struct supervisor *s)
{
	supervisor_save_level(s);
	control_close(s->control);
	tracing_close(s);
	lease_close(s->lease);
	rundir_close(&s->rundir, flash_is_gone(s));
	if (s->broker.files)
		s->broker.files->ops->close(s->broker.files);
	relay_close(s->relay);
	(void)munmap(s->report, sizeof(*s->report));
	ev_loop_destroy(s->ev);
}

int
supervisor_run(const struct supervisor_start *start)
{
	struct supervisor s;
	struct error err;

	init(&s, start);
	if (!s.ev || !s.relay || s.report == MAP_FAILED) {
		log_line(LOG_ERR, "out of memory");
		return EXIT_RUNTIME;
	}
	if (s.domain)
		domain_set_log_prefix(s.domain, s.options->vars);
	commands_init(&s);
	load_level(&s);
	s.exit_code = open_all(&s, &err);
	if (s.exit_code != EXIT_OK)
		log_line(LOG_ERR, "%s", err.text);
	else
		restart_worker(&s);
	if (s.exit_code == EXIT_OK && s.state != ENDED)
		ev_run(s.ev, 0);
	close_all(&s);
	return s.exit_code;
}
