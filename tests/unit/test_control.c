/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket answers each client in time, whatever it sends. */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pflash/control.h"
#include "supervisor/control.h"

static char dir[64], path[96];
static struct ev_loop *ev;
static struct control *control;
static char commands[512]; /* all lines, each in brackets */
static char last[CONTROL_LINE + 1];
static bool no_memory;

/* Numbers of deferred commands. */
#define DEFERRED 1
#define DEFERRED_TOO 2

/* "defer" and "defer too" are deferred, "refuse" is refused, others succeed. */
static int
command(void *opaque, const char *line, struct error *err)
{
	ck_assert_ptr_eq(opaque, dir);
	strcat(strcat(strcat(commands, "["), line), "]");
	(void)snprintf(last, sizeof(last), "%s", line);
	if (strcmp(line, "refuse") == 0)
		return error_set(err, EINVAL, "it is refused");
	if (strcmp(line, "stream") == 0)
		return CONTROL_STREAM;
	if (strcmp(line, "defer too") == 0)
		return DEFERRED_TOO;
	return strcmp(line, "defer") == 0 ? DEFERRED : 0;
}

static char *
status(void *opaque, const char *error)
{
	char *text;

	ck_assert_ptr_eq(opaque, dir);
	if (no_memory || asprintf(&text, "to '%s'%s%s", last, error ? ": " : "",
				  error ? error : "") < 0)
		return NULL;
	return text;
}

static int streamed = -1; /* a connection, or -1 */

static void
stream(void *opaque, int fd)
{
	ck_assert_ptr_eq(opaque, dir);
	ck_assert_int_eq(streamed, -1);
	streamed = fd;
}

static const struct control_ops ops = { command, status, stream, dir };

static void
setup(void)
{
	struct error err;

	(void)snprintf(dir, sizeof(dir), "/tmp/pflash-control-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/sock", dir);
	ev = ev_loop_new(EVFLAG_AUTO);
	commands[0] = last[0] = '\0';
	no_memory = false;
	ck_assert_int_eq(control_open(&control, ev, path, &ops, &err), 0);
}

static void
teardown(void)
{
	struct stat st;

	control_close(control);
	ev_loop_destroy(ev);
	ck_assert_int_eq(lstat(path, &st), -1);
	ck_assert_int_eq(rmdir(dir), 0);
}

static int
connect_client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address,
				 sizeof(address)),
			 0);
	return fd;
}

static void
send_text(int fd, const char *text)
{
	size_t len = strlen(text);

	ck_assert_int_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Handles all pending events. */
static void
run_loop(void)
{
	for (int i = 0; i < 8; i++)
		ev_run(ev, EVRUN_NOWAIT);
}

static int
connect_and_send(const char *text)
{
	int fd = connect_client();

	send_text(fd, text);
	run_loop();
	return fd;
}

/* true: the answer, which must be `wanted`, and the end have arrived. */
static bool
has_answer(int fd, const char *wanted)
{
	char text[512];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n < 0)
		return false;
	text[n] = '\0';
	ck_assert_str_eq(text, wanted);
	n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	ck_assert(n == 0 || (n < 0 && errno == ECONNRESET));
	close(fd);
	return true;
}

START_TEST(one_line_one_answer)
{
	int fd = connect_client();

	send_text(fd, "mo");
	run_loop();
	send_text(fd, "de trap");
	run_loop();
	ck_assert(!has_answer(fd, ""));
	send_text(fd, "\nand more\n");
	run_loop();
	ck_assert(has_answer(fd, "to 'mode trap'"));
	ck_assert_str_eq(commands, "[mode trap]");
}
END_TEST

START_TEST(end_of_input_ends_the_line)
{
	int fd = connect_client(), other = connect_client();

	(void)shutdown(fd, SHUT_WR);
	run_loop();
	send_text(other, "status");
	(void)shutdown(other, SHUT_WR);
	run_loop();
	ck_assert(has_answer(fd, "to ''"));
	ck_assert(has_answer(other, "to 'status'"));
}
END_TEST

START_TEST(silent_client_is_answered_in_time)
{
	int fd = connect_client(), other;

	run_loop();
	other = connect_and_send("half");
	ck_assert(!has_answer(fd, ""));
	ck_assert(!has_answer(other, ""));
	ev_run(ev, EVRUN_ONCE);
	while (ev_pending_count(ev) || !has_answer(fd, "to ''"))
		ev_run(ev, EVRUN_ONCE);
	while (!has_answer(other, "to 'half'"))
		ev_run(ev, EVRUN_ONCE);
	ck_assert_str_eq(commands, "[][half]");
}
END_TEST

