/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <xen/sched.h>

#include "log.h"
#include "pflash/control.h"
#include "ready.h"
#include "supervisor/state.h"

double supervisor_stop_seconds = 10.;

/* A killed process that waits for its disk does not end at once. */
#define KILL_SECONDS 5.

/* A suspended domain is looked at so often: no event says that it goes on. */
#define SUSPENDED_SECONDS 0.05

/* VARS is there, and the guest has the flash. */
bool
supervisor_has_served(const struct supervisor *s)
{
	return s->broker.attached || s->broker.is_ready;
}

const char *
supervisor_state_name(enum state state)
{
	static const char *const names[] = { "starting", "running",  "waiting",
					     "failed",   "stopping", "gone" };

	return names[state];
}

void
supervisor_finish(struct supervisor *s, int code)
{
	s->state = GONE;
	s->code = code;
	ev_break(s->ev, EVBREAK_ALL);
}

void
supervisor_order(struct supervisor *s, enum channel_order what)
{
	if (s->worker.pid <= 0)
		return;
	process_order(&s->worker, what);
	if (s->worker.pending)
		ev_io_start(s->ev, &s->on_writable);
}

void
supervisor_set_deadline(struct supervisor *s, double seconds)
{
	ev_timer_stop(s->ev, &s->deadline);
	ev_timer_set(&s->deadline, seconds, 0.);
	ev_timer_start(s->ev, &s->deadline);
}

/* The control socket stays to the end, and says so, too. */
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
	if (s->state == STOPPING || s->state == GONE)
		return;
	announce_end(s);
	ev_timer_stop(s->ev, &s->pause);
	upgrade_cancel(&s->upgrade, s->ev);
	control_done(s->control, HELD_UPGRADE, "pflashd is stopping");
	if (s->worker.pid <= 0) {
		supervisor_finish(s, s->ended ? EXIT_OK : EXIT_RUNTIME);
		return;
	}
	s->state = STOPPING;
	s->upgrading = false;
	supervisor_order(s, CHANNEL_STOP);
	supervisor_set_deadline(s, supervisor_stop_seconds);
}

/* The worker had its time. */
static void
on_deadline(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct supervisor *s = watcher->data;

	(void)ev, (void)events;
	if (s->killed) {
		log_line(LOG_ERR,
			 "the worker (%d) cannot be killed, it may "
			 "wait for its disk; it is left alone",
			 s->worker.pid);
		supervisor_finish(s, EXIT_RUNTIME);
		return;
	}
	log_line(LOG_ERR,
		 "the worker did not end within %.0f s of its order and is "
		 "killed; the journal has all that was committed",
		 supervisor_stop_seconds);
	s->killed = true;
	process_kill(&s->worker);
	supervisor_set_deadline(s, KILL_SECONDS);
}

/* A domain that was shut down may be kept for long (on_crash = "preserve"). */
static void
look_at_domain(struct supervisor *s)
{
	struct transport *t = domain_transport(s->domain);
	int reason = t->ops->shutdown_reason(t);
	bool suspended = reason == SHUTDOWN_suspend;

	/* The hypervisor had no answer: it is asked again. */
	if (reason < 0 && reason != -EINPROGRESS && reason != -ESRCH) {
		ev_timer_again(s->ev, &s->look);
		return;
	}
	if (reason != -EINPROGRESS && !suspended) {
		if (!s->ended)
			log_line(LOG_INFO, "the guest is gone");
		s->ended = true;
		supervisor_stop(s);
		return;
	}
	if (suspended)
		ev_timer_again(s->ev, &s->look);
	else
		ev_timer_stop(s->ev, &s->look);
	if (suspended == s->suspended)
		return;
	s->suspended = suspended;
	if (s->state == WAITING && !suspended && !ev_is_active(&s->pause))
		life_start(s);
	if (s->state == RUNNING)
		supervisor_order(s,
				 suspended ? CHANNEL_SUSPEND : CHANNEL_RESUME);
}

static void
on_domain(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct supervisor *s = watcher->data;

	(void)ev, (void)events;
	if (domain_event(s->domain))
		domain_set_log(s->domain, s->options->vars);
	look_at_domain(s);
}

static void
on_look(struct ev_loop *ev, ev_timer *watcher, int events)
{
	(void)ev, (void)events;
	look_at_domain(watcher->data);
}

static int
tell_ready(struct supervisor *s, struct error *err)
{
	const struct options *options = s->options;
	int ret = domain_set_ready(s->domain, err);

	if (ret < 0 || s->told)
		return ret;
	s->told = true;
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

/* The worker is attached; its lines of before go to where those went. */
static int
on_ready(void *opaque)
{
	struct supervisor *s = opaque;
	struct error err;
	int ret;

	if (s->state != STARTING)
		return 0; /* it was ordered to end meanwhile */
	(void)relay_read(&s->relay, s->worker.log);
	commands_open(s);
	ret = tell_ready(s, &err);
	if (ret < 0) {
		log_line(LOG_ERR, "%s", err.text);
		s->code = EXIT_RUNTIME;
		supervisor_stop(s);
		return 0;
	}
	s->state = RUNNING;
	if (s->suspended)
		supervisor_order(s, CHANNEL_SUSPEND);
	return 0;
}

/* The write limit goes on where the last pflashd of this file has left it. */
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

/* EXIT_OK, or the exit code that fits, with its sentence. */
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
	s->broker.transport = domain_transport(s->domain);
	s->broker.rundir = &s->rundir;
	if (s->told)
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
		.told = start->lock >= 0,
		/* The guest has a flash, which this program has accepted. */
		.broker = { .attached = start->lock >= 0,
			    .ready = on_ready,
			    .mode_done = commands_mode_done,
			    .opaque = s },
		/* The default loop would reap the worker. */
		.ev = ev_loop_new(EVFLAG_AUTO),
	};
	s->report = mmap(NULL, sizeof(*s->report), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ev_timer_init(&s->deadline, on_deadline, 0., 0.);
	ev_timer_init(&s->look, on_look, 0., SUSPENDED_SECONDS);
	s->deadline.data = s->look.data = s;
	life_init(s);
}

/*
 * The record stays for another pflashd while the guest has this flash, be it
 * of a worker that was killed or of a pflashd that this one could not follow.
 */
static bool
record_is_void(const struct supervisor *s)
{
	return s->ended || s->detached ||
	       (!supervisor_has_served(s) && !s->rundir.existed);
}

static void
close_all(struct supervisor *s)
{
	supervisor_save_level(s);
	control_close(s->control);
	rundir_close(&s->rundir, record_is_void(s));
	if (s->broker.files)
		s->broker.files->ops->close(s->broker.files);
	(void)munmap(s->report, sizeof(*s->report));
	ev_loop_destroy(s->ev);
}

int
supervisor_run(const struct supervisor_start *start)
{
	struct supervisor s;
	struct error err;

	init(&s, start);
	if (!s.ev || s.report == MAP_FAILED) {
		log_line(LOG_ERR, "out of memory");
		return EXIT_RUNTIME;
	}
	if (s.domain)
		domain_set_log(s.domain, s.options->vars);
	commands_init(&s);
	load_level(&s);
	s.code = open_all(&s, &err);
	if (s.code != EXIT_OK)
		log_line(LOG_ERR, "%s", err.text);
	else
		life_start(&s);
	if (s.code == EXIT_OK && s.state != GONE)
		ev_run(s.ev, 0);
	close_all(&s);
	return s.code;
}
