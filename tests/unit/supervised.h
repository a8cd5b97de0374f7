/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stage for the real supervisor: it runs in a child process, in a mount
 * namespace with a /run of its own, with a double of the domain
 * (double_domain.c) and a double of the worker (double_worker.c).  All of them
 * meet in one piece of shared memory.
 */
#ifndef SUPERVISED_H
#define SUPERVISED_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"
#include "worker/worker.h"

#define DOMID 7
#define VARS "/run/vars.fd"
#define LOG_FILE "/run/log"
#define PREFIX "pflashd: guest (7), " VARS ": "

#define ACTS 8
#define ORDERS 4096
#define CALLS 64

/* What one worker does; its exit code. */
typedef int act(const struct worker_start *start);

struct stage {
	/* Of the worker: the Nth does acts[N], the rest the last one. */
	act *acts[ACTS];
	unsigned int acts_count;
	unsigned int workers; /* that were started */
	unsigned int ready;   /* replies to CHANNEL_READY */
	unsigned int replies; /* to the request under test */
	int result;           /* of the last one of these */
	bool go;              /* what the worker waits for */
	unsigned int orders;
	uint8_t order[ORDERS];
	int descriptors; /* of the worker, as bits */
	size_t before_size;
	uint8_t before, fresh; /* first byte of the old and the new record */
	double level;          /* that the worker began with */
	/* Of the domain. */
	volatile int reason;         /* transport_ops.shutdown_reason() */
	volatile unsigned int looks; /* at it */
	unsigned int pauses, unpauses, types, populates, depopulates;
	unsigned int set_ready, clear_ready;
	/* Of the new program. */
	unsigned int upgrades; /* it was executed */
	int lock;              /* the descriptor that it has got */
};

extern struct stage *stage;
extern struct options options;
extern pid_t supervisor;
extern int ready_end;

/* False, with a line for tests/run: there can be no mount namespace here. */
bool stage_possible(void);

/* Checked fixture: /run, stage, VARS and options are new. */
void stage_make(void);
void stage_remove(void);

/* /run/stage, of the program that was there before. */
bool stage_find(void);

/* The supervisor in a child; only the last one is `supervisor`. */
pid_t run_supervisor(void);
int supervise(int lock);

/* With these acts, until it is ready. */
#define START(...) start_with((act *const[]){ __VA_ARGS__, NULL })
void start_with(act *const *acts);
#define ACT(...) set_acts((act *const[]){ __VA_ARGS__, NULL })
void set_acts(act *const *acts);

/* The exit code, within `seconds`. */
int end_of(pid_t pid, double seconds);

double seconds_now(void);
void nap(double seconds);

/* Fails when it is not true within ten seconds. */
#define UNTIL(condition) UNTIL_WITHIN(10., condition)
#define UNTIL_WITHIN(seconds, condition)                                       \
	do {                                                                   \
		double until = seconds_now() + (seconds);                      \
		while (!(condition)) {                                         \
			ck_assert_msg(seconds_now() < until,                   \
				      "not in time: %s", #condition);          \
			nap(0.002);                                            \
		}                                                              \
	} while (0)

/*
 * The control socket: a connection, and the answer to a line.  client_answer()
 * closes the connection; NULL: it has ended without an answer.
 */
int client_connect(void);
struct json_object *client_answer(int fd);
struct json_object *ask(const char *line);
const char *text_of(struct json_object *answer, const char *member);
int64_t number_of(struct json_object *answer, const char *member);
bool state_is(const char *state);

/* As at @releaseDomain; the supervisor has looked at the domain then. */
void domain_happens(int reason);

/* malloc()ed, the supervisor's lines until now. */
char *log_text(void);
bool log_has(const char *text);

bool exists(const char *name); /* in PFLASH_RUN_DIR */
unsigned int descriptors_of(pid_t pid);
double cpu_seconds_of(pid_t pid);

#endif