START_TEST(line_without_an_end)
{
	char text[1024 + 1], wanted[sizeof(text) + 8];
	int fd;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fd = connect_and_send(text);
	text[CONTROL_LINE] = '\0';
	(void)snprintf(wanted, sizeof(wanted), "to '%s'", text);
	ck_assert(has_answer(fd, wanted));
}
END_TEST

/* The command gets bytes that are not text; a NUL ends the line. */
START_TEST(bytes_that_are_no_text)
{
	int fd = connect_client();

	ck_assert_int_eq(send(fd, "a\033\377\0b\n", 6, MSG_NOSIGNAL), 6);
	(void)shutdown(fd, SHUT_WR);
	run_loop();
	ck_assert(has_answer(fd, "to 'a\033\377'"));
}
END_TEST

START_TEST(refused_command)
{
	int fd = connect_and_send("refuse\n");

	ck_assert(has_answer(fd, "to 'refuse': it is refused"));
	fd = connect_and_send("status\n");
	ck_assert(has_answer(fd, "to 'status'"));
}
END_TEST

START_TEST(no_memory_for_an_answer)
{
	int fd;

	no_memory = true;
	fd = connect_and_send("status\n");
	ck_assert(has_answer(fd, ""));
	no_memory = false;
	fd = connect_and_send("status\n");
	ck_assert(has_answer(fd, "to 'status'"));
}
END_TEST

/* Clients that close the connection, with and without a line. */
START_TEST(clients_that_leave)
{
	int fd = connect_client();

	close(fd);
	run_loop();
	fd = connect_client();
	send_text(fd, "status\n");
	close(fd);
	run_loop();
	fd = connect_and_send("status\n");
	ck_assert(has_answer(fd, "to 'status'"));
}
END_TEST

/* A client waits while silent clients have all slots. */
START_TEST(clients_without_a_slot_wait)
{
	int fds[CONTROL_CLIENTS], fd;

	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		fds[i] = connect_client();
	fd = connect_client();
	send_text(fd, "status\n");
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		run_loop();
	ck_assert(!has_answer(fd, ""));
	send_text(fds[3], "status\n");
	run_loop();
	ck_assert(has_answer(fds[3], "to 'status'"));
	ck_assert(has_answer(fd, "to 'status'"));
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		if (i != 3)
			close(fds[i]);
	run_loop();
}
END_TEST

/* --- deferred commands --- */

START_TEST(deferred_until_it_is_done)
{
	int fd = connect_and_send("defer\n"), other;

	ck_assert(!has_answer(fd, ""));
	/* Others are served meanwhile; a second line is not read. */
	send_text(fd, "status\n");
	other = connect_and_send("status\n");
	ck_assert(has_answer(other, "to 'status'"));
	ck_assert(!has_answer(fd, ""));
	control_done(control, DEFERRED, NULL);
	ck_assert(has_answer(fd, "to 'status'"));
	ck_assert_str_eq(commands, "[defer][status]");
}
END_TEST

START_TEST(deferred_until_it_fails)
{
	int fd = connect_and_send("defer\n");

	control_done(control, DEFERRED, "no worker has done it");
	ck_assert(has_answer(fd, "to 'defer': no worker has done it"));
	fd = connect_and_send("refuse\n");
	ck_assert(has_answer(fd, "to 'refuse': it is refused"));
}
END_TEST

START_TEST(all_deferred_clients_are_answered)
{
	int fds[CONTROL_CLIENTS], fd;

	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		fds[i] = connect_and_send("defer\n");
	fd = connect_and_send("status\n");
	ck_assert(!has_answer(fd, ""));
	control_done(control, DEFERRED, "later");
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		ck_assert(has_answer(fds[i], "to 'defer': later"));
	run_loop();
	ck_assert(has_answer(fd, "to 'status'"));
}
END_TEST

/* A deferred client that has left gives its slot back. */
START_TEST(deferred_client_that_leaves)
{
	int fd = connect_and_send("defer\n");

	close(fd);
	run_loop();
	fd = connect_and_send("defer\n");
	control_done(control, DEFERRED, NULL);
	ck_assert(has_answer(fd, "to 'defer'"));
	/* Both slots are free again. */
	for (unsigned int i = 0; i < 2 * CONTROL_CLIENTS; i++) {
		fd = connect_and_send("status\n");
		ck_assert(has_answer(fd, "to 'status'"));
	}
}
END_TEST

