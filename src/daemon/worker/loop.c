/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "worker/client.h"
#include "worker/tracer.h"

static uint64_t
writes(const struct loop *loop)
{
	return ioreq_server_stats(loop->flash->server)->writes;
}

/* True: the timer must be started anew. */
static bool
note_work(struct loop *loop, double now)
{
	const struct device *device = loop->flash->device;
	const struct quiet_work work = { device_pending(device),
					 device_unsynced(device),
					 device_behind(device) };

	return quiet_note(&loop->quiet, work, writes(loop), now);
}

static void
start_quiet_timer(struct ev_loop *ev, struct loop *loop, double now)
{
	double wait = quiet_wait(&loop->quiet, now);

	ev_timer_stop(ev, &loop->quiet_timer);
	if (wait < 0)
		return;
	ev_timer_set(&loop->quiet_timer, wait, 0.);
	ev_timer_start(ev, &loop->quiet_timer);
}

/*
 * False: the poll has taken LOOP_SLICE.  The server calls this before each
 * access, so it reads the clock only at each 16th.
 */
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
 * The throttle is closed, by the write limit or by has_time().  Stops listening
 * to the guest's events.  Continues when the limit allows a write, or after
 * has_time() in the next iteration of the loop.
 */
static void
wait_for_throttle(struct ev_loop *ev, struct loop *loop)
{
	double wait = 0;

	if (!loop->late)
		wait = limit_wait(&loop->flash->limit, limit_clock());
	ev_io_stop(ev, &loop->requests);
	ev_timer_set(&loop->throttle_timer, wait, 0.);
	ev_timer_start(ev, &loop->throttle_timer);
}

/*
 * Writes what the trace has buffered.  While its reader is slow, a timer tries
 * it again.  The descriptor is not watched: the supervisor has a copy of it, so
 * epoll(7) would report it after the worker has closed it, and libev would then
 * make a system call that the sandbox does not allow.
 */
static void
flush_trace(struct ev_loop *ev, struct loop *loop)
{
	if (tracer_flush(loop->flash))
		ev_timer_stop(ev, &loop->trace);
	else if (!ev_is_active(&loop->trace))
		ev_timer_again(ev, &loop->trace);
}

static void
on_trace_timer(struct ev_loop *ev, ev_timer *watcher, int events)
{
	(void)events;
	flush_trace(ev, watcher->data);
}

static void
change_trace(struct loop *loop)
{
	tracer_change(loop->flash);
	flush_trace(loop->ev, loop);
	flash_report(loop->flash);
}

static void
serve(struct ev_loop *ev, struct loop *loop)
{
	loop->began = limit_clock();
	loop->accesses = 0;
	loop->late = false;
	ioreq_server_poll(loop->flash->server);
	flash_report(loop->flash);
	if (loop->flash->trace)
		flush_trace(ev, loop);
	if (ioreq_server_throttled(loop->flash->server))
		wait_for_throttle(ev, loop);
	if (note_work(loop, loop->began))
		start_quiet_timer(ev, loop, loop->began);
}

static void
on_requests(struct ev_loop *ev, ev_io *watcher, int events)
{
	(void)events;
	serve(ev, watcher->data);
}

static void
on_throttle_timer(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct loop *loop = watcher->data;

	(void)events;
	ev_io_start(ev, &loop->requests);
	serve(ev, loop);
}

static void
on_quiet_timer(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct loop *loop = watcher->data;
	struct device *device = loop->flash->device;
	double now = limit_clock();
	/* A guest that waits for the throttle is not quiet. */
	struct quiet_due due =
		quiet_expired(&loop->quiet, writes(loop),
			      ev_is_active(&loop->throttle_timer), now);

	(void)events;
	if (due.commit && device_pending(device))
		device_flush(device);
	if (due.checkpoint && device_behind(device))
		device_settle(device);
	else if (due.sync && device_unsynced(device))
		device_sync(device);
	(void)note_work(loop, now);
	flash_report(loop->flash);
	start_quiet_timer(ev, loop, now);
}

/*
 * Closes and unlocks the files: if the guest is restored or migrated, another
 * process needs them.  No request is answered until try_resume() has locked
 * them again.
 */
static void
suspend(struct loop *loop)
{
	struct flash *flash = loop->flash;
	struct error err;

	if (flash->suspended)
		return;
	flash->suspended = true;
	ev_io_stop(loop->ev, &loop->requests);
	ev_timer_stop(loop->ev, &loop->throttle_timer);
	if (device_save(flash->device, &err) < 0)
		log_line(LOG_ERR, "the chip's state could not be saved: %s",
			 err.text);
	flash_report(flash);
	log_line(LOG_INFO, "the guest is suspended; the file is unlocked");
}

/*
 * The guest was resumed: opens and locks the files again.  If a file has
 * changed, or another process has it locked at the deadline, the flash becomes
 * read-only.
 */
