/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop.h"

#include <inttypes.h>

#include <xen/sched.h>

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

static void
on_requests(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct loop *loop = watcher->data;

	(void)events;
	ioreq_server_poll(loop->flash->server);
	loop->flash->suspended = false;
	if (!ev_is_active(&loop->idle) && device_pending(loop->flash->device))
		idle_start(ev, loop);
}

static void
on_idle(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct loop *loop = watcher->data;

	(void)events;
	if (!device_pending(loop->flash->device))
		return;
	if (writes(loop) != loop->writes_seen) {
		idle_start(ev, loop);
		return;
	}
	device_flush(loop->flash->device);
}

static void
on_suspend(struct flash *flash)
{
	if (!flash->suspended)
		log_line(LOG_INFO, "the guest is suspended");
	flash->suspended = true;
	device_flush(flash->device);
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
	loop->requests.data = loop->domains.data = loop->idle.data = loop;
	loop->control = control_open(loop->ev, flash);
	ev_io_start(loop->ev, &loop->requests);
	ev_io_start(loop->ev, &loop->domains);
}

void
loop_run(struct loop *loop)
{
	ev_run(loop->ev, 0);
	log_stats(ioreq_server_stats(loop->flash->server));
}

void
loop_stop(struct loop *loop)
{
	control_close(loop->control);
	ev_loop_destroy(loop->ev);
}
