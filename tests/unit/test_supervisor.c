/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real supervisor and the real channel against a worker that its guest
 * controls (double_worker.c).  Version 0.1 had these faults; each has a test:
 *
 *	the worker reports a pid, a name, a domain of its choice
 *		status_is_the_supervisors_own
 *	the status waits for a client or a worker
 *		twenty_silent_clients, a_client_that_drips
 *	the worker outlives its order or its domain, or blocks the supervisor
 *		worker_ignores_stop, worker_ignores_the_domains_end,
 *		worker_reads_no_reply, worker_sends_no_request,
 *		crash_while_it_detaches
 *	workers are restarted without a limit
 *		restarts_are_counted, failed_until_an_upgrade,
 *		exit_100_is_no_upgrade, violation_ends_the_worker
 *	the worker has a descriptor of a directory, and files to fill
 *		worker_has_the_channel_only, limit_file_is_sane
 *	a message leaks descriptors
 *		descriptors_in_a_request
 *	log lines imitate another guest's
 *		forged_lines, flood_of_lines, endless_line
 *	texts reach a terminal (pflashctl's part: tests/cli/status.sh)
 *		report_full_of_garbage
 *	the worker undoes an administrator's pause, removes Xen's frames
 *		pause_of_an_administrator, and test_broker.c
 *	an upgrade that fails loses the flash
 *		new_program_refuses, new_program_takes_over,
 *		new_program_is_gone
 *	two processes hold the same lock
 *		two_supervisors
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xen/sched.h>

#include "channel.h"
#include "double_domain.h"
#include "double_worker.h"
#include "pflash/control.h"
#include "pflash/handover.h"
#include "supervised.h"
#include "supervisor/supervisor.h"
#include "supervisor/upgrade.h"

/* Seconds: supervisor_stop_seconds, and some for a busy machine. */
#define STOP_MAX 3.

static int
terminate(void)
{
	ck_assert_int_eq(kill(supervisor, SIGTERM), 0);
	return end_of(supervisor, STOP_MAX);
}

static void
nothing_is_left(void)
{
	ck_assert(!exists("7.lock"));
	ck_assert(!exists("7.sock"));
	ck_assert(!exists("7.handover"));
	ck_assert(!exists("7.handover.new"));
}

static void
record_is_left(void)
{
	ck_assert(!exists("7.lock"));
	ck_assert(!exists("7.sock"));
	ck_assert(exists("7.handover"));
	ck_assert(!exists("7.handover.new"));
}

/* Waits until the Nth worker serves. */
static void
until_served(unsigned int workers)
{
	UNTIL(stage->workers == workers && state_is("running"));
}

static int64_t
asked_number(const char *member)
{
	struct json_object *answer = ask(CONTROL_STATUS);
	int64_t number = number_of(answer, member);

	json_object_put(answer);
	return number;
}

/* The error of the answer, or ""; frees the answer. */
static const char *
refusal(struct json_object *answer)
{
	static char text[512];
	const char *error;

	ck_assert_ptr_nonnull(answer);
	error = text_of(answer, STATUS_ERROR);

	(void)snprintf(text, sizeof(text), "%s", error ? error : "");
	json_object_put(answer);
	return text;
}

static char new_name[] = "pflashd";

/*
 * An upgrade executes this test program again, with `behaviour` as argument:
 * see be_new_program().
 */
static void
set_new_program(const char *behaviour)
{
	static char *arguments[3] = { new_name };

	arguments[1] = strdup(behaviour);
	upgrade_remember(arguments);
}

/* The upgrade executes the program: the connection ends without an answer. */
static void
upgrade_succeeds(int fd)
{
	ck_assert_ptr_null(client_answer(fd));
	UNTIL(stage->upgrades > 0);
}

/* --- the end of the domain, of the worker, of the supervisor --- */

START_TEST(sigterm_detaches)
{
	START(act_serve);
	ck_assert(exists("7.lock"));
	ck_assert(exists("7.sock"));
	ck_assert(exists("7.handover"));
	ck_assert_int_eq(terminate(), EXIT_OK);
	ck_assert_int_eq(stage->order[0], CHANNEL_STOP);
	ck_assert_uint_ge(stage->clear_ready, 1);
	nothing_is_left();
}
END_TEST

/* Before the guest runs, so a later pflashd makes no new file. */
START_TEST(a_used_file_is_recorded)
{
	char line[64] = "";
	FILE *file;

	START(act_serve);
	file = fopen("/run/records/run-vars.fd", "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
	(void)fclose(file);
	ck_assert_str_eq(line, "vars " VARS "\n");
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

static const int ends_of_domain[] = { -ESRCH, SHUTDOWN_poweroff,
				      SHUTDOWN_reboot, SHUTDOWN_crash };

START_TEST(domain_ends)
{
	START(act_serve);
	domain_happens(ends_of_domain[_i]);
	ck_assert_int_eq(end_of(supervisor, STOP_MAX), EXIT_OK);
	nothing_is_left();
}
END_TEST

START_TEST(hypervisor_has_no_answer)
{
	START(act_serve);
	domain_happens(-ENOMEM);
	nap(0.2);
	ck_assert_uint_eq(stage->orders, 0);
	stage->reason = -EINPROGRESS;
	nap(0.2);
	ck_assert_uint_eq(stage->orders, 0);
	stage->reason = -ESRCH; /* found by polling, without an event */
	domain_happens(-ESRCH);
	ck_assert_int_eq(end_of(supervisor, STOP_MAX), EXIT_OK);
}
END_TEST

START_TEST(failure_of_the_first_worker)
{
	ACT(act_fail);
	stage->result = _i;
	(void)run_supervisor();
	ck_assert_int_eq(end_of(supervisor, STOP_MAX), _i);
	ck_assert_uint_eq(stage->workers, 1);
	nothing_is_left();
}
END_TEST

START_TEST(odd_failure_of_the_first_worker)
{
	static const int odd[] = { 0, 6, WORKER_UPGRADE, 255 };

	ACT(act_fail);
	stage->result = odd[_i];
	(void)run_supervisor();
	ck_assert_int_eq(end_of(supervisor, STOP_MAX), EXIT_RUNTIME);
	ck_assert_uint_eq(stage->workers, 1);
}
END_TEST

START_TEST(death_of_the_first_worker)
{
	ACT(act_die_early);
	(void)run_supervisor();
	ck_assert_int_eq(end_of(supervisor, STOP_MAX), EXIT_RUNTIME);
	ck_assert_uint_eq(stage->workers, 1);
	nothing_is_left();
}
END_TEST

/* After SIGKILL to the supervisor, the next one takes over. */
START_TEST(supervisor_is_killed)
{
	pid_t first;

	START(act_serve);
	first = supervisor;
	ck_assert_int_eq(kill(first, SIGKILL), 0);
	nap(0.05);
	ck_assert(exists("7.sock"));
	(void)run_supervisor();
	until_served(2);
	ck_assert_uint_eq(stage->old_record_size, HANDOVER_SIZE);
	ck_assert_int_eq(terminate(), EXIT_OK);
	nothing_is_left();
}
END_TEST

/* --- a worker that does not end --- */

static act *const deaf[] = { act_hang, act_pause_and_hang, act_flood_log,
			     act_send_nothing, act_close_channel };

START_TEST(worker_ignores_stop)
{
	START(act_hang);
	ck_assert_int_eq(terminate(), EXIT_RUNTIME);
	ck_assert_uint_eq(stage->workers, 1);
	ck_assert(log_has("did not end within 0 s"));
	record_is_left();
}
END_TEST

START_TEST(worker_ignores_the_domains_end)
{
	START(act_hang);
	domain_happens(-ESRCH);
	ck_assert_int_eq(end_of(supervisor, STOP_MAX), EXIT_RUNTIME);
	ck_assert_uint_eq(stage->workers, 1);
	nothing_is_left();
}
END_TEST

/* SIGTERM ends pflashd whatever the worker does. */
START_TEST(stops_with_any_worker)
{
	ACT(deaf[_i]);
	(void)run_supervisor();
	UNTIL(stage->workers >= 1);
	nap(0.1);
	(void)terminate();
}
END_TEST

START_TEST(worker_sends_no_request)
{
	ACT(act_send_nothing);
	(void)run_supervisor();
	UNTIL(stage->workers == 1);
	domain_happens(-ESRCH);
	ck_assert_int_eq(end_of(supervisor, STOP_MAX), EXIT_RUNTIME);
	nothing_is_left();
}
END_TEST

START_TEST(worker_reads_no_reply)
{
	START(act_flood, act_serve);
	until_served(2);
	ck_assert(log_has("the worker reads no reply"));
	ck_assert_int_eq(asked_number(STATUS_RESTARTS), 1);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(worker_closes_the_channel)
{
	START(act_close_channel, act_serve);
	until_served(2);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(worker_closes_the_log)
{
	double used;

	START(act_serve_silent);
	used = cpu_seconds_of(supervisor);
	nap(0.5);
	ck_assert_double_lt(cpu_seconds_of(supervisor) - used, 0.1);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(grandchild_has_the_channel)
{
	START(act_leave_grandchild, act_serve);
	until_served(2);
	nap(0.1);
	ck_assert(state_is("running"));
	ck_assert_uint_eq(stage->workers, 2);
	ck_assert_int_eq(terminate(), EXIT_OK);
	nothing_is_left();
}
END_TEST

START_TEST(crash_while_it_detaches)
{
	START(act_crash_at_stop, act_serve);
	ck_assert_int_eq(terminate(), EXIT_RUNTIME);
	ck_assert_uint_eq(stage->workers, 1);
	ck_assert(log_has("died of signal 6 while it detached"));
	record_is_left();
}
END_TEST

/* --- a worker that dies again and again --- */

static act *const deaths[] = { act_exit_0,   act_exit_3,       act_exit_100,
			       act_exit_255, act_abort,        act_kill,
			       act_segv,     act_close_channel };

START_TEST(restarts_are_counted)
{
	double began = seconds_now();

	options.restarts = 4;
	START(deaths[_i]);
	UNTIL(state_is("failed"));
	ck_assert_double_ge(seconds_now() - began, 0.7); /* 0.25 and 0.5 */
	ck_assert_uint_eq(stage->workers, 5);
	ck_assert_int_eq(asked_number(STATUS_RESTARTS), 4);
	ck_assert_int_eq(asked_number(STATUS_WORKER), 0);
	ck_assert(exists("7.handover"));
	nap(0.3);
	ck_assert_uint_eq(stage->workers, 5);
	ck_assert_int_eq(terminate(), EXIT_RUNTIME);
	record_is_left();
}
END_TEST

START_TEST(no_restart_at_all)
{
	options.restarts = 0;
	START(act_kill);
	UNTIL(state_is("failed"));
	ck_assert_uint_eq(stage->workers, 1);
	domain_happens(-ESRCH);
	ck_assert_int_eq(end_of(supervisor, STOP_MAX), EXIT_OK);
	nothing_is_left();
}
END_TEST

/* After one worker was ready, a worker that never gets ready counts, too. */
START_TEST(takeovers_that_fail_are_counted)
{
	options.restarts = 2;
	stage->result = EXIT_BUSY;
	START(act_kill, act_fail);
	UNTIL(state_is("failed"));
	ck_assert_uint_eq(stage->workers, 3);
	ck_assert_int_eq(terminate(), EXIT_RUNTIME);
	record_is_left();
}
END_TEST

START_TEST(exit_100_is_no_upgrade)
{
	START(act_exit_100, act_serve);
	until_served(2);
	ck_assert_uint_eq(stage->upgrades, 0);
	ck_assert(log_has("the worker ended with code 100"));
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* SIGTERM during the delay before the next worker. */
START_TEST(stopped_while_it_waits)
{
	options.restarts = 6;
	START(act_kill, act_kill, act_kill, act_kill, act_kill, act_kill,
	      act_serve);
	UNTIL(stage->workers == 6 && state_is("waiting"));
	ck_assert_int_eq(terminate(), EXIT_RUNTIME);
	record_is_left();
}
END_TEST

/* --- a worker that violates protocol or policy --- */

static const struct {
	const char *what;
	struct channel_request request;
} violations[] = {
	{ "no verb", { .verb = 0 } },
	{ "unknown verb", { .verb = CHANNEL_VERBS } },
	{ "the last verb", { .verb = 255 } },
	{ "padding", { .verb = CHANNEL_GET_TYPE, .zero = 1 } },
	{ "flag", { .verb = CHANNEL_PAUSE, .flag = 2 } },
	{ "role", { .verb = CHANNEL_OPEN, .role = CHANNEL_ROLES } },
	{ "ready twice", { .verb = CHANNEL_READY } },
	{ "a mode that was not ordered", { .verb = CHANNEL_MODE } },
	{ "new VARS", { .verb = CHANNEL_CREATE, .role = FILES_VARS } },
	{ "VARS anew", { .verb = CHANNEL_INSTALL, .role = FILES_VARS } },
	{ "VARS replaced",
	  { .verb = CHANNEL_INSTALL, .role = FILES_VARS, .flag = 1 } },
	{ "no VARS", { .verb = CHANNEL_REMOVE, .role = FILES_VARS } },
	{ "no journal", { .verb = CHANNEL_REMOVE, .role = FILES_JOURNAL } },
	{ "the record twice",
	  { .verb = CHANNEL_INSTALL, .role = CHANNEL_HANDOVER } },
	{ "the record itself",
	  { .verb = CHANNEL_OPEN, .role = CHANNEL_HANDOVER, .flag = 1 } },
	{ "a trace that was not ordered",
	  { .verb = CHANNEL_OPEN, .role = CHANNEL_TRACE, .flag = 1 } },
	{ "RAM", { .verb = CHANNEL_POPULATE, .gfn = 1, .count = 1 } },
	{ "Xen's special pages",
	  { .verb = CHANNEL_POPULATE, .gfn = 0xfeffc, .count = 1 } },
};

static void
set_violation(const void *bytes, size_t size, unsigned int descriptors)
{
	memcpy(violation, bytes, size);
	violation_size = size;
	violation_descriptors = descriptors;
}

/* The worker is killed and replaced; its request is not executed. */
static void
expect_violation(void)
{
	START(act_violate, act_serve);
	until_served(2);
	ck_assert(log_has("; the worker is killed"));
	ck_assert_uint_eq(stage->replies, 0);
	ck_assert_int_eq(asked_number(STATUS_RESTARTS), 1);
	ck_assert_uint_eq(stage->populates + stage->types + stage->pauses, 0);
	ck_assert_int_eq(access(VARS, F_OK), 0);
	ck_assert_int_eq(terminate(), EXIT_OK);
}

START_TEST(violation_ends_the_worker)
{
	set_violation(&violations[_i].request, sizeof(violations[_i].request),
		      0);
	expect_violation();
}
END_TEST

START_TEST(message_of_another_size)
{
	static const size_t sizes[] = { 1, 8, 15, 17, 64 };
	uint8_t bytes[64] = { CHANNEL_GET_TYPE };

	set_violation(bytes, sizes[_i], 0);
	expect_violation();
}
END_TEST

START_TEST(violation_before_it_is_ready)
{
	set_violation(&violations[_i].request, sizeof(violations[_i].request),
		      0);
	ACT(act_violate_early);
	(void)run_supervisor();
	ck_assert_int_eq(end_of(supervisor, STOP_MAX), EXIT_RUNTIME);
	ck_assert_uint_eq(stage->workers, 1);
	ck_assert_uint_eq(stage->ready, 0);
	nothing_is_left();
}
END_TEST

/* _i + 1 descriptors in a request. */
START_TEST(descriptors_in_a_request)
{
	const struct channel_request request = { .verb = CHANNEL_GET_TYPE };
	unsigned int before;

	set_violation(&request, sizeof(request), (unsigned int)_i + 1);
	START(act_serve_late, act_violate, act_violate, act_violate, act_serve);
	UNTIL(state_is("running"));
	before = descriptors_of(supervisor);
	ck_assert_int_eq(kill((pid_t)asked_number(STATUS_WORKER), SIGKILL), 0);
	until_served(5);
	ck_assert_uint_eq(descriptors_of(supervisor), before);
	ck_assert_uint_eq(stage->types, 0);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* The worker cannot undo an administrator's pause. */
START_TEST(pause_of_an_administrator)
{
	const struct channel_request request = { .verb = CHANNEL_UNPAUSE };

	set_violation(&request, sizeof(request), 0);
	START(act_violate);
	UNTIL(stage->replies == 1);
	ck_assert_int_eq(stage->result, 0);
	ck_assert_uint_eq(stage->unpauses, 0);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* --- a pause by the flash, and its end --- */

START_TEST(next_worker_ends_the_pause)
{
	const struct channel_request request = { .verb = CHANNEL_UNPAUSE };

	set_violation(&request, sizeof(request), 0);
	START(act_pause_and_die, act_violate);
	UNTIL(stage->replies == 1);
	ck_assert_uint_eq(stage->pauses, 1);
	ck_assert_uint_eq(stage->unpauses, 1);
	ck_assert_int_eq(terminate(), EXIT_OK);
	nothing_is_left();
}
END_TEST

START_TEST(next_pflashd_ends_the_pause)
{
	const struct channel_request request = { .verb = CHANNEL_UNPAUSE };

	set_violation(&request, sizeof(request), 0);
	START(act_pause_and_hang, act_violate);
	UNTIL(stage->replies == 1);
	ck_assert_int_eq(terminate(), EXIT_RUNTIME);
	ck_assert(exists("7.handover"));
	(void)run_supervisor();
	UNTIL(stage->replies == 2);
	ck_assert_uint_eq(stage->unpauses, 1);
	ck_assert_int_eq(terminate(), EXIT_OK);
	nothing_is_left();
}
END_TEST

/* --- the worker's descriptors --- */

START_TEST(worker_has_the_channel_only)
{
	START(act_kill, act_serve);
	ck_assert_int_eq(stage->descriptors, 0x1f);
	until_served(2);
	ck_assert_int_eq(stage->descriptors, 0x1f);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(nothing_leaks_by_restarts)
{
	unsigned int before;

	options.restarts = 100;
	START(act_serve);
	UNTIL(state_is("running"));
	before = descriptors_of(supervisor);
	for (unsigned int i = 2; i < 4; i++) {
		pid_t worker = (pid_t)asked_number(STATUS_WORKER);

		ck_assert_int_eq(kill(worker, SIGKILL), 0);
		until_served(i);
	}
	ck_assert_uint_eq(descriptors_of(supervisor), before);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* --- the worker's log lines --- */

/* Each line is printable and begins with the supervisor's prefix. */
static unsigned int
check_lines(char *log)
{
	unsigned int count = 0;

	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
		ck_assert_msg(strncmp(line, PREFIX, strlen(PREFIX)) == 0,
			      "a line without the prefix: %s", line);
		for (const char *c = line; *c; c++)
			ck_assert_msg(*c >= ' ' && *c <= '~', "%s", line);
		ck_assert_uint_le(strlen(line), strlen(PREFIX) + 1024);
		count++;
	}
	return count;
}

static const char *const forged[] = {
	PREFIX "pflashd: victim (1), /victim: gone\n",
	PREFIX "?[2J?]0;title?????31m???red\n",
	PREFIX "emergency\n",
	PREFIX "<8>eight\n",
	PREFIX "<12>twelve\n",
	PREFIX "<3\n" PREFIX "<\n" PREFIX "\n" PREFIX "%s%n%1000000d\n",
	PREFIX "zero\n" PREFIX "last\n",
};

START_TEST(forged_lines)
{
	char *log;

	START(act_forge_log);
	UNTIL(log_has("last"));
	for (unsigned int i = 0; i < sizeof(forged) / sizeof(*forged); i++)
		ck_assert_msg(log_has(forged[i]), "%s", forged[i]);
	log = log_text();
	(void)check_lines(log);
	free(log);
}
END_TEST

static void
flood_with(act *flood)
{
	char *log;

	START(flood);
	UNTIL(stage->proceed);
	ck_assert(state_is("running"));
	(void)terminate();
	log = log_text();
	ck_assert_uint_le(check_lines(log), 520);
	free(log);
}

START_TEST(flood_of_lines)
{
	flood_with(act_flood_log);
}
END_TEST

START_TEST(endless_line)
{
	flood_with(act_pour_log);
}
END_TEST

/* --- the worker's report --- */

START_TEST(report_full_of_garbage)
{
	struct json_object *answer;

	START(act_scribble);
	UNTIL(stage->replies == 1);
	answer = ask(CONTROL_STATUS);
	ck_assert_str_eq(text_of(answer, STATUS_NAME), "guest");
	ck_assert_str_eq(text_of(answer, STATUS_STATE), "running");
	ck_assert_str_eq(text_of(answer, STATUS_MODE), "direct");
	ck_assert_int_eq(number_of(answer, STATUS_DOMAIN), DOMID);
	ck_assert_uint_eq(strlen(text_of(answer, STATUS_FAILURE)), 255);
	ck_assert_ptr_null(text_of(answer, STATUS_ERROR));
	ck_assert_int_eq(number_of(answer, STATUS_ERRORS), 1);
	ck_assert_int_eq(json_object_object_length(answer), 34);
	json_object_put(answer);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* The worker reports whether --sync variable is in effect, or burst instead. */
START_TEST(status_has_the_sync_mode_in_effect)
{
	struct json_object *answer;

	START(_i ? act_scribble : act_serve);
	if (_i)
		UNTIL(stage->replies == 1);
	answer = ask(CONTROL_STATUS);
	ck_assert_str_eq(text_of(answer, STATUS_SYNC),
			 _i ? "burst" : "variable");
	ck_assert_int_eq(text_of(answer, STATUS_SYNC_REASON) != NULL, _i);
	json_object_put(answer);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(status_is_the_supervisors_own)
{
	struct ucred peer = { .pid = 0 };
	socklen_t len = sizeof(peer);
	int fd;

	START(act_scribble);
	fd = client_connect();
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len),
			 0);
	close(fd);
	ck_assert_int_eq(peer.pid, supervisor);
	ck_assert_int_eq(asked_number(STATUS_PID), supervisor);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* --- the write limit --- */

static const struct {
	double level, when; /* when: 0 is now */
} levels[] = {
	{ NAN, 0 },    { INFINITY, 0 }, { -INFINITY, 0 },  { 1e308, 0 },
	{ -1e308, 0 }, { -1, 0 },       { 0, NAN },        { 0, INFINITY },
	{ 0, -1 },     { 0, 1e300 },    { -1e308, 1e300 }, { 1000, 0 },
};

/* Reads the limit file; false: there is none. */
static bool
limit_file(double *units, double *when)
{
	glob_t found;
	bool is = glob(PFLASH_RUN_DIR "/*.limit", 0, NULL, &found) == 0;
	FILE *file;

	if (is) {
		ck_assert_uint_eq(found.gl_pathc, 1);
		file = fopen(found.gl_pathv[0], "re");
		ck_assert_ptr_nonnull(file);
		ck_assert_int_eq(fscanf(file, "%lf %lf", units, when), 2);
		(void)fclose(file);
	}
	globfree(&found);
	return is;
}

START_TEST(limit_file_is_sane)
{
	double units = 0, when = 0;

	scribble_level = levels[_i].level;
	scribble_when = levels[_i].when != 0 ? levels[_i].when : limit_clock();
	START(act_scribble);
	UNTIL(stage->replies == 1);
	ck_assert_int_eq(terminate(), EXIT_OK);
	if (limit_file(&units, &when)) {
		ck_assert_double_ge(units, -(double)LIMIT_DEBT_MOST);
		ck_assert_double_lt(units, (double)LIMIT_BURST);
		ck_assert_double_ge(when, 0);
		ck_assert_double_le(when, limit_clock() + 0.01);
	}
	START(act_serve);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(limit_goes_on)
{
	START(act_claim_level, act_claim_level, act_serve);
	UNTIL(stage->replies == 1);
	ck_assert_int_eq(kill((pid_t)asked_number(STATUS_WORKER), SIGKILL), 0);
	until_served(2);
	ck_assert_double_eq(stage->level, 1000);
	UNTIL(stage->replies == 2);
	ck_assert_int_eq(terminate(), EXIT_OK);
	(void)run_supervisor();
	until_served(3);
	ck_assert_double_eq(stage->level, 1000);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* --- clients --- */

START_TEST(twenty_silent_clients)
{
	double began;
	int fds[20];

	START(act_kill, act_serve);
	for (int i = 0; i < 20; i++)
		fds[i] = client_connect();
	until_served(2); /* the supervisor replaces the worker meanwhile */
	began = seconds_now();
	ck_assert(state_is("running"));
	ck_assert_double_lt(seconds_now() - began, 5);
	for (int i = 0; i < 20; i++)
		json_object_put(client_answer(fds[i]));
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(a_client_that_drips)
{
	double began = seconds_now();
	int fd;

	START(act_serve);
	fd = client_connect();
	while (send(fd, "s", 1, MSG_NOSIGNAL) == 1 &&
	       seconds_now() - began < 10)
		nap(0.02);
	ck_assert_double_lt(seconds_now() - began, 5);
	close(fd);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(odd_lines)
{
	char line[CONTROL_LINE * 2];

	START(act_serve);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	ck_assert_str_ne(refusal(ask("kill")), "");
	ck_assert_str_ne(refusal(ask("mode sideways")), "");
	ck_assert_str_ne(refusal(ask("\033[31m\"")), "");
	ck_assert_str_eq(refusal(ask("")), "");
	ck_assert(state_is("running"));
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(stopped_with_clients)
{
	int fd;

	START(act_serve);
	fd = client_connect();
	ck_assert_int_eq(terminate(), EXIT_OK);
	close(fd);
	ck_assert(!exists("7.sock"));
}
END_TEST

/* --- the mode --- */

START_TEST(mode_is_changed)
{
	START(act_answer_modes);
	ck_assert_str_eq(refusal(ask("mode trap")), "");
	ck_assert_str_eq(refusal(ask("mode direct")), "");
	ck_assert_int_eq(stage->order[0], CHANNEL_TO_TRAP);
	ck_assert_int_eq(stage->order[1], CHANNEL_TO_DIRECT);
	stage->result = EBUSY;
	ck_assert_str_eq(refusal(ask("mode trap")), strerror(EBUSY));
	stage->result = -5;
	ck_assert_str_ne(refusal(ask("mode trap")), "");
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* Two clients wait, one for the worker, one for the new program: in vain. */
START_TEST(mode_is_never_answered)
{
	double began = seconds_now();
	int mode, upgrade;

	set_new_program("hangs");
	START(act_serve);
	mode = client_send("mode trap\n");
	upgrade = client_send("upgrade\n");
	UNTIL(stage->orders == 1);
	ck_assert_str_eq(refusal(ask("mode trap")),
			 "the mode is being changed");
	ck_assert(state_is("running"));
	ck_assert_str_eq(refusal(client_answer(upgrade)),
			 "the new program did not answer within 10 s");
	ck_assert_str_eq(refusal(client_answer(mode)),
			 "the worker did not answer in time");
	ck_assert_double_lt(seconds_now() - began, 15);
	ck_assert_uint_eq(stage->workers, 1);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(worker_dies_of_the_mode)
{
	int fd;

	START(act_serve);
	fd = client_send("mode trap\n");
	UNTIL(stage->orders == 1);
	ck_assert_int_eq(kill((pid_t)asked_number(STATUS_WORKER), SIGKILL), 0);
	ck_assert_str_eq(refusal(client_answer(fd)), "the worker has died");
	until_served(2);
	fd = client_send(
		"mode trap\n"); /* the next worker gets an order, too */
	UNTIL(stage->orders == 2);
	close(fd);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* --- suspended and resumed --- */

START_TEST(suspended_and_resumed)
{
	START(act_serve);
	for (unsigned int i = 0; i < 4; i++) {
		domain_happens(i % 2 ? -EINPROGRESS : SHUTDOWN_suspend);
		UNTIL(stage->orders == i + 1);
		ck_assert_int_eq(stage->order[i],
				 i % 2 ? CHANNEL_RESUME : CHANNEL_SUSPEND);
	}
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* Xen sends no event for a resume. */
START_TEST(resumed_without_an_event)
{
	START(act_serve);
	domain_happens(SHUTDOWN_suspend);
	UNTIL(stage->orders == 1);
	ck_assert_str_eq(refusal(ask("mode trap")), "the guest is suspended");
	ck_assert_str_eq(refusal(ask("upgrade")), "the guest is suspended");
	stage->reason = -EINPROGRESS;
	UNTIL(stage->orders == 2);
	ck_assert_int_eq(stage->order[1], CHANNEL_RESUME);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(commanded_right_after_the_resume)
{
	int fd;

	START(act_serve);
	domain_happens(SHUTDOWN_suspend);
	UNTIL(stage->orders == 1);
	stage->reason = -EINPROGRESS;
	fd = client_send("mode trap\n");
	UNTIL(stage->orders == 3);
	ck_assert_int_eq(stage->order[1], CHANNEL_RESUME);
	ck_assert_int_eq(stage->order[2], CHANNEL_TO_TRAP);
	close(fd);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* Another host may use the file: the next worker starts at the resume. */
START_TEST(death_while_it_is_suspended)
{
	START(act_serve, act_serve);
	domain_happens(SHUTDOWN_suspend);
	UNTIL(stage->orders == 1);
	ck_assert_int_eq(kill((pid_t)asked_number(STATUS_WORKER), SIGKILL), 0);
	UNTIL(state_is("waiting"));
	nap(0.3);
	ck_assert_uint_eq(stage->workers, 1);
	domain_happens(-EINPROGRESS);
	until_served(2);
	ck_assert(state_is("running"));
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* _i: the guest runs; it is destroyed, and is still paused then. */
START_TEST(flash_waits_for_its_guest)
{
	stage->reason = -EINPROGRESS;
	stage->paused = 1;
	START(act_serve_arrived);
	nap(0.3);
	ck_assert_uint_eq(stage->orders, 0);
	if (_i) {
		domain_happens(-ESRCH);
		ck_assert_int_eq(end_of(supervisor, STOP_MAX), EXIT_OK);
		nothing_is_left();
		return;
	}
	stage->paused = 0;
	UNTIL(stage->orders == 1);
	ck_assert_int_eq(stage->order[0], CHANNEL_RESUME);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* The worker reads its orders after all have been sent. */
START_TEST(orders_keep_their_order)
{
	START(act_serve_late);
	for (unsigned int i = 0; i < 20; i++)
		domain_happens(i % 2 ? -EINPROGRESS : SHUTDOWN_suspend);
	stage->proceed = true;
	UNTIL(stage->orders == 20);
	for (unsigned int i = 0; i < 20; i++)
		ck_assert_int_eq(stage->order[i],
				 i % 2 ? CHANNEL_RESUME : CHANNEL_SUSPEND);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* The guest is suspended before the worker is ready. */
START_TEST(next_worker_gets_the_suspend_order)
{
	START(act_kill, act_ready_late);
	UNTIL(stage->workers == 2);
	domain_happens(SHUTDOWN_suspend);
	stage->proceed = true;
	UNTIL(stage->orders == 1);
	ck_assert_int_eq(stage->order[0], CHANNEL_SUSPEND);
	ck_assert_uint_eq(stage->workers, 2);
	domain_happens(SHUTDOWN_poweroff);
	ck_assert_int_eq(end_of(supervisor, STOP_MAX), EXIT_OK);
	nothing_is_left();
}
END_TEST

/* --- the handover record --- */

START_TEST(record_is_handed_on)
{
	START(act_fill_and_die, act_fill_late, act_serve);
	UNTIL(stage->workers >= 2);
	until_served(3);
	ck_assert_uint_eq(stage->old_record_size, HANDOVER_SIZE);
	ck_assert_uint_eq(stage->old_record, 2);
	ck_assert_uint_eq(stage->new_record, 0);
	ck_assert_int_eq(terminate(), EXIT_OK);
	nothing_is_left();
}
END_TEST

START_TEST(record_without_a_name)
{
	START(act_fill_uninstalled, act_serve);
	until_served(2);
	ck_assert_uint_eq(stage->old_record_size, 0);
	ck_assert_uint_eq(stage->new_record, 0);
	ck_assert_int_eq(terminate(), EXIT_OK);
	nothing_is_left();
}
END_TEST

/* Once the second worker was ready, the first one's record is obsolete. */
START_TEST(record_of_two_workers_ago)
{
	START(act_fill_and_die, act_fill_uninstalled, act_serve);
	until_served(3);
	ck_assert_uint_eq(stage->old_record_size, 0);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* But not if the second one failed before it was ready. */
START_TEST(record_outlives_a_failed_takeover)
{
	stage->result = EXIT_DOMAIN;
	START(act_fill_and_die, act_fail, act_serve);
	until_served(3);
	ck_assert_uint_eq(stage->old_record, 1);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* /run is full: the second worker has no record, only the first one's. */
START_TEST(no_room_for_a_record)
{
	int fd;

	START(act_fill_and_wait, act_serve);
	fd = open("/run/full", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (posix_fallocate(fd, lseek(fd, 0, SEEK_END), 4096) == 0)
		;
	ck_assert_int_eq(kill((pid_t)asked_number(STATUS_WORKER), SIGKILL), 0);
	until_served(2);
	ck_assert_uint_eq(stage->new_record, 0xff); /* NULL */
	ck_assert_uint_eq(stage->old_record, 1);
	ck_assert_str_ne(refusal(ask("upgrade")), "");
	ck_assert_int_eq(unlink("/run/full"), 0);
	close(fd);
	ck_assert_int_eq(kill((pid_t)asked_number(STATUS_WORKER), SIGKILL), 0);
	until_served(3);
	ck_assert_uint_eq(stage->new_record, 0);
	ck_assert_uint_eq(stage->old_record_size, 0);
	ck_assert_int_eq(terminate(), EXIT_OK);
	nothing_is_left();
}
END_TEST

/* The second worker cannot start: that counts as a death. */
START_TEST(record_that_cannot_be_read)
{
	options.restarts = 3;
	START(act_fill_and_wait, act_serve);
	UNTIL(state_is("running"));
	ck_assert_int_eq(truncate(PFLASH_RUN_DIR "/7.handover", 2 << 20), 0);
	ck_assert_int_eq(kill((pid_t)asked_number(STATUS_WORKER), SIGKILL), 0);
	UNTIL(state_is("failed"));
	ck_assert(log_has("bytes are too many for a handover record"));
	ck_assert_uint_eq(stage->workers, 1);
	ck_assert_int_eq(terminate(), EXIT_RUNTIME);
	record_is_left();
}
END_TEST

/* --- two supervisors --- */

START_TEST(two_supervisors)
{
	pid_t first;

	START(act_serve);
	first = supervisor;
	options.wait = 1;
	(void)run_supervisor();
	ck_assert_int_eq(end_of(supervisor, 5), EXIT_BUSY);
	ck_assert_uint_eq(stage->workers, 1);
	supervisor = first;
	ck_assert(exists("7.lock"));
	ck_assert(exists("7.handover"));
	ck_assert(state_is("running"));
	ck_assert_int_eq(terminate(), EXIT_OK);
	nothing_is_left();
}
END_TEST

START_TEST(second_supervisor_waits)
{
	pid_t first;

	START(act_serve);
	first = supervisor;
	options.wait = 5;
	(void)run_supervisor();
	nap(0.1);
	ck_assert_int_eq(kill(first, SIGTERM), 0);
	ck_assert_int_eq(end_of(first, STOP_MAX), EXIT_OK);
	until_served(2);
	ck_assert_uint_eq(stage->old_record_size, 0);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* --- upgrades --- */

START_TEST(new_program_takes_over)
{
	double units = 0, when = 0;

	set_new_program("accepts");
	START(act_claim_level);
	UNTIL(stage->replies == 1);
	upgrade_succeeds(client_send("upgrade\n"));
	UNTIL(stage->upgrades == 1 && stage->workers == 2);
	until_served(2);
	ck_assert_int_gt(stage->lock, STDERR_FILENO);
	ck_assert_uint_eq(stage->old_record_size, HANDOVER_SIZE);
	ck_assert(limit_file(&units, &when));
	ck_assert_double_eq(stage->level, 1000);
	ck_assert_int_eq(asked_number(STATUS_PID), supervisor);
	ck_assert_int_eq(terminate(), EXIT_OK);
	nothing_is_left();
}
END_TEST

START_TEST(new_program_by_signal)
{
	set_new_program("accepts");
	START(act_serve);
	ck_assert_int_eq(kill(supervisor, SIGUSR2), 0);
	UNTIL(stage->upgrades == 1);
	until_served(2);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* The first worker of the new program dies: it is restarted. */
START_TEST(new_program_stumbles)
{
	set_new_program("stumbles");
	START(act_serve);
	upgrade_succeeds(client_send("upgrade\n"));
	UNTIL(stage->upgrades == 1);
	until_served(3);
	ck_assert_uint_eq(stage->old_record_size, HANDOVER_SIZE);
	ck_assert_int_eq(terminate(), EXIT_OK);
	nothing_is_left();
}
END_TEST

/* The new program never serves: the guest waits until another upgrade. */
START_TEST(new_program_never_serves)
{
	set_new_program("falls");
	START(act_serve);
	upgrade_succeeds(client_send("upgrade\n"));
	UNTIL(stage->upgrades == 1 && state_is("failed"));
	ck_assert(exists("7.handover"));
	upgrade_succeeds(client_send("upgrade\n"));
	UNTIL(stage->upgrades == 2);
	UNTIL(state_is("running"));
	ck_assert_uint_eq(stage->old_record_size, HANDOVER_SIZE);
	ck_assert_int_eq(terminate(), EXIT_OK);
	nothing_is_left();
}
END_TEST

static const char *const refusals[][2] = {
	{ "refuses", "pflashd: the record is too old" },
	{ "chats", "pflashd: the reason" },
	{ "crashes", "the new program failed" },
};

START_TEST(new_program_refuses)
{
	set_new_program(refusals[_i][0]);
	START(act_serve);
	ck_assert_str_eq(refusal(ask("upgrade")), refusals[_i][1]);
	nap(0.05);
	ck_assert_uint_eq(stage->orders, 0);
	ck_assert_uint_eq(stage->workers, 1);
	ck_assert(state_is("running"));
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(no_program)
{
	START(act_serve);
	ck_assert_str_ne(refusal(ask("upgrade")), "");
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* A worker that ignores the order is killed; the upgrade goes on. */
START_TEST(worker_ignores_the_upgrade)
{
	set_new_program("accepts");
	START(act_hang);
	upgrade_succeeds(client_send("upgrade\n"));
	UNTIL(stage->upgrades == 1);
	until_served(2);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(no_upgrade_without_a_record)
{
	set_new_program("accepts");
	START(act_serve_unrecorded);
	ck_assert_str_ne(refusal(ask("upgrade")), "");
	nap(0.1);
	ck_assert_uint_eq(stage->upgrades, 0);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(failed_until_an_upgrade)
{
	set_new_program("accepts");
	options.restarts = 1;
	START(act_kill);
	UNTIL(state_is("failed"));
	upgrade_succeeds(client_send("upgrade\n"));
	UNTIL(stage->upgrades == 1);
	until_served(3);
	ck_assert_uint_eq(stage->old_record_size, HANDOVER_SIZE);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* The new program accepts, and is removed before it is executed. */
START_TEST(new_program_is_gone)
{
	set_new_program("vanishes");
	START(act_serve);
	ck_assert_ptr_nonnull(strstr(refusal(ask("upgrade")),
				     "cannot upgrade to "));
	until_served(2);
	ck_assert(log_has("cannot upgrade to"));
	ck_assert_uint_eq(stage->upgrades, 0);
	ck_assert_int_eq(terminate(), EXIT_OK);
	nothing_is_left();
}
END_TEST

/* The restart delay must not start a second worker. */
START_TEST(new_program_is_gone_while_it_waits)
{
	set_new_program("vanishes");
	options.restarts = 6;
	START(act_kill, act_kill, act_kill, act_kill, act_kill, act_kill,
	      act_serve);
	UNTIL(stage->workers == 6 && state_is("waiting"));
	ck_assert_ptr_nonnull(strstr(refusal(ask("upgrade")),
				     "cannot upgrade to "));
	until_served(7);
	nap(1.2);
	ck_assert_uint_eq(stage->workers, 7);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(suspended_while_it_is_checked)
{
	int fd;

	set_new_program("thinks");
	START(act_serve);
	fd = client_send("upgrade\n");
	nap(0.1);
	domain_happens(SHUTDOWN_suspend);
	ck_assert_str_eq(refusal(client_answer(fd)), "the guest is suspended");
	nap(0.1);
	ck_assert_uint_eq(stage->orders, 1);
	ck_assert_uint_eq(stage->upgrades, 0);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(stopped_while_it_is_checked)
{
	int fd;

	set_new_program("thinks");
	START(act_serve);
	fd = client_send("upgrade\n");
	nap(0.1);
	ck_assert_int_eq(terminate(), EXIT_OK);
	ck_assert_str_eq(refusal(client_answer(fd)), "pflashd is stopping");
	nap(0.5);
	ck_assert_uint_eq(stage->upgrades, 0);
	nothing_is_left();
}
END_TEST

/* The answer to the mode command does not end the upgrade. */
START_TEST(mode_while_it_is_checked)
{
	int fd;

	set_new_program("thinks");
	START(act_answer_modes);
	fd = client_send("upgrade\n");
	nap(0.1);
	stage->result = EBUSY;
	ck_assert_str_eq(refusal(ask("mode trap")), strerror(EBUSY));
	upgrade_succeeds(fd);
	UNTIL(stage->upgrades == 1);
	until_served(2);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* SIGTERM during an upgrade: the flash stays attached. */
START_TEST(stopped_while_it_upgrades)
{
	int fd;

	set_new_program("accepts");
	START(act_upgrade_slowly);
	fd = client_send("upgrade\n");
	UNTIL(stage->orders == 1);
	ck_assert_int_eq(terminate(), EXIT_RUNTIME);
	ck_assert_str_eq(refusal(client_answer(fd)), "pflashd is stopping");
	ck_assert_uint_eq(stage->upgrades, 0);
	record_is_left();
}
END_TEST

/* --- this program as the new program --- */

/* --check-handover: the exit code for this behaviour. */
static int
check_handover(const char *behaviour)
{
	if (strcmp(behaviour, "accepts") == 0 ||
	    strcmp(behaviour, "stumbles") == 0 ||
	    strcmp(behaviour, "falls") == 0)
		return 0;
	if (strcmp(behaviour, "thinks") == 0)
		nap(0.6);
	else if (strcmp(behaviour, "vanishes") == 0)
		return mount("/dev/null", "/proc/self/exe", NULL, MS_BIND,
			     NULL) < 0;
	else if (strcmp(behaviour, "hangs") == 0)
		nap(60);
	else if (strcmp(behaviour, "crashes") == 0)
		abort();
	else if (strcmp(behaviour, "refuses") == 0)
		fputs("pflashd: the record is too old\n", stderr);
	for (int i = 0; strcmp(behaviour, "chats") == 0 && i < 100; i++)
		fprintf(stderr, "pflashd: note %d\n", i);
	if (strcmp(behaviour, "chats") == 0)
		fputs("pflashd: the reason\n", stderr);
	return strcmp(behaviour, "thinks") != 0;
}

static int
be_new_program(int argc, char **argv)
{
	int lease;

	if (argc > 2)
		return check_handover(argv[1]);
	if (!stage_find())
		return EXIT_RUNTIME;
	ACT(act_serve);
	if (strcmp(argv[1], "stumbles") == 0)
		ACT(act_serve, act_die_early, act_serve);
	if (strcmp(argv[1], "falls") == 0)
		ACT(act_die_early);
	options.restarts = 3;
	stage->lock = upgrade_inherited(&lease);
	stage->upgrades++;
	set_new_program("accepts");
	return supervise(stage->lock);
}

/* --- the suite --- */

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

static void
add_ends(Suite *suite)
{
	TCase *tc = tcase_create("ends");

	tcase_add_checked_fixture(tc, stage_make, stage_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, sigterm_detaches);
	tcase_add_test(tc, a_used_file_is_recorded);
	tcase_add_loop_test(tc, domain_ends, 0, COUNT(ends_of_domain));
	tcase_add_test(tc, hypervisor_has_no_answer);
	tcase_add_loop_test(tc, failure_of_the_first_worker, 1, 6);
	tcase_add_loop_test(tc, odd_failure_of_the_first_worker, 0, 4);
	tcase_add_test(tc, death_of_the_first_worker);
	tcase_add_test(tc, supervisor_is_killed);
	tcase_add_test(tc, worker_ignores_stop);
	tcase_add_test(tc, worker_ignores_the_domains_end);
	tcase_add_loop_test(tc, stops_with_any_worker, 0, COUNT(deaf));
	tcase_add_test(tc, worker_sends_no_request);
	tcase_add_test(tc, worker_reads_no_reply);
	tcase_add_test(tc, worker_closes_the_channel);
	tcase_add_test(tc, worker_closes_the_log);
	tcase_add_test(tc, grandchild_has_the_channel);
	tcase_add_test(tc, crash_while_it_detaches);
	tcase_add_loop_test(tc, restarts_are_counted, 0, COUNT(deaths));
	tcase_add_test(tc, no_restart_at_all);
	tcase_add_test(tc, takeovers_that_fail_are_counted);
	tcase_add_test(tc, exit_100_is_no_upgrade);
	tcase_add_test(tc, stopped_while_it_waits);
	suite_add_tcase(suite, tc);
}

static void
add_violations(Suite *suite)
{
	TCase *tc = tcase_create("violations");

	tcase_add_checked_fixture(tc, stage_make, stage_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, violation_ends_the_worker, 0,
			    COUNT(violations));
	tcase_add_loop_test(tc, message_of_another_size, 0, 5);
	tcase_add_loop_test(tc, violation_before_it_is_ready, 0, 6);
	tcase_add_loop_test(tc, descriptors_in_a_request, 0, 3);
	tcase_add_test(tc, pause_of_an_administrator);
	tcase_add_test(tc, next_worker_ends_the_pause);
	tcase_add_test(tc, next_pflashd_ends_the_pause);
	tcase_add_test(tc, worker_has_the_channel_only);
	tcase_add_test(tc, nothing_leaks_by_restarts);
	tcase_add_test(tc, forged_lines);
	tcase_add_test(tc, flood_of_lines);
	tcase_add_test(tc, endless_line);
	tcase_add_test(tc, report_full_of_garbage);
	tcase_add_test(tc, status_is_the_supervisors_own);
	tcase_add_loop_test(tc, status_has_the_sync_mode_in_effect, 0, 2);
	tcase_add_loop_test(tc, limit_file_is_sane, 0, COUNT(levels));
	tcase_add_test(tc, limit_goes_on);
	suite_add_tcase(suite, tc);
}

static void
add_commands(Suite *suite)
{
	TCase *tc = tcase_create("commands");

	tcase_add_checked_fixture(tc, stage_make, stage_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, twenty_silent_clients);
	tcase_add_test(tc, a_client_that_drips);
	tcase_add_test(tc, odd_lines);
	tcase_add_test(tc, stopped_with_clients);
	tcase_add_test(tc, mode_is_changed);
	tcase_add_test(tc, mode_is_never_answered);
	tcase_add_test(tc, worker_dies_of_the_mode);
	tcase_add_test(tc, suspended_and_resumed);
	tcase_add_test(tc, death_while_it_is_suspended);
	tcase_add_loop_test(tc, flash_waits_for_its_guest, 0, 2);
	tcase_add_test(tc, resumed_without_an_event);
	tcase_add_test(tc, commanded_right_after_the_resume);
	tcase_add_test(tc, orders_keep_their_order);
	tcase_add_test(tc, next_worker_gets_the_suspend_order);
	tcase_add_test(tc, record_is_handed_on);
	tcase_add_test(tc, record_without_a_name);
	tcase_add_test(tc, record_of_two_workers_ago);
	tcase_add_test(tc, record_outlives_a_failed_takeover);
	tcase_add_test(tc, no_room_for_a_record);
	tcase_add_test(tc, record_that_cannot_be_read);
	tcase_add_test(tc, two_supervisors);
	tcase_add_test(tc, second_supervisor_waits);
	suite_add_tcase(suite, tc);
}

static void
add_upgrades(Suite *suite)
{
	TCase *tc = tcase_create("upgrades");

	tcase_add_checked_fixture(tc, stage_make, stage_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, new_program_takes_over);
	tcase_add_test(tc, new_program_by_signal);
	tcase_add_test(tc, new_program_stumbles);
	tcase_add_test(tc, new_program_never_serves);
	tcase_add_loop_test(tc, new_program_refuses, 0, COUNT(refusals));
	tcase_add_test(tc, no_program);
	tcase_add_test(tc, worker_ignores_the_upgrade);
	tcase_add_test(tc, no_upgrade_without_a_record);
	tcase_add_test(tc, failed_until_an_upgrade);
	tcase_add_test(tc, new_program_is_gone);
	tcase_add_test(tc, new_program_is_gone_while_it_waits);
	tcase_add_test(tc, suspended_while_it_is_checked);
	tcase_add_test(tc, stopped_while_it_is_checked);
	tcase_add_test(tc, mode_while_it_is_checked);
	tcase_add_test(tc, stopped_while_it_upgrades);
	suite_add_tcase(suite, tc);
}

START_TEST(needs_a_mount_namespace)
{
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("supervisor");
	SRunner *runner = srunner_create(suite);
	TCase *none = tcase_create("none");
	int failed;

	if (argc > 1)
		return be_new_program(argc, argv);
	if (stage_possible()) {
		add_ends(suite);
		add_violations(suite);
		add_commands(suite);
		add_upgrades(suite);
	} else {
		tcase_add_test(none, needs_a_mount_namespace);
	}
	suite_add_tcase(suite, none);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
