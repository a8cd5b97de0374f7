/* SPDX-License-Identifier: BSD-2-Clause */
/* One worker after another: its start, requests and death, and the next one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "supervisor/state.h"
#include "worker/worker.h"

/* Pauses before the next worker, once half of the budget is spent: doubling. */
#define PAUSE_LEAST 0.25
#define PAUSE_MOST 2.

/* Of a role's file; false: nobody has it, or it cannot be told. */
static bool
log_holder_of(struct files *files, enum files_role role)
{
	int fd = files->ops->open(files, role, false), pid;
	char command[96];

	if (fd < 0)
		return false;
	pid = files->ops->holder(fd, command, sizeof(command));
	close(fd);
	if (pid > 0)
		log_line(LOG_ERR, "%s: in use by pid %d (%s)",
			 files->name[role], pid, command);
	return pid > 0;
}

/*
 * Says who has the file, which the worker may not look for.  The line is for
 * the administrator, and the worker has left it to the supervisor.
 */
static void
log_holder(struct supervisor *s)
{
	struct files *files = s->broker.files;

	if (!log_holder_of(files, FILES_VARS) &&
	    !log_holder_of(files, FILES_JOURNAL))
		log_line(LOG_ERR, "%s: in use by another process",
			 files->name[FILES_VARS]);
}

/* A worker that never served is not replaced: its reason is pflashd's. */
static void
give_up_start(struct supervisor *s, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_OK;

	if (WIFSIGNALED(status))
		log_line(LOG_ERR, "the worker died of signal %d",
			 WTERMSIG(status));
	supervisor_finish(s, code > EXIT_OK && code <= EXIT_DOMAIN ?
				     code :
				     EXIT_RUNTIME);
}

static bool
may_restart(struct supervisor *s)
{
	if (s->options->restarts == 0)
		return false;
	s->spent += BUDGET_SECONDS;
	return limit_allows(&s->budget, s->spent, limit_clock());
}

static void
format_death(int status, char *text, size_t room)
{
	if (WIFSIGNALED(status))
		(void)snprintf(text, room, "the worker died of signal %d",
			       WTERMSIG(status));
	else
		(void)snprintf(text, room, "the worker ended with code %d",
			       WEXITSTATUS(status));
}

static double
pause_seconds(const struct supervisor *s)
{
	double spent = (double)s->budget.config.burst - s->budget.level.units;
	unsigned int count = (unsigned int)(spent / BUDGET_SECONDS + 0.999);
	unsigned int free = (s->options->restarts + 1) / 2;
	double pause = PAUSE_LEAST;

	if (count <= free)
		return 0;
	while (--count > free && pause < PAUSE_MOST)
		pause *= 2;
	return pause;
}

/* Every kind of death counts, also by a signal from outside. */
static void
replace_worker(struct supervisor *s, int status)
{
	char death[64];

	format_death(status, death, sizeof(death));
	if (!may_restart(s)) {
		s->state = FAILED;
		log_line(LOG_ERR,
			 "%s, after %u restarts; the guest waits for its "
			 "flash: `pflashctl upgrade %" PRIu32 "` starts "
			 "pflashd anew, once the cause is mended",
			 death, s->restarts, domain_guest(s->domain)->id);
		return;
	}
	log_line(LOG_ERR, "%s; another one takes over", death);
	s->restarts++;
	s->state = WAITING;
	if (s->suspended)
		return; /* until the guest goes on: the file is free */
	ev_timer_set(&s->pause, pause_seconds(s), 0.);
	ev_timer_start(s->ev, &s->pause);
}

static void
on_pause(struct ev_loop *ev, ev_timer *watcher, int events)
{
	(void)ev, (void)events;
	life_start(watcher->data);
}

/*
 * It has detached if it served, and had the time to end by itself, but for an
 * upgrade (WORKER_UPGRADE) that was ordered before.
 */
static void
end_stopped(struct supervisor *s, int status)
{
	bool exited = WIFEXITED(status) && WEXITSTATUS(status) <= EXIT_DOMAIN;
	char death[64];

	s->detached = exited && s->broker.is_ready;
	if (exited) {
		supervisor_finish(s, s->code ? s->code : WEXITSTATUS(status));
		return;
	}
	format_death(status, death, sizeof(death));
	if (!s->killed)
		log_line(LOG_ERR, "%s while it detached", death);
	supervisor_finish(s, EXIT_RUNTIME);
}

/* For pflashctl the end of its connection, which execve(2) closes, is yes. */
void
life_upgrade(struct supervisor *s)
{
	struct error err;

	supervisor_save_level(s);
	upgrade_execute(s->rundir.lock, &err);
	log_line(LOG_ERR, "%s", err.text);
	control_done(s->control, HELD_UPGRADE, err.text);
	s->upgrading = false;
	life_start(s);
}

