/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real supervisor and the traces of its workers: the file of --trace, the
 * connection of pflashctl, and a worker that asks for a trace that nobody has
 * ordered.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xen/sched.h>

#include "channel.h"
#include "double_worker.h"
#include "pflash/control.h"
#include "pflash/trace.h"
#include "supervised.h"
#include "supervisor/upgrade.h"

#define TRACE "/run/trace"
#define STOP_MAX 3.

/* --- the worker --- */

static int current = -1; /* its trace */

static int
ask_supervisor(const struct worker_start *start, enum channel_verb verb,
	       uint8_t role, bool flag, struct channel_reply *reply)
{
	const struct channel_request request = { .verb = (uint8_t)verb,
						 .role = role,
						 .flag = flag };
	int fd = -1;

	if (channel_send(start->requests, &request, sizeof(request), -1) < 0 ||
	    channel_receive(start->requests, reply, sizeof(*reply), &fd) <= 0)
		_exit(EXIT_RUNTIME);
	return fd;
}

/* As worker/tracer.c; the stage gets the flags, or -errno. */
static void
open_trace(const struct worker_start *start)
{
	struct channel_reply reply;
	int fd = ask_supervisor(start, CHANNEL_OPEN, CHANNEL_TRACE, true,
				&reply);

	if (fd >= 0) {
		current = fd;
		dprintf(fd, TRACE_MAGIC "\nworker %u\n", stage->workers);
	} else if (current >= 0) {
		dprintf(current, TRACE_END "stopped\n");
		close(current);
		current = -1;
	}
	stage->result = reply.result < 0 ? reply.result : (int)reply.flags;
	stage->replies++;
}

static int
act_trace(const struct worker_start *start)
{
	struct channel_reply reply;

	if (options.trace)
		open_trace(start);
	(void)ask_supervisor(start, CHANNEL_INSTALL, CHANNEL_HANDOVER, false,
			     &reply);
	(void)ask_supervisor(start, CHANNEL_READY, 0, false, &reply);
	for (;;) {
		uint8_t order;

		if (read(start->orders, &order, 1) != 1)
			_exit(EXIT_RUNTIME);
		stage->orders++;
		if (order == CHANNEL_STOP)
			return EXIT_OK;
		if (order == CHANNEL_UPGRADE)
			return WORKER_UPGRADE;
		if (order == CHANNEL_NEW_TRACE)
			open_trace(start);
	}
}

/* --- helpers --- */

static int
terminate(void)
{
	ck_assert_int_eq(kill(supervisor, SIGTERM), 0);
	return end_of(supervisor, STOP_MAX);
}

static void
write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static bool
file_is(const char *path, const char *wanted)
{
	char text[512];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	return strcmp(text, wanted) == 0;
}

static bool
trace_is(const char *state)
{
	struct json_object *answer = ask(CONTROL_STATUS);
	const char *text = text_of(answer, STATUS_TRACE);
	bool is = text && strcmp(text, state) == 0;

	json_object_put(answer);
	return is;
}

static const char *
refusal(const char *line)
{
	static char text[512];
	struct json_object *answer = ask(line);
	const char *error = text_of(answer, STATUS_ERROR);

	(void)snprintf(text, sizeof(text), "%s", error ? error : "");
	json_object_put(answer);
	return text;
}

static void
kill_worker(void)
{
	struct json_object *answer = ask(CONTROL_STATUS);

	ck_assert_int_eq(kill((pid_t)number_of(answer, STATUS_WORKER), SIGKILL),
			 0);
	json_object_put(answer);
}

/* Reads until the end of the connection; the text must be `wanted`. */
static void
stream_ends(int fd, const char *wanted)
{
	char text[512];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
		len += (size_t)n;
	ck_assert_int_eq(n, 0);
	text[len] = '\0';
	ck_assert_str_eq(text, wanted);
	close(fd);
}

/* --- the file --- */

