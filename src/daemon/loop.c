/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include <xen/sched.h>

#include "ask.h"
#include "log.h"

static uint64_t
writes(const struct loop *loop)
{
	return ioreq_server_stats(loop->flash->server)->writes;
}

static void
idle_start(struct ev_loop *ev, struct loop *loop)
{
	loop->writes_seen = writes(loop);
	ev_timer_set(&loop->idle, LOOP_IDLE_COMMIT, 0.);
	ev_timer_start(ev, &loop->idle);
}

/* The clock is looked at now and then: this is asked for each access. */
static bool
has_time(struct loop *loop)
{
	if (++loop->accesses % 16 == 0 && !loop->late)
		loop->late = limit_clock() - loop->began > LOOP_SLICE;
	return !loop->late;
}

static bool
may_go_on(void *opaque)
{
	struct loop *loop = opaque;
	struct limit *limit = &loop->flash->limit;
	uint64_t written = store_stats(loop->flash->store)->written;

	return has_time(loop) && (limit_is_quiet(limit, written) ||
				  limit_allows(limit, written, limit_clock()));
}

/*
 * The guest waits for its disk, or others have waited for the guest.  Nobody
 * listens to its events until the time has come.
 */
static void
hold(struct ev_loop *ev, struct loop *loop)
{
	double wait = 0;

	if (!loop->late)
		wait = limit_wait(&loop->flash->limit, limit_clock());
	ev_io_stop(ev, &loop->requests);
	ev_timer_set(&loop->hold, wait, 0.);
	ev_timer_start(ev, &loop->hold);
}

static void
serve(struct ev_loop *ev, struct loop *loop)
{
	loop->began = limit_clock();
	loop->accesses = 0;
	loop->late = false;
	ioreq_server_poll(loop->flash->server);
	if (ioreq_server_waits(loop->flash->server))
		hold(ev, loop);
	if (!ev_is_active(&loop->idle) && device_pending(loop->flash->device))
		idle_start(ev, loop);
}

static void
on_requests(struct ev_loop *ev, ev_io *watcher, int events)
{
	(void)events;
	serve(ev, watcher->data);
}

static void
on_hold(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct loop *loop = watcher->data;

	(void)events;
	ev_io_start(ev, &loop->requests);
	serve(ev, loop);
}

static void
on_idle(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct loop *loop = watcher->data;

	(void)events;
	if (!device_pending(loop->flash->device))
		return;
	/* One that waits is not idle. */
	if (writes(loop) != loop->writes_seen || ev_is_active(&loop->hold)) {
		idle_start(ev, loop);
		return;
	}
	device_flush(loop->flash->device);
}

/*
 * Once.  From now on another process may have the file: that of the same guest,
 * where it was restored or has migrated to.  Nothing is answered until this
 * one has it again.
 */
static void
on_suspend(struct loop *loop)
{
	struct flash *flash = loop->flash;
	struct error err;

	if (flash->suspended)
		return;
	flash->suspended = true;
	ev_io_stop(loop->ev, &loop->requests);
	ev_timer_stop(loop->ev, &loop->hold);
	if (device_save(flash->device, &err) < 0)
		log_line(LOG_ERR, "the flash's state is lost: %s", err.text);
	log_line(LOG_INFO, "the guest is suspended; the file is free");
	loop->deadline = 0.;
	ev_timer_again(loop->ev, &loop->resume);
}

/* It goes on: with the file that it knows, or with none. */
static void
on_resume(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct loop *loop = watcher->data;
	struct flash *flash = loop->flash;
	struct transport *t = flash->transport;
	bool first = loop->deadline == 0.;
	struct error err;
	int ret;

	(void)events;
	if (t->ops->shutdown_reason(t) != -EINPROGRESS)
		return;
	if (first)
		loop->deadline = ev_now(ev) + LOOP_RESUME_WAIT;
	ret = device_resume(flash->device, ev_now(ev) >= loop->deadline, &err);
	if (first && device_saved(flash->device))
		log_line(LOG_WARNING, "the guest goes on and waits: %s",
			 err.text);
	if (device_saved(flash->device))
		return;
	if (ret == 0)
		log_line(LOG_INFO, "the guest goes on; the file is taken");
	flash->suspended = false;
	ev_timer_stop(ev, watcher);
	ev_io_start(ev, &loop->requests);
}

