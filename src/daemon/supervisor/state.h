/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct supervisor, private to three files:
 *
 *	supervisor.c  the states, the domain, start and end of the process
 *	restart.c     starts the worker, watches it, replaces it when it dies
 *	commands.c    the administrator's commands: signals and control socket
 *
 * All three run in one thread, in callbacks of the event loop.
 */
#ifndef PFLASHD_STATE_H
#define PFLASHD_STATE_H

#include <ev.h>

#include "supervisor/broker.h"
#include "supervisor/control.h"
#include "supervisor/lease.h"
#include "supervisor/process.h"
#include "supervisor/relay.h"
#include "supervisor/rundir.h"
#include "supervisor/supervisor.h"
#include "supervisor/tracing.h"

/* The period of --restarts: at most COUNT restarts in so many seconds. */
#define RESTART_SECONDS 600

/* Commands with a deferred answer; the numbers are for control_done(). */
enum { DEFERRED_MODE = 1, DEFERRED_UPGRADE };

/* supervisor.h describes the states. */
enum state { STARTING, RUNNING, WAITING, FAILED, STOPPING, ENDED };

struct supervisor {
	/* Borrowed from the caller of supervisor_run(). */
	const struct supervisor_start *start;
	const struct options *options;
	struct domain *domain; /* NULL: there is none */

	enum state state;
	int exit_code;
	bool ready_reported; /* the process that started pflashd knows */

	/* The domain, as the supervisor saw it last. */
	bool domain_suspended; /* or paused, and the flash waits for it */
	bool flash_waits;      /* see wait_for_guest() */
	bool domain_ended;   /* destroyed, or shut down but not suspended */
	bool flash_detached; /* a worker has removed the flash from it */

	/* The worker that runs now, if any. */
	struct process worker; /* worker.pid is 0: none */
	struct broker broker;
	struct relay *relay;
	struct report *report; /* shared with every worker */
	bool upgrade_ordered;  /* the worker has the order CHANNEL_UPGRADE */
	bool worker_killed;    /* because it missed its exit deadline */

	/* Restarts: a token bucket, one restart takes RESTART_SECONDS units. */
	struct limit restart_budget;
	uint64_t budget_used;  /* units, since pflashd started */
	unsigned int restarts; /* since pflashd started */

	/* The files in /run/pflashd. */
	struct rundir rundir;
	struct error no_record_reason; /* why rundir.record is NULL */

	struct tracing tracing;

	struct lease *lease; /* NULL: none is needed */
	bool lease_failed;   /* the last lease_take() */

	struct control *control; /* NULL: the socket is not open yet */
	struct control_ops control_ops;

	struct ev_loop *ev;
	ev_io on_exit, on_request, on_log, on_writable; /* of the worker */
	ev_io on_domain;
	ev_timer exit_deadline; /* for a worker that was ordered to exit */
	ev_timer restart_delay; /* before the next worker */
	ev_timer suspend_poll;  /* of a suspended domain */
	ev_signal signals[4];
};

/* --- supervisor.c --- */

/* Has any worker of this flash been ready?  Then its VARS file exists. */
bool supervisor_has_served(const struct supervisor *s);

/* The state's name in the status: pflash/control.h, STATUS_STATE. */
const char *supervisor_state_name(enum state state);

/* Prepares a watcher of `fd`, and starts it if `events` is EV_READ. */
void supervisor_watch(struct supervisor *s, ev_io *watcher,
		      void (*function)(struct ev_loop *, ev_io *, int), int fd,
		      int events);

/* Sends an order to the worker; does nothing without a worker. */
void supervisor_order(struct supervisor *s, enum channel_order order);

/* Kills the worker if it has not exited in `seconds`. */
void supervisor_set_exit_deadline(struct supervisor *s, double seconds);

/* Reads the domain's state and acts on a change. */
void supervisor_check_domain(struct supervisor *s);

/*
 * Orders the worker to detach the flash; pflashd ends when the worker has
 * exited, or at once if there is no worker.
 */
void supervisor_stop(struct supervisor *s);

/* Ends the event loop, and with it supervisor_run(), with this exit code. */
void supervisor_finish(struct supervisor *s, int code);

/* Saves the level of the write limit for the next pflashd of this VARS file. */
void supervisor_save_level(struct supervisor *s);

/* --- restart.c --- */

void restart_init(struct supervisor *s);

/*
 * Starts a worker: the first one, or the next one after a death.  If that
 * fails, it counts as a death; before any worker was ready, pflashd ends.
 */
void restart_worker(struct supervisor *s);

/*
 * Replaces the program of this process, with no worker left.  If execve(2)
 * fails, logs why and starts the next worker with the old program.
 */
void restart_program(struct supervisor *s);

/* --- commands.c --- */

/* Handles signals from now on. */
void commands_init(struct supervisor *s);

/* Opens the control socket, unless it is open; a failure is logged. */
void commands_open(struct supervisor *s);

/* Implements broker.mode_done: the worker has answered an ordered change. */
void commands_mode_done(void *opaque, int error);

#endif