START_TEST(file_is_made_by_the_supervisor)
{
	struct stat st;

	options.trace = TRACE;
	START(act_trace);
	ck_assert_int_eq(stage->result, 0);
	ck_assert_int_eq(lstat(TRACE, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert(file_is(TRACE, TRACE_MAGIC "\nworker 1\n"));
	ck_assert(trace_is("file"));
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(no_trace_by_default)
{
	START(act_trace);
	ck_assert(trace_is("off"));
	ck_assert_uint_eq(stage->replies, 0);
	ck_assert_str_eq(refusal(CONTROL_TRACE_STOP),
			 "the guest is not traced");
	ck_assert_int_eq(terminate(), EXIT_OK);
	ck_assert_int_eq(access(TRACE, F_OK), -1);
}
END_TEST

/* One earlier trace is kept, the one before it is removed. */
START_TEST(earlier_trace_is_kept)
{
	options.trace = TRACE;
	write_text(TRACE, TRACE_MAGIC "\nsecond\n");
	write_text(TRACE ".old", TRACE_MAGIC "\nfirst\n");
	START(act_trace);
	ck_assert(file_is(TRACE, TRACE_MAGIC "\nworker 1\n"));
	ck_assert(file_is(TRACE ".old", TRACE_MAGIC "\nsecond\n"));
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* The guest has its flash, and the file is as before. */
static void
expect_no_trace(void)
{
	START(act_trace);
	ck_assert_int_eq(stage->result, -ENOENT);
	ck_assert(log_has("no trace: "));
	ck_assert(trace_is("off"));
	ck_assert_int_eq(terminate(), EXIT_OK);
}

START_TEST(file_that_is_no_trace)
{
	static const char *const names[] = { TRACE, TRACE ".old" };

	options.trace = TRACE;
	if (_i)
		write_text(TRACE, TRACE_MAGIC "\n");
	write_text(names[_i], "# pflashd of mine\n");
	expect_no_trace();
	ck_assert(file_is(names[_i], "# pflashd of mine\n"));
}
END_TEST

START_TEST(link_in_place_of_the_file)
{
	options.trace = TRACE;
	write_text("/run/victim", TRACE_MAGIC "\n");
	ck_assert_int_eq(symlink("/run/victim", TRACE), 0);
	expect_no_trace();
	ck_assert(file_is("/run/victim", TRACE_MAGIC "\n"));
}
END_TEST

START_TEST(fifo_in_place_of_the_file)
{
	options.trace = TRACE;
	ck_assert_int_eq(mkfifo(TRACE, 0600), 0);
	expect_no_trace();
}
END_TEST

START_TEST(directory_is_missing)
{
	options.trace = "/run/missing/trace";
	expect_no_trace();
}
END_TEST

START_TEST(next_worker_knows_of_the_hole)
{
	options.trace = TRACE;
	START(act_trace);
	kill_worker();
	UNTIL(stage->workers == 2 && state_is("running"));
	ck_assert_int_eq(stage->result, CHANNEL_CONTINUED | CHANNEL_HOLE);
	ck_assert(file_is(TRACE, TRACE_MAGIC "\nworker 1\n" TRACE_MAGIC
					     "\nworker 2\n"));
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* The worker has ended the trace at its limit: another one may begin. */
START_TEST(file_is_full)
{
	int fd;

	options.trace = TRACE;
	options.trace_limit = 4096;
	START(act_trace);
	ck_assert_int_eq(truncate(TRACE, 4096 - TRACE_ROOM), 0);
	ck_assert(trace_is("file"));
	ck_assert_int_eq(truncate(TRACE, 4097 - TRACE_ROOM), 0);
	ck_assert(trace_is("off"));
	ck_assert_str_eq(refusal(CONTROL_TRACE_STOP),
			 "the guest is not traced");
	fd = client_send(CONTROL_TRACE "\n");
	UNTIL(stage->replies == 2);
	ck_assert(trace_is("client"));
	close(fd);
	UNTIL(trace_is("off"));
	/* The next worker does not go on. */
	kill_worker();
	UNTIL(stage->workers == 2 && state_is("running"));
	ck_assert_int_eq(stage->result, -ENOENT);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(file_is_stopped)
{
	options.trace = TRACE;
	START(act_trace);
	ck_assert_str_eq(refusal(CONTROL_TRACE_STOP), "");
	UNTIL(stage->replies == 2);
	ck_assert_int_eq(stage->result, -ENOENT);
	ck_assert(file_is(TRACE,
			  TRACE_MAGIC "\nworker 1\n" TRACE_END "stopped\n"));
	ck_assert(trace_is("off"));
	/* The next worker does not go on. */
	kill_worker();
	UNTIL(stage->workers == 2 && state_is("running"));
	ck_assert_int_eq(stage->result, -ENOENT);
	ck_assert_int_eq(terminate(), EXIT_OK);
	ck_assert(file_is(TRACE,
			  TRACE_MAGIC "\nworker 1\n" TRACE_END "stopped\n"));
}
END_TEST

/* --- a client --- */

START_TEST(client_gets_the_trace)
{
	int fd;

	START(act_trace);
	fd = client_send(CONTROL_TRACE "\n");
	UNTIL(stage->replies == 1);
	ck_assert(trace_is("client"));
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	stream_ends(fd, TRACE_MAGIC "\nworker 1\n" TRACE_END "stopped\n");
	UNTIL(trace_is("off"));
	/* And once more. */
	fd = client_send(CONTROL_TRACE "\n");
	UNTIL(stage->replies == 3);
	close(fd);
	UNTIL(trace_is("off"));
	ck_assert_uint_eq(stage->replies, 4);
	ck_assert_uint_eq(stage->workers, 1);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(one_trace_at_a_time)
{
	int fd;

	START(act_trace);
	fd = client_send(CONTROL_TRACE "\n");
	UNTIL(stage->replies == 1);
	ck_assert_ptr_nonnull(strstr(refusal(CONTROL_TRACE), "by a pflashctl"));
	ck_assert_str_eq(refusal(CONTROL_TRACE_STOP), "");
	stream_ends(fd, TRACE_MAGIC "\nworker 1\n" TRACE_END "stopped\n");
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(no_client_beside_the_file)
{
	int fd;

	options.trace = TRACE;
	START(act_trace);
	ck_assert_ptr_nonnull(strstr(refusal(CONTROL_TRACE), "by --trace"));
	ck_assert_str_eq(refusal(CONTROL_TRACE_STOP), "");
	UNTIL(stage->replies == 2);
	fd = client_send(CONTROL_TRACE "\n");
	UNTIL(stage->replies == 3);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	stream_ends(fd, TRACE_MAGIC "\nworker 1\n" TRACE_END "stopped\n");
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(death_of_the_worker_ends_the_connection)
{
	int fd;

	START(act_trace);
	fd = client_send(CONTROL_TRACE "\n");
	UNTIL(stage->replies == 1);
	kill_worker();
	stream_ends(fd, TRACE_MAGIC "\nworker 1\n");
	UNTIL(stage->workers == 2 && state_is("running"));
	ck_assert(trace_is("off"));
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* A worker that does not answer the order blocks nobody. */
START_TEST(worker_that_does_not_answer)
{
	int fd;
	double used;

	START(act_hang);
	fd = client_send(CONTROL_TRACE "\n");
	UNTIL(trace_is("client"));
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	used = cpu_seconds_of(supervisor);
	nap(0.3);
	ck_assert_double_lt(cpu_seconds_of(supervisor) - used, 0.1);
	ck_assert(state_is("running"));
	ck_assert_int_eq(terminate(), EXIT_RUNTIME);
	stream_ends(fd, "");
}
END_TEST

START_TEST(no_trace_of_a_suspended_guest)
{
	START(act_trace);
	domain_happens(SHUTDOWN_suspend);
	ck_assert_str_eq(refusal(CONTROL_TRACE), "the guest is suspended");
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(nothing_leaks)
{
	unsigned int before;

	START(act_trace);
	UNTIL(state_is("running"));
	before = descriptors_of(supervisor);
	for (unsigned int i = 1; i <= 20; i++) {
		int fd = client_send(CONTROL_TRACE "\n");

		UNTIL(stage->replies == 2 * i - 1);
		close(fd);
		UNTIL(stage->replies == 2 * i && trace_is("off"));
	}
	UNTIL(descriptors_of(supervisor) == before);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* --- an upgrade --- */

static char new_name[] = "pflashd";

static void
set_new_program(void)
{
	static char behaviour[] = "accepts";
	static char *arguments[3] = { new_name, behaviour };

	upgrade_remember(arguments);
}

/* As no worker has died, nothing is lost. */
START_TEST(upgrade_goes_on_without_a_hole)
{
	set_new_program();
	options.trace = TRACE;
	START(act_trace);
	ck_assert_ptr_null(client_answer(client_send("upgrade\n")));
	UNTIL(stage->upgrades == 1 && stage->workers == 2 &&
	      state_is("running"));
	ck_assert_int_eq(stage->result, CHANNEL_CONTINUED);
	ck_assert(file_is(TRACE, TRACE_MAGIC "\nworker 1\n" TRACE_MAGIC
					     "\nworker 2\n"));
	ck_assert_int_eq(access(TRACE ".old", F_OK), -1);
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

START_TEST(upgrade_ends_the_connection)
{
	int fd;

	set_new_program();
	START(act_trace);
	fd = client_send(CONTROL_TRACE "\n");
	UNTIL(stage->replies == 1);
	ck_assert_ptr_null(client_answer(client_send("upgrade\n")));
	stream_ends(fd, TRACE_MAGIC "\nworker 1\n");
	UNTIL(stage->upgrades == 1 && stage->workers == 2 &&
	      state_is("running"));
	ck_assert_int_eq(terminate(), EXIT_OK);
}
END_TEST

/* This program as the new one: the second argument is --check-handover. */
static int
be_new_program(int argc)
{
	int lease;

	if (argc > 2)
		return 0;
	if (!stage_find())
		return EXIT_RUNTIME;
	if (access(TRACE, F_OK) == 0)
		options.trace = TRACE;
	ACT(act_trace);
	stage->lock = upgrade_inherited(&lease);
	stage->upgrades++;
	return supervise(stage->lock);
}

START_TEST(needs_a_mount_namespace)
{
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, stage_make, stage_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, file_is_made_by_the_supervisor);
	tcase_add_test(tc, no_trace_by_default);
	tcase_add_test(tc, earlier_trace_is_kept);
	tcase_add_loop_test(tc, file_that_is_no_trace, 0, 2);
	tcase_add_test(tc, link_in_place_of_the_file);
	tcase_add_test(tc, fifo_in_place_of_the_file);
	tcase_add_test(tc, directory_is_missing);
	tcase_add_test(tc, next_worker_knows_of_the_hole);
	tcase_add_test(tc, file_is_full);
	tcase_add_test(tc, file_is_stopped);
	tcase_add_test(tc, client_gets_the_trace);
	tcase_add_test(tc, one_trace_at_a_time);
	tcase_add_test(tc, no_client_beside_the_file);
	tcase_add_test(tc, death_of_the_worker_ends_the_connection);
	tcase_add_test(tc, worker_that_does_not_answer);
	tcase_add_test(tc, no_trace_of_a_suspended_guest);
	tcase_add_test(tc, nothing_leaks);
	tcase_add_test(tc, upgrade_goes_on_without_a_hole);
	tcase_add_test(tc, upgrade_ends_the_connection);
}

int
main(int argc, char **argv)
{
	Suite *suite;
	SRunner *runner;
	TCase *tc;
	int failed;

	(void)argv;
	if (argc > 1)
		return be_new_program(argc);
	suite = suite_create("tracing");
	tc = tcase_create("tracing");
	if (stage_possible())
		add_tests(tc);
	else
		tcase_add_test(tc, needs_a_mount_namespace);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
