/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pflashctl selftest: tries this host with a guest, a VARS file and a pflashd
 * of its own.
 *
 * A function that can fail returns 0, or -errno with a sentence in `why` of
 * struct selftest.  Times are in milliseconds of ask_clock().
 */
#ifndef PFLASHCTL_SELFTEST_H
#define PFLASHCTL_SELFTEST_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pflash/error.h"
#include "pflashctl.h"
#include "selftest_report.h"

#define SELFTEST_SECONDS 120 /* the time limit without --timeout */
#define SELFTEST_NOT_HERE 77 /* exit code: this is no Xen host, or not root */

/* The facts about the host that are shown. */
struct selftest_host {
	char xen[64];
	char kernel[140]; /* the release of dom0's kernel */
	char cpu[128];
	char pflashd[64]; /* version */
	bool hap;
	double mhz; /* of the guest's time stamp counter; 0: unknown */
};

enum selftest_result {
	SELFTEST_NOT_RUN,
	SELFTEST_OK,
	SELFTEST_FAILED,
	SELFTEST_UNAVAILABLE, /* this host has no direct mode */
};

/* The rows of selftest_checks, in their order. */
enum { SELFTEST_CHECKS = 12 };

enum selftest_mode { SELFTEST_DIRECT, SELFTEST_TRAP, SELFTEST_MODES };

struct selftest {
	const struct ctl_options *options;
	int64_t began, deadline, shown; /* shown: time of the last progress */
	bool cleaning;                  /* signals end nothing any more */
	struct error why;
	struct selftest_host host;
	char pflashd[PATH_MAX], guest[PATH_MAX]; /* the files in use */

	char directory[PATH_MAX]; /* "": none yet */
	char vars[PATH_MAX + 16], log[PATH_MAX + 16], config[PATH_MAX + 16];
	char name[40];   /* of the domain */
	uint32_t domain; /* 0: none */
	bool tried;      /* `xl create` was called: there may be a domain */
	int console;     /* the terminal of the guest's console, or -1 */
	int copy;        /* the file with all output of the guest, or -1 */
	char line[256];  /* what has been read of a line */
	size_t len;
	struct report report;

	char tail[4096]; /* of pflashd's log: whole lines */
	pid_t pid; /* of the running pflashd, or 0 */
	bool ending; /* pflashd may end */
	int ready;   /* the pipe of --ready-fd, or -1 */
	bool direct;
	pid_t worker;        /* that was killed or replaced */
	uint64_t goal;       /* a round to wait for */

	enum selftest_result results[SELFTEST_CHECKS];
	int failed; /* the check that failed, or -1 */
	struct report_cycles cycles[SELFTEST_MODES][REPORT_CYCLES];
	double attach, takeover, upgrade; /* ms; the median of takeovers */
};

/* --- selftest_run.c: processes and time --- */

/* Signals that would end the program only end the test. */
void selftest_catch_signals(void);

/* The signal that came, or 0. */
int selftest_signal(void);

/*
 * Runs a program until it ends, the deadline or a signal; then it is killed.
 * Its output, standard error too, goes to `output`, cut to fit, as text.
 * Returns its exit code, or -errno.
 */
int selftest_run(struct selftest *t, const char *const argv[], char *output,
		 size_t room);

/* The last line of such an output, for a sentence; it changes the output. */
const char *selftest_last_line(char *output);

/* The first line with an error, which xl often follows up by others. */
const char *selftest_error_line(char *output);

/*
 * Waits until done() is true, and reads the guest's console meanwhile.  Fails
 * at the deadline, after a signal, or if pflashd has ended; `what` says in the
 * sentence for what it waits, and is shown as progress.
 */
int selftest_wait(struct selftest *t, bool (*done)(struct selftest *t),
		  const char *what);

/* Reads the guest's console for this time, or until the deadline. */
void selftest_pause(struct selftest *t, int ms);

/* Prints a line with the time on standard error. */
void selftest_say(struct selftest *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* --- selftest_host.c --- */

/* Finds the files, and the facts; CTL_OK, or an exit code after a message. */
int selftest_look(struct selftest *t);

/* --- selftest_guest.c: the domain and its console --- */

int selftest_directory(struct selftest *t);
int selftest_create(struct selftest *t);
int selftest_unpause(struct selftest *t);
void selftest_read_console(struct selftest *t);

/* Types a request; the guest has executed it when it is ready again. */
int selftest_type(struct selftest *t, const char *request);
int selftest_until_ready(struct selftest *t, const char *what);

/* Destroys the domain; removes the directory. */
void selftest_remove_guest(struct selftest *t);
void selftest_remove_files(struct selftest *t);

/* --- selftest_flash.c: the pflashd --- */

/* Starts pflashd, and waits until the flash is attached; *ms: for how long. */
int selftest_attach(struct selftest *t, const char *mode, double *ms);

/* Asks pflashd for its mode. */
int selftest_get_mode(struct selftest *t, bool *direct);
int selftest_set_mode(struct selftest *t, enum selftest_mode mode);

/* Kills the worker, or the supervisor and with it the worker. */
int selftest_kill_worker(struct selftest *t);
int selftest_kill_all(struct selftest *t);
int selftest_upgrade(struct selftest *t);

/* Waits until pflashd has ended by itself; an exit code but 0 is a failure. */
int selftest_flash_end(struct selftest *t);

/* Ends pflashd in any way, and removes the files of a killed one. */
void selftest_stop_flash(struct selftest *t);

/* The last line of pflashd's log, in static memory. */
const char *selftest_log_line(struct selftest *t);

/* Reads the end of the log to `tail`. */
void selftest_read_log(struct selftest *t);

/* --- selftest_checks.c --- */

struct selftest_check {
	const char *id; /* in JSON */
	const char *text;
	int (*run)(struct selftest *t);
	bool needs_direct;
};

extern const struct selftest_check selftest_checks[SELFTEST_CHECKS];

/* Runs all, until one fails. */
void selftest_run_checks(struct selftest *t);

/* --- selftest_print.c --- */

void selftest_print(struct selftest *t);

#endif
