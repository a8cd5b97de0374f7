/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stage for the real supervisor: it runs in a child process, in a mount
 * namespace with its own /run, with a double of the domain (double_domain.c)
 * and a double of the worker (double_worker.c).  The test and the processes
 * share one struct stage.
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

/* The behaviour of one worker; returns its exit code. */
typedef int act(const struct worker_start *start);

struct stage {
	/* The worker: the Nth one does acts[N], later ones the last act. */
	act *acts[ACTS];
	unsigned int acts_count;
	unsigned int workers; /* started so far */
	unsigned int ready;   /* replies to CHANNEL_READY */
	unsigned int replies; /* to the message under test */
	int result;           /* of the last of these replies */
	bool proceed;         /* an act waits for it, or sets it */
	unsigned int orders;
	uint8_t order[ORDERS];
	int descriptors; /* the worker's open ones, as bits */
	size_t old_record_size;
	uint8_t old_record, new_record; /* the first bytes; 0xff: no record */
	double level;                   /* in the report at the start */
	/* The domain. */
	volatile int reason;         /* transport_ops.shutdown_reason() */
	volatile int paused;         /* transport_ops.is_paused() */
	volatile unsigned int looks; /* calls of it */
	unsigned int pauses, unpauses, types, populates, depopulates;
	unsigned int set_ready, clear_ready;
	/* The new program. */
	unsigned int upgrades; /* times it was executed */
	int lock;              /* the descriptor that it has inherited */
};

extern struct stage *stage;
extern struct options options;
extern pid_t supervisor;
extern int ready_end;

/* false, with a SKIP line for tests/run: no mount namespace is possible. */
bool stage_possible(void);

/* Checked fixture: makes /run, stage, VARS and options anew. */
void stage_make(void);
void stage_remove(void);

/* In a new program: maps the stage that the old one has made. */
bool stage_find(void);

/* Starts the supervisor in a child; `supervisor` is the last one started. */
pid_t run_supervisor(void);

/* Runs the supervisor in this process; `lock` as in supervisor_start. */
int supervise(int lock);

/* Starts the supervisor with these acts and waits until it is ready. */
#define START(...) start_with((act *const[]){ __VA_ARGS__, NULL })
void start_with(act *const *acts);

/* Sets the acts only. */
#define ACT(...) set_acts((act *const[]){ __VA_ARGS__, NULL })
void set_acts(act *const *acts);

/* Waits for the exit, at most `seconds`; returns the exit code. */
int end_of(pid_t pid, double seconds);

double seconds_now(void);
void nap(double seconds);

/* Fails if the condition does not become true within ten seconds. */
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
 * Clients of the control socket.  client_answer() reads the answer and closes
 * the connection; NULL: the connection ended without an answer.  client_send()
 * connects and sends a text; ask() sends a line and returns the answer.
 */
int client_connect(void);
int client_send(const char *text);
struct json_object *client_answer(int fd);
struct json_object *ask(const char *line);
const char *text_of(struct json_object *answer, const char *member);
int64_t number_of(struct json_object *answer, const char *member);
bool state_is(const char *state);

/*
 * Changes the domain's shutdown reason, sends an event, and waits until the
 * supervisor has read the reason.
 */
void domain_happens(int reason);

/* The supervisor's log until now, malloc()ed. */
char *log_text(void);
bool log_has(const char *text);

/* Is there a file of this name in PFLASH_RUN_DIR? */
bool exists(const char *name);
unsigned int descriptors_of(pid_t pid);
double cpu_seconds_of(pid_t pid);

#endif