/*
 * A domain that was shut down may be kept for long (on_crash = "preserve"),
 * while another one is started with its flash.  A suspended one may go on.
 */
static void
on_domains(struct loop *loop)
{
	struct flash *flash = loop->flash;
	struct transport *t = flash->transport;
	int reason;

	reason = t->ops->shutdown_reason(t);
	if (reason == SHUTDOWN_suspend)
		on_suspend(loop);
	if (t->ops->alive(t) && (reason < 0 || reason == SHUTDOWN_suspend))
		return;
	log_line(LOG_INFO, "the guest is gone");
	ev_break(loop->ev, EVBREAK_ALL);
}

/* A guest that has migrated has its own name again. */
static void
on_named(const struct loop *loop)
{
	const struct flash *flash = loop->flash;
	char name[PATH_MAX];

	if (ask_name(name) < 0)
		return;
	domain_set_name(flash->domain, name);
	domain_set_log(flash->domain, flash->options->vars);
}

static void
on_upgrade(struct loop *loop)
{
	if (!loop->flash->live || loop->flash->suspended) {
		log_line(LOG_ERR, "cannot upgrade: %s",
			 loop->flash->suspended ?
				 "the guest is suspended" :
				 "nothing would be left of the flash");
		return;
	}
	log_line(LOG_INFO, "upgrading");
	loop->end = LOOP_UPGRADE;
	ev_break(loop->ev, EVBREAK_ALL);
}

static void
on_order(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct loop *loop = watcher->data;
	char order;
	ssize_t n = read(watcher->fd, &order, 1);

	(void)events;
	if (n < 0)
		return;
	if (n == 0)
		_exit(EXIT_RUNTIME); /* there is no keeper any more */
	switch (order) {
	case CHANNEL_NAMED: on_named(loop); return;
	case CHANNEL_DOMAINS: on_domains(loop); return;
	case CHANNEL_UPGRADE: on_upgrade(loop); return;
	default: ev_break(ev, EVBREAK_ALL); return;
	}
}

/* Who looks for the process that has the file finds this one. */
static void
on_signal(struct ev_loop *ev, ev_signal *watcher, int events)
{
	struct loop *loop = watcher->data;

	(void)events;
	if (watcher->signum == SIGUSR2) {
		on_upgrade(loop);
		return;
	}
	log_line(LOG_INFO, "signal %d, detaching", watcher->signum);
	ev_break(ev, EVBREAK_ALL);
}

void
loop_init(struct loop *loop)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2 };

	*loop = (struct loop){ .ev = ev_loop_new(EVFLAG_AUTO) };
	for (unsigned int i = 0; i < 4; i++) {
		ev_signal_init(&loop->signals[i], on_signal, numbers[i]);
		loop->signals[i].data = loop;
		ev_signal_start(loop->ev, &loop->signals[i]);
	}
}

static void
log_stats(const struct ioreq_stats *stats)
{
	log_line(LOG_INFO,
		 "answered %" PRIu64 " requests: %" PRIu64 " reads, %" PRIu64
		 " writes",
		 stats->requests, stats->reads, stats->writes);
}

void
loop_start(struct loop *loop, struct flash *flash, int orders)
{
	struct transport *t = flash->transport;

	loop->flash = flash;
	ev_io_init(&loop->requests, on_requests, t->ops->event_fd(t), EV_READ);
	ev_io_init(&loop->orders, on_order, orders, EV_READ);
	ev_timer_init(&loop->idle, on_idle, LOOP_IDLE_COMMIT, 0.);
	ev_timer_init(&loop->resume, on_resume, 0., LOOP_RESUME);
	ev_init(&loop->hold, on_hold);
	loop->requests.data = loop->orders.data = loop->idle.data = loop;
	loop->resume.data = loop->hold.data = loop;
	loop->gate = (struct ioreq_gate){ may_go_on, loop };
	ioreq_server_set_gate(flash->server, &loop->gate);
	loop->control = control_open(loop->ev, flash);
	ev_io_start(loop->ev, &loop->requests);
	ev_io_start(loop->ev, &loop->orders);
}

enum loop_end
loop_run(struct loop *loop)
{
	loop->end = LOOP_ENDS;
	ev_run(loop->ev, 0);
	log_stats(ioreq_server_stats(loop->flash->server));
	return loop->end;
}

void
loop_stop(struct loop *loop)
{
	control_close(loop->control);
	ev_loop_destroy(loop->ev);
}
