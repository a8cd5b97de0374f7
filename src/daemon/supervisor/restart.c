/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts the worker, watches its descriptors, and starts the next worker when
 * one dies.  --restarts bounds how often.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "supervisor/state.h"
#include "supervisor/upgrade.h"
#include "worker/worker.h"

#include "pflash/sys.h"

/*
 * The first half of the restart budget is spent without a delay.  After that
 * each delay is twice the one before, between these bounds, in seconds.
 */
#define DELAY_MIN 0.25
#define DELAY_MAX 2.

/*
 * Logs which process or host has a lock on the role's file.  Returns false if
 * none has, or if it cannot be found.
 */
static bool
log_holder_of(struct files *files, enum files_role role)
{
	int fd = files->ops->open(files, role, false), pid;
	char command[96], host[SYS_HOST_NAME] = "";

	if (fd < 0)
		return false;
	pid = files->ops->holder(fd, command, sizeof(command));
	if (pid <= 0 && sys_find_host(fd, host))
		log_line(LOG_ERR, "%s: in use by a process on the host %s",
			 files->name[role], host);
	close(fd);
	if (pid > 0)
		log_line(LOG_ERR, "%s: in use by pid %d (%s)",
			 files->name[role], pid, command);
	return pid > 0 || host[0];
}

/*
 * Logs which process has the files after a worker has exited with EXIT_BUSY.
 * The worker cannot look in /proc and logs nothing itself.
 */
static void
log_holder(struct supervisor *s)
{
	struct files *files = s->broker.files;
	struct error err;
	int fd;

	if (s->lease && !lease_held(s->lease))
		return; /* on_lease() has logged who has the lease */
	if (log_holder_of(files, FILES_VARS) ||
	    log_holder_of(files, FILES_JOURNAL))
		return;
	fd = files->ops->open(files, FILES_VARS, FILES_WRITE);
	if (fd >= 0)
		close(fd);
	files->ops->explain(files, FILES_VARS, fd == -EBADE ? EBADE : EBUSY,
			    &err);
	log_line(LOG_ERR, "%s", err.text);
}

/*
 * The first worker ended before it was ready: pflashd ends with the same exit
 * code.  Only a worker of --check-start may end with EXIT_OK.
 */
static void
give_up_start(struct supervisor *s, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_RUNTIME;

	if (WIFSIGNALED(status))
		log_line(LOG_ERR, "the worker died of signal %d",
			 WTERMSIG(status));
	if (code > EXIT_DOMAIN || (code == EXIT_OK && !s->options->check_start))
		code = EXIT_RUNTIME;
	supervisor_finish(s, code);
}

