/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop.h"

#include <errno.h>
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

static void
on_requests(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct loop *loop = watcher->data;

	(void)events;
	ioreq_server_poll(loop->flash->server);
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
on_domains(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct loop *loop = watcher->data;
	struct flash *flash = loop->flash;
	struct transport *t = flash->transport;
	int reason;

	(void)events;
	if (domain_event(flash->domain))
		flash_set_context(flash, flash->options);
	reason = t->ops->shutdown_reason(t);
	if (reason == SHUTDOWN_suspend)
		on_suspend(loop);
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
	if (!loop->flash || !loop->flash->live || loop->flash->suspended) {
		log_line(LOG_ERR, "cannot upgrade: %s",
			 loop->flash && loop->flash->suspended ?
				 "the guest is suspended" :
				 "nothing would be left of the flash");
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
	ev_timer_init(&loop->resume, on_resume, 0., LOOP_RESUME);
	loop->requests.data = loop->domains.data = loop->idle.data = loop;
	loop->resume.data = loop;
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
