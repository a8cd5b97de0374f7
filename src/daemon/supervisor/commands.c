/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The administrator's commands: signals, and the lines of pflash/control.h that
 * pflashctl sends.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "log.h"
#include "pflash/control.h"
#include "pflash/queue.h"
#include "pflash/text.h"
#include "supervisor/state.h"
#include "supervisor/status.h"
#include "supervisor/upgrade.h"

/* May the program be replaced now?  0, or -errno and sets *err. */
static int
may_upgrade(const struct supervisor *s, struct error *err)
{
	if (s->domain_suspended)
		return error_set(err, EAGAIN, "the guest is suspended");
	if (s->state == STARTING || s->state == STOPPING || s->state == ENDED ||
	    s->upgrade_ordered)
		return error_set(err, EAGAIN, "pflashd is %s",
				 s->upgrade_ordered ?
					 "upgrading" :
					 supervisor_state_name(s->state));
	if (s->state == RUNNING && !s->broker.record_installed)
		return error_set(
			err, EOPNOTSUPP,
			"this worker has no handover record, the upgrade would "
			"lose the flash");
	return 0;
}

/*
 * The new program has answered the check.  The state may have changed since the
 * command: it is checked again.
 */
static void
on_upgrade_checked(void *opaque, const char *refusal)
{
	struct supervisor *s = opaque;
	struct error err;

	if (!refusal && may_upgrade(s, &err) < 0)
		refusal = err.text;
	if (refusal) {
		log_line(LOG_ERR, "cannot upgrade: %s", refusal);
		control_done(s->control, DEFERRED_UPGRADE, refusal);
		return;
	}
	log_line(LOG_INFO, "upgrading");
	if (s->worker.pid <= 0) {
		restart_program(s);
		return;
	}
	s->upgrade_ordered = true;
	supervisor_order(s, CHANNEL_UPGRADE);
	supervisor_set_exit_deadline(s, supervisor_stop_seconds);
}

/*
 * Starts an upgrade with the check: does the new program accept the handover
 * record?  The worker serves the guest meanwhile.
 */
static int
begin_upgrade(struct supervisor *s, struct error *err)
{
	int ret = may_upgrade(s, err);

	if (ret == 0)
		ret = upgrade_check(s->ev, on_upgrade_checked, s, err);
	return ret < 0 ? ret : DEFERRED_UPGRADE;
}

static void
on_signal(struct ev_loop *ev, ev_signal *watcher, int events)
{
	struct supervisor *s = watcher->data;
	struct error err;

	(void)ev, (void)events;
	if (watcher->signum != SIGUSR2) {
		log_line(LOG_INFO, "signal %d, detaching", watcher->signum);
		supervisor_stop(s);
	} else if (begin_upgrade(s, &err) < 0) {
		log_line(LOG_ERR, "cannot upgrade: %s", err.text);
	}
}

static void
catch_signals(struct supervisor *s)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2 };

	for (unsigned int i = 0; i < 4; i++) {
		ev_signal_init(&s->signals[i], on_signal, numbers[i]);
		s->signals[i].data = s;
		ev_signal_start(s->ev, &s->signals[i]);
	}
}

/*
 * Orders the worker to change the mode, "direct" or "trap".  A toolstack sends
 * this right after it has resumed a domain, of which Xen sends no event.
 */
static int
begin_mode(struct supervisor *s, const char *mode, struct error *err)
{
	bool direct = strcmp(mode, "direct") == 0;

	if (!direct && strcmp(mode, "trap") != 0)
		return error_set(err, EINVAL,
				 "unknown mode, use direct or trap");
	if (s->domain_suspended)
		supervisor_check_domain(s);
	if (s->state != RUNNING || s->domain_suspended ||
	    s->broker.mode_ordered)
		return error_set(err, EAGAIN, "%s",
				 s->domain_suspended ?
					 "the guest is suspended" :
				 s->broker.mode_ordered ?
					 "the mode is being changed" :
					 "no worker serves the guest");
	s->broker.mode_ordered = true;
	supervisor_order(s, direct ? CHANNEL_TO_DIRECT : CHANNEL_TO_TRAP);
	return DEFERRED_MODE;
}

void
commands_mode_done(void *opaque, int error)
{
	struct supervisor *s = opaque;
	char why[sizeof(s->report->mode)];

	text_copy_printable(why, sizeof(why), s->report->mode, sizeof(why));
	control_done(s->control, DEFERRED_MODE,
		     !error ? NULL :
		     why[0] ? why :
			      strerror(error));
}

/*
 * Implements control_ops.command.  Version 0.1 answers every command with the
 * last sentence, and pflashctl recognizes it: do not change it.
 */
static int
on_command(void *opaque, const char *line, struct error *err)
{
	struct supervisor *s = opaque;
	size_t mode = strlen(CONTROL_MODE);

	if (!*line || strcmp(line, CONTROL_STATUS) == 0)
		return 0;
	if (strcmp(line, CONTROL_UPGRADE) == 0)
		return begin_upgrade(s, err);
	if (strcmp(line, CONTROL_TRACE) == 0)
		return tracing_start(s, err);
	if (strcmp(line, CONTROL_TRACE_STOP) == 0)
		return tracing_stop(s, err);
	if (strncmp(line, CONTROL_MODE, mode) == 0)
		return begin_mode(s, line + mode, err);
	return error_set(err, EINVAL,
			 "this pflashd does not know what it is asked for");
}

/* Implements control_ops.status. */
static char *
on_status(void *opaque, const char *error)
{
	const struct supervisor *s = opaque;
	const struct status status = {
		.options = s->options,
		.guest = domain_guest(s->domain),
		.report = s->report,
		.state = supervisor_state_name(s->state),
		.worker = s->worker.pid,
		.restarts = s->restarts,
		.queued = queue_peek(s->broker.files),
		.trace = tracing_state(s),
		.error = error,
	};

	return status_text(&status);
}

void
commands_open(struct supervisor *s)
{
	char path[RUNDIR_PATH];
	struct error err;

	if (s->control)
		return;
	rundir_path(domain_guest(s->domain)->id, "sock", path);
	if (control_open(&s->control, s->ev, path, &s->control_ops, &err) < 0)
		log_line(LOG_WARNING,
			 "no control socket, pflashctl cannot reach this "
			 "pflashd: %s",
			 err.text);
}

void
commands_init(struct supervisor *s)
{
	s->control_ops = (struct control_ops){ on_command, on_status,
					       tracing_stream, s };
	catch_signals(s);
}
