/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop.h"

#include <inttypes.h>

#include <xen/sched.h>

#include "log.h"
#include "ready.h"

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
	loop->flash->suspended = false;
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

/* Once: what is kept must be from before the guest goes on, if it does. */
static void
on_suspend(struct flash *flash)
{
	struct error err;

	if (flash->suspended)
		return;
	flash->suspended = true;
	log_line(LOG_INFO, "the guest is suspended");
	if (device_save(flash->device, &err) < 0)
		log_line(LOG_ERR, "the flash's state is lost: %s", err.text);
}

/*
 * A domain that was shut down may be kept for long (on_crash = "preserve"),
 * while another one is started with its flash.  A suspended one may go on.
 */
static void
on_domains(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct loop *loop = watcher->data;
	struct flash *flash = loop->flash;
	struct transport *t = flash->transport;
	int reason;

	(void)events;
	domain_event(flash->domain);
	reason = t->ops->shutdown_reason(t);
	if (reason == SHUTDOWN_suspend)
		on_suspend(flash);
	if (t->ops->alive(t) && (reason < 0 || reason == SHUTDOWN_suspend))
		return;
	log_line(LOG_INFO, "the guest is gone");
	ev_break(ev, EVBREAK_ALL);
}

static void
on_signal(struct ev_loop *ev, ev_signal *watcher, int events)
{
	(void)events;
	log_line(LOG_INFO, "signal %d, detaching", watcher->signum);
	ev_break(ev, EVBREAK_ALL);
}

static void
on_upgrade(struct ev_loop *ev, ev_signal *watcher, int events)
{
	struct loop *loop = watcher->data;

	(void)events;
	if (!loop->flash || !loop->flash->live) {
		log_line(LOG_ERR, "cannot upgrade: nothing would be left of "
				  "the flash");
		return;
	}
	log_line(LOG_INFO, "upgrading");
	loop->end = LOOP_UPGRADE;
	ev_break(ev, EVBREAK_ALL);
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
loop_init(struct loop *loop)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

	*loop = (struct loop){ .ev = ev_default_loop(EVFLAG_AUTO) };
	for (unsigned int i = 0; i < 3; i++) {
		ev_signal_init(&loop->signals[i], on_signal, numbers[i]);
		ev_signal_start(loop->ev, &loop->signals[i]);
	}
	ev_signal_init(&loop->signals[3], on_upgrade, SIGUSR2);
	loop->signals[3].data = loop;
	ev_signal_start(loop->ev, &loop->signals[3]);
}

void
loop_start(struct loop *loop, struct flash *flash)
{
	struct transport *t = flash->transport;

	loop->flash = flash;
	ev_io_init(&loop->requests, on_requests, t->ops->event_fd(t), EV_READ);
	ev_io_init(&loop->domains, on_domains, domain_event_fd(flash->domain),
		   EV_READ);
	ev_timer_init(&loop->idle, on_idle, LOOP_IDLE_COMMIT, 0.);
	ev_init(&loop->hold, on_hold);
	loop->requests.data = loop->domains.data = loop->idle.data = loop;
	loop->hold.data = loop;
	loop->gate = (struct ioreq_gate){ may_go_on, loop };
	ioreq_server_set_gate(flash->server, &loop->gate);
	loop->control = control_open(loop->ev, flash);
	ev_io_start(loop->ev, &loop->requests);
	ev_io_start(loop->ev, &loop->domains);
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
	struct error err;

	/* Who finds that nobody answers any more may start another one. */
	if (ready_notify_socket("STOPPING=1", &err) < 0)
		log_line(LOG_WARNING, "%s", err.text);
	control_close(loop->control);
	ev_loop_destroy(loop->ev);
}