/* Takes one restart out of the budget; false: the budget is spent. */
static bool
take_restart(struct supervisor *s)
{
	if (s->options->restarts == 0)
		return false;
	s->budget_used += RESTART_SECONDS;
	return limit_allows(&s->restart_budget, s->budget_used, limit_clock());
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

/* How long to wait before the next worker, in seconds. */
static double
delay_seconds(const struct supervisor *s)
{
	double spent = (double)s->restart_budget.config.burst -
		       s->restart_budget.level.units;
	unsigned int count = (unsigned int)(spent / RESTART_SECONDS + 0.999);
	unsigned int undelayed = (s->options->restarts + 1) / 2;
	double delay = DELAY_MIN;

	if (count <= undelayed)
		return 0;
	while (--count > undelayed && delay < DELAY_MAX)
		delay *= 2;
	return delay;
}

/* Every death counts against the budget, also a SIGKILL from outside. */
static void
replace_worker(struct supervisor *s, int status)
{
	char death[64];

	format_death(status, death, sizeof(death));
	if (!take_restart(s)) {
		s->state = FAILED;
		log_line(LOG_ERR,
			 "%s, after %u restarts; the guest waits for its "
			 "flash: fix the cause, then run "
			 "`pflashctl upgrade %" PRIu32 "`",
			 death, s->restarts, domain_guest(s->domain)->id);
		return;
	}
	log_line(LOG_ERR, "%s; the next worker takes over", death);
	s->restarts++;
	s->state = WAITING;
	if (s->domain_suspended)
		return; /* another host may use the file until the resume */
	ev_timer_set(&s->restart_delay, delay_seconds(s), 0.);
	ev_timer_start(s->ev, &s->restart_delay);
}

static void
on_restart_delay(struct ev_loop *ev, ev_timer *watcher, int events)
{
	(void)ev, (void)events;
	restart_worker(watcher->data);
}

/*
 * The worker ended in the state STOPPING.  A worker that was ready and exits
 * with a code of options.h has detached the flash.  Any other end leaves the
 * flash attached: a signal, or WORKER_UPGRADE for an earlier order.
 */
static void
finish_stop(struct supervisor *s, int status)
{
	bool exited = WIFEXITED(status) && WEXITSTATUS(status) <= EXIT_DOMAIN;
	char death[64];

	s->flash_detached = exited && s->broker.is_ready;
	if (exited) {
		supervisor_finish(s, s->exit_code ? s->exit_code :
						    WEXITSTATUS(status));
		return;
	}
	format_death(status, death, sizeof(death));
	if (!s->worker_killed)
		log_line(LOG_ERR, "%s while it detached", death);
	supervisor_finish(s, EXIT_RUNTIME);
}

/*
 * execve(2) closes the connection of the pflashctl that waits; an end without
 * an answer means that the program was replaced.
 */
void
restart_program(struct supervisor *s)
{
	struct error err;

	supervisor_save_level(s);
	upgrade_execute(s->rundir.lock,
			s->lease ? lease_connection(s->lease) : -1, &err);
	log_line(LOG_ERR, "%s", err.text);
	control_done(s->control, DEFERRED_UPGRADE, err.text);
	s->upgrade_ordered = false;
	restart_worker(s);
}

static void
worker_ended(struct supervisor *s, int status)
{
	control_done(s->control, DEFERRED_MODE, "the worker has died");
	tracing_worker_ended(s);
	if (s->state == ENDED)
		return; /* pflashd ends without the worker */
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_BUSY)
		log_holder(s);
	if (s->state == STOPPING)
		finish_stop(s, status);
	else if (s->upgrade_ordered)
		restart_program(s);
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
	ev_timer_stop(s->ev, &s->exit_deadline);
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
	relay_finish(s->relay, s->worker.log);
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
	/* on_exit_of_worker() replaces the killed worker. */
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
	if (process_flush_orders(&s->worker))
		ev_io_stop(ev, watcher);
}

static void
on_log(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct supervisor *s = watcher->data;

	(void)events;
	if (!relay_read(s->relay, s->worker.log))
		ev_io_stop(ev, watcher);
}

/* In the worker's process: closes the supervisor's handles. */
static void
close_supervisor_handles(void *opaque)
{
	struct supervisor *s = opaque;

	if (s->domain)
		domain_close_in_child(s->domain);
}

/* In the worker's process: runs the worker; the result is its exit code. */
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
		.no_record = &s->no_record_reason,
		.before = s->rundir.old_record,
		.before_size = s->rundir.old_record_size,
		.report = s->report,
	};

	if (s->domain)
		guest = *domain_guest(s->domain);
	guest.has_run |= s->broker.was_ready;
	log_to_supervisor();
	return worker_run(&start);
}

/* Maps the worker's handover record; without a domain there is none. */
static int
prepare_record(struct supervisor *s, struct error *err)
{
	int ret;

	s->no_record_reason.text[0] = '\0';
	if (!s->domain)
		return 0;
	ret = rundir_prepare(&s->rundir, &s->no_record_reason);
	if (ret < 0)
		*err = s->no_record_reason;
	return ret;
}

/* Starts a worker, or returns -errno and sets *err. */
static int
try_start(struct supervisor *s, struct error *err)
{
	int ret = prepare_record(s, err);

	if (ret < 0)
		return ret;
	broker_begin(&s->broker);
	tracing_begin(s);
	s->worker_killed = false;
	memset(s->report->failure, 0, sizeof(s->report->failure));
	memset(s->report->mode, 0, sizeof(s->report->mode));
	s->report->released = 0;
	return process_start(&s->worker, close_supervisor_handles, run_worker,
			     s, err);
}

void
restart_worker(struct supervisor *s)
{
	struct error err;

	ev_timer_stop(s->ev, &s->restart_delay);
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
restart_init(struct supervisor *s)
{
	const struct limit_config budget = {
		.rate = s->options->restarts,
		.burst = (uint64_t)s->options->restarts * RESTART_SECONDS,
	};

	limit_init(&s->restart_budget, &budget, 0, limit_clock());
	ev_timer_init(&s->restart_delay, on_restart_delay, 0., 0.);
	s->restart_delay.data = s;
}