static void
worker_ended(struct supervisor *s, int status)
{
	control_done(s->control, HELD_MODE, "the worker has died");
	if (s->state == GONE)
		return; /* it was left alone */
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_BUSY)
		log_holder(s);
	if (s->state == STOPPING)
		end_stopped(s, status);
	else if (s->upgrading)
		life_upgrade(s);
	else if (!supervisor_has_served(s))
		give_up_start(s, status);
	else
		replace_worker(s, status);
}

static void
stop_watching(struct supervisor *s)
{
	ev_io_stop(s->ev, &s->on_exit);
	ev_io_stop(s->ev, &s->on_request);
	ev_io_stop(s->ev, &s->on_log);
	ev_io_stop(s->ev, &s->on_writable);
	ev_timer_stop(s->ev, &s->deadline);
}

static void
on_exit_of_worker(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct supervisor *s = watcher->data;
	int status;

	(void)ev, (void)events;
	if (!process_reap(&s->worker, &status))
		return;
	stop_watching(s);
	relay_finish(&s->relay, s->worker.log);
	process_close(&s->worker);
	worker_ended(s, status);
}

static void
on_request(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct supervisor *s = watcher->data;
	struct error why;
	int ret = broker_serve(&s->broker, s->worker.requests, &why);

	(void)events;
	if (ret > 0)
		return;
	/* Without a channel there is no worker; on_exit does the rest. */
	if (ret < 0)
		log_line(LOG_ERR, "%s; the worker is killed", why.text);
	ev_io_stop(ev, watcher);
	process_kill(&s->worker);
}

static void
on_writable(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct supervisor *s = watcher->data;

	(void)events;
	if (process_flush(&s->worker))
		ev_io_stop(ev, watcher);
}

static void
on_log(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct supervisor *s = watcher->data;

	(void)events;
	if (!relay_read(&s->relay, s->worker.log))
		ev_io_stop(ev, watcher);
}

static void
leave_supervisor(void *opaque)
{
	struct supervisor *s = opaque;

	if (s->domain)
		domain_leave(s->domain);
}

static int
run_worker(void *opaque)
{
	struct supervisor *s = opaque;
	struct guest guest = { .id = 0 };
	const struct worker_start start = {
		.options = s->options,
		.guest = s->domain ? &guest : NULL,
		.no_guest = &s->start->no_domain,
		.no_guest_code = s->start->no_domain_code,
		.supervisor = getppid(),
		.requests = CHILD_REQUESTS,
		.orders = CHILD_ORDERS,
		.files = s->broker.files,
		.record = s->rundir.record,
		.no_record = &s->no_record,
		.before = s->rundir.before,
		.before_size = s->rundir.before_size,
		.report = s->report,
	};

	if (s->domain)
		guest = *domain_guest(s->domain);
	guest.has_run |= s->broker.attached;
	log_to_supervisor();
	return worker_run(&start);
}

/* Memory for its record; without a domain there is nothing to hand over. */
static int
prepare_record(struct supervisor *s, struct error *err)
{
	int ret;

	s->no_record.text[0] = '\0';
	if (!s->domain)
		return 0;
	ret = rundir_prepare(&s->rundir, &s->no_record);
	if (ret < 0)
		*err = s->no_record;
	return ret;
}

static int
try_start(struct supervisor *s, struct error *err)
{
	int ret = prepare_record(s, err);

	if (ret < 0)
		return ret;
	broker_begin(&s->broker);
	s->killed = false;
	memset(s->report->failure, 0, sizeof(s->report->failure));
	memset(s->report->mode, 0, sizeof(s->report->mode));
	return process_start(&s->worker, leave_supervisor, run_worker, s, err);
}

void
life_start(struct supervisor *s)
{
	struct error err;

	ev_timer_stop(s->ev, &s->pause);
	s->state = STARTING;
	if (try_start(s, &err) < 0) {
		log_line(LOG_ERR, "%s", err.text);
		if (supervisor_has_served(s))
			replace_worker(s, W_EXITCODE(EXIT_RUNTIME, 0));
		else
			supervisor_finish(s, EXIT_RUNTIME);
		return;
	}
	supervisor_watch(s, &s->on_exit, on_exit_of_worker, s->worker.pidfd,
			 EV_READ);
	supervisor_watch(s, &s->on_request, on_request, s->worker.requests,
			 EV_READ);
	supervisor_watch(s, &s->on_log, on_log, s->worker.log, EV_READ);
	supervisor_watch(s, &s->on_writable, on_writable, s->worker.orders,
			 EV_WRITE);
}

void
life_init(struct supervisor *s)
{
	const struct limit_config budget = {
		.rate = s->options->restarts,
		.burst = (uint64_t)s->options->restarts * BUDGET_SECONDS,
	};

	limit_init(&s->budget, &budget, 0, limit_clock());
	relay_init(&s->relay);
	ev_timer_init(&s->pause, on_pause, 0., 0.);
	s->pause.data = s;
}