static void
try_resume(struct loop *loop, bool first)
{
	struct flash *flash = loop->flash;
	bool last = ev_now(loop->ev) >= loop->deadline;
	struct error err;
	int ret = device_resume(flash->device, last, &err);

	if (first && device_saved(flash->device))
		log_line(LOG_WARNING, "the guest was resumed and waits: %s",
			 err.text);
	if (device_saved(flash->device))
		return;
	if (ret == 0)
		log_line(LOG_INFO, "the guest was resumed; the file is locked");
	flash->suspended = false;
	flash_report(flash);
	ev_timer_stop(loop->ev, &loop->resume);
	ev_io_start(loop->ev, &loop->requests);
}

static void
on_resume(struct ev_loop *ev, ev_timer *watcher, int events)
{
	(void)ev, (void)events;
	try_resume(watcher->data, false);
}

static void
resume(struct loop *loop)
{
	if (!loop->flash->suspended)
		return;
	loop->deadline = ev_now(loop->ev) + LOOP_RESUME_WAIT;
	ev_timer_again(loop->ev, &loop->resume);
	try_resume(loop, true);
}

static void
set_mode(struct loop *loop, enum window_mode mode, const char *name)
{
	struct flash *flash = loop->flash;
	struct report *report = flash->start->report;
	struct error err = { .text = "" };
	int ret = device_set_mode(flash->device, mode, &err);

	if (ret == 0 && flash->trace)
		trace_note(flash->trace, mode == WINDOW_TRAP ?
						 "mode: trap" :
						 "mode: direct, so reads are "
						 "missing");
	if (ret == 0)
		log_line(LOG_INFO, "changed to %s mode", name);
	else
		log_line(ret == -ENOTRECOVERABLE ? LOG_ERR : LOG_WARNING,
			 "cannot change to %s mode: %s%s", name, err.text,
			 ret == -ENOTRECOVERABLE ?
				 "; the guest stays paused until another "
				 "pflashd takes over from this one" :
				 "");
	(void)snprintf(report->mode, sizeof(report->mode), "%.255s", err.text);
	flash_report(flash);
	client_mode_done(-ret);
}

/* Without a record, or suspended, no other program could take over: ignore. */
static void
upgrade(struct loop *loop)
{
	if (!loop->flash->start->record || loop->flash->suspended)
		return;
	loop->end = LOOP_UPGRADE;
	ev_break(loop->ev, EVBREAK_ALL);
}

static void
on_order(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct loop *loop = watcher->data;
	uint8_t order;
	ssize_t n = read(watcher->fd, &order, 1);

	(void)events;
	if (n < 0)
		return;
	if (n == 0)
		_exit(EXIT_RUNTIME); /* the supervisor has died */
	switch (order) {
	case CHANNEL_SUSPEND: suspend(loop); return;
	case CHANNEL_RESUME: resume(loop); return;
	case CHANNEL_TO_DIRECT: set_mode(loop, WINDOW_DIRECT, "direct"); return;
	case CHANNEL_TO_TRAP: set_mode(loop, WINDOW_TRAP, "trap"); return;
	case CHANNEL_NEW_TRACE: change_trace(loop); return;
	case CHANNEL_UPGRADE: upgrade(loop); return;
	default: ev_break(ev, EVBREAK_ALL); return;
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
loop_init(struct loop *loop)
{
	*loop = (struct loop){ .ev = ev_loop_new(EVFLAG_AUTO) };
}

void
loop_start(struct loop *loop, struct flash *flash, int orders)
{
	struct transport *t = flash->transport;

	loop->flash = flash;
	ev_io_init(&loop->requests, on_requests, t->ops->event_fd(t), EV_READ);
	ev_io_init(&loop->orders, on_order, orders, EV_READ);
	quiet_init(&loop->quiet, (double)flash->options->settle);
	ev_timer_init(&loop->trace, on_trace_timer, 0., LOOP_TRACE);
	ev_init(&loop->quiet_timer, on_quiet_timer);
	ev_timer_init(&loop->resume, on_resume, 0., LOOP_RESUME);
	ev_init(&loop->throttle_timer, on_throttle_timer);
	loop->requests.data = loop->orders.data = loop->resume.data = loop;
	loop->trace.data = loop;
	loop->quiet_timer.data = loop->throttle_timer.data = loop;
	loop->throttle = (struct ioreq_throttle){ may_go_on, loop };
	ioreq_server_set_throttle(flash->server, &loop->throttle);
	if (!flash->suspended)
		ev_io_start(loop->ev, &loop->requests);
	ev_io_start(loop->ev, &loop->orders);
	/* A burst that an earlier worker has left open waits already. */
	ev_now_update(loop->ev);
	if (note_work(loop, limit_clock()))
		start_quiet_timer(loop->ev, loop, limit_clock());
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
	ev_loop_destroy(loop->ev);
}