/* control_done() answers the command of its number only. */
START_TEST(each_waits_for_its_own_command)
{
	int fd = connect_and_send("defer\n"), other;

	other = connect_and_send("defer too\n");
	control_done(control, DEFERRED_TOO, "too");
	ck_assert(has_answer(other, "to 'defer too': too"));
	ck_assert(!has_answer(fd, ""));
	control_done(control, DEFERRED_TOO, NULL);
	ck_assert(!has_answer(fd, ""));
	control_done(control, DEFERRED, NULL);
	ck_assert(has_answer(fd, "to 'defer too'"));
}
END_TEST

/* control_done() answers deferred clients only. */
START_TEST(done_without_a_deferred_client)
{
	int fd = connect_and_send("half");

	control_done(control, DEFERRED, NULL);
	control_done(NULL, DEFERRED, NULL);
	ck_assert(!has_answer(fd, ""));
	send_text(fd, " a line\n");
	run_loop();
	ck_assert(has_answer(fd, "to 'half a line'"));
}
END_TEST

/* --- the socket itself --- */

START_TEST(only_the_owner_may_connect)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

/* teardown() closes the socket while clients are connected. */
START_TEST(closed_under_clients)
{
	(void)connect_client();
	(void)connect_and_send("half");
	(void)connect_and_send("defer\n");
}
END_TEST

START_TEST(no_directory)
{
	struct control *none = NULL;
	struct error err;

	ck_assert_int_eq(control_open(&none, ev, "/nowhere/sock", &ops, &err),
			 -ENOENT);
	ck_assert_str_eq(err.text, "/nowhere/sock: No such file or directory");
	control_close(none);
}
END_TEST

/* A killed process has left its socket. */
START_TEST(socket_that_was_left)
{
	struct control *next;
	struct error err;
	int fd;

	ck_assert_int_eq(control_open(&next, ev, path, &ops, &err), 0);
	fd = connect_and_send("status\n");
	ck_assert(has_answer(fd, "to 'status'"));
	control_close(next);
}
END_TEST

/* The connection outlives the time limit of a client, and uses no slot. */
START_TEST(connection_of_a_stream)
{
	int fds[CONTROL_CLIENTS], fd = connect_and_send("stream\n");
	char text[8] = "";

	ck_assert_int_ge(streamed, 0);
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		fds[i] = connect_and_send("defer\n");
	control_done(control, DEFERRED, NULL);
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		ck_assert(has_answer(fds[i], "to 'defer'"));
	ck_assert_int_eq(recv(fd, text, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(send(streamed, "trace", 5, MSG_NOSIGNAL), 5);
	ck_assert_int_eq(recv(fd, text, sizeof(text), MSG_DONTWAIT), 5);
	ck_assert_str_eq(text, "trace");
	close(streamed);
	close(fd);
	streamed = -1;
}
END_TEST

static void
add_lines(TCase *tc)
{
	tcase_add_test(tc, one_line_one_answer);
	tcase_add_test(tc, end_of_input_ends_the_line);
	tcase_add_test(tc, silent_client_is_answered_in_time);
	tcase_add_test(tc, line_without_an_end);
	tcase_add_test(tc, bytes_that_are_no_text);
	tcase_add_test(tc, refused_command);
	tcase_add_test(tc, no_memory_for_an_answer);
	tcase_add_test(tc, clients_that_leave);
	tcase_add_test(tc, clients_without_a_slot_wait);
}

static void
add_rest(TCase *tc)
{
	tcase_add_test(tc, deferred_until_it_is_done);
	tcase_add_test(tc, deferred_until_it_fails);
	tcase_add_test(tc, all_deferred_clients_are_answered);
	tcase_add_test(tc, deferred_client_that_leaves);
	tcase_add_test(tc, each_waits_for_its_own_command);
	tcase_add_test(tc, done_without_a_deferred_client);
	tcase_add_test(tc, only_the_owner_may_connect);
	tcase_add_test(tc, closed_under_clients);
	tcase_add_test(tc, no_directory);
	tcase_add_test(tc, socket_that_was_left);
	tcase_add_test(tc, connection_of_a_stream);
}

int
main(void)
{
	Suite *suite = suite_create("control");
	TCase *tc = tcase_create("control");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	add_lines(tc);
	add_rest(tc);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
