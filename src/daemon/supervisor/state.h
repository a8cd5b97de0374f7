/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of struct supervisor, for supervisor.c (the states, the domain),
 * life.c (one worker after another) and commands.c (signals and pflashctl).
 */
#ifndef PFLASHD_STATE_H
#define PFLASHD_STATE_H

#include <ev.h>

#include "supervisor/broker.h"
#include "supervisor/control.h"
#include "supervisor/process.h"
#include "supervisor/relay.h"
#include "supervisor/rundir.h"
#include "supervisor/supervisor.h"
#include "supervisor/upgrade.h"

/* --restarts COUNT is for so many seconds. */
#define BUDGET_SECONDS 600

/* Commands that are answered later: control_done(). */
enum { HELD_MODE = 1, HELD_UPGRADE };

enum state { STARTING, RUNNING, WAITING, FAILED, STOPPING, GONE };

struct supervisor {
	struct ev_loop *ev;
	const struct supervisor_start *start;
	const struct options *options;
	struct domain *domain; /* or NULL */
	enum state state;
	struct process worker;
	struct broker broker;
	struct relay relay;
	struct rundir rundir;
	struct report *report;
	struct control *control;
	struct control_ops control_ops;
	struct upgrade upgrade;
	struct limit budget;
	uint64_t spent; /* of the budget */
	unsigned int restarts;
	struct error no_record; /* why the flash does not outlive it */
	bool told; /* the starter of pflashd knows that the flash is there */
	bool suspended; /* the domain */
	bool ended;     /* the domain is gone, or shut down */
	bool upgrading; /* the worker was ordered to end for that */
	bool killed;    /* the worker, by its deadline */
	bool detached;  /* the guest has no flash any more */
	int code;       /* exit code */
	ev_io on_exit, on_request, on_log, on_writable, on_domain;
	ev_timer deadline; /* of a worker that was ordered to end */
	ev_timer pause;    /* before the next worker */
	ev_timer look;     /* at a suspended domain */
	ev_signal signals[4];
};

/* supervisor.c */

/* VARS is there, and the guest has the flash. */
bool supervisor_has_served(const struct supervisor *s);
const char *supervisor_state_name(enum state state);
void supervisor_watch(struct supervisor *s, ev_io *watcher,
		      void (*function)(struct ev_loop *, ev_io *, int), int fd,
		      int events);
void supervisor_order(struct supervisor *s, enum channel_order what);

/* The worker has so many seconds to do as it was ordered. */
void supervisor_set_deadline(struct supervisor *s, double seconds);

/* The flash leaves the guest; then, or if there is no worker, all ends. */
void supervisor_stop(struct supervisor *s);
void supervisor_finish(struct supervisor *s, int code);

/* Keeps the level of the write limit for the next pflashd. */
void supervisor_save_level(struct supervisor *s);

/* life.c */

void life_init(struct supervisor *s);
void life_start(struct supervisor *s);

/* The new program in this process; or, if that fails, the next worker. */
void life_upgrade(struct supervisor *s);

/* commands.c */

void commands_init(struct supervisor *s);
void commands_open(struct supervisor *s); /* the socket, once */

/* Of struct broker: the worker has changed the mode, or not. */
void commands_mode_done(void *opaque, int error);

#endif
