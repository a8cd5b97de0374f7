/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket as its clients find it: in time, whatever they send. */
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
static char heard[512]; /* the lines, each in brackets */
static char last[CONTROL_LINE + 1];
static bool no_memory;

/* Numbers of commands that take their time. */
#define HELD 1
#define HELD_TOO 2

/* "hold" and "hold too" are held, "refuse" is refused, all else is done. */
static int
command(void *opaque, const char *line, struct error *err)
{
	ck_assert_ptr_eq(opaque, dir);
	strcat(strcat(strcat(heard, "["), line), "]");
	(void)snprintf(last, sizeof(last), "%s", line);
	if (strcmp(line, "refuse") == 0)
		return error_set(err, EINVAL, "it is refused");
	if (strcmp(line, "hold too") == 0)
		return HELD_TOO;
	return strcmp(line, "hold") == 0 ? HELD : 0;
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

static const struct control_ops ops = { command, status, dir };

static void
setup(void)
{
	struct error err;

	(void)snprintf(dir, sizeof(dir), "/tmp/pflash-control-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/sock", dir);
	ev = ev_loop_new(EVFLAG_AUTO);
	heard[0] = last[0] = '\0';
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
say(int fd, const char *text)
{
	size_t len = strlen(text);

	ck_assert_int_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Lets the loop run as long as it has something to do at once. */
static void
turn(void)
{
	for (int i = 0; i < 8; i++)
		ev_run(ev, EVRUN_NOWAIT);
}

static int
connect_and_say(const char *text)
{
	int fd = connect_client();

	say(fd, text);
	turn();
	return fd;
}

/* True when the answer, and the end, has come. */
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

	say(fd, "mo");
	turn();
	say(fd, "de trap");
	turn();
	ck_assert(!has_answer(fd, ""));
	say(fd, "\nand more\n");
	turn();
	ck_assert(has_answer(fd, "to 'mode trap'"));
	ck_assert_str_eq(heard, "[mode trap]");
}
END_TEST

START_TEST(end_of_input_ends_the_line)
{
	int fd = connect_client(), other = connect_client();

	(void)shutdown(fd, SHUT_WR);
	turn();
	say(other, "status");
	(void)shutdown(other, SHUT_WR);
	turn();
	ck_assert(has_answer(fd, "to ''"));
	ck_assert(has_answer(other, "to 'status'"));
}
END_TEST

START_TEST(silent_client_is_answered_in_time)
{
	int fd = connect_client(), other;

	turn();
	other = connect_and_say("half");
	ck_assert(!has_answer(fd, ""));
	ck_assert(!has_answer(other, ""));
	ev_run(ev, EVRUN_ONCE);
	while (ev_pending_count(ev) || !has_answer(fd, "to ''"))
		ev_run(ev, EVRUN_ONCE);
	while (!has_answer(other, "to 'half'"))
		ev_run(ev, EVRUN_ONCE);
	ck_assert_str_eq(heard, "[][half]");
}
END_TEST

START_TEST(line_without_an_end)
{
	char text[1024 + 1], wanted[sizeof(text) + 8];
	int fd;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fd = connect_and_say(text);
	text[CONTROL_LINE] = '\0';
	(void)snprintf(wanted, sizeof(wanted), "to '%s'", text);
	ck_assert(has_answer(fd, wanted));
}
END_TEST

/* Bytes that are no text are the command's affair; a NUL ends the line. */
START_TEST(bytes_that_are_no_text)
{
	int fd = connect_client();

	ck_assert_int_eq(send(fd, "a\033\377\0b\n", 6, MSG_NOSIGNAL), 6);
	(void)shutdown(fd, SHUT_WR);
	turn();
	ck_assert(has_answer(fd, "to 'a\033\377'"));
}
END_TEST

START_TEST(refused_command)
{
	int fd = connect_and_say("refuse\n");

	ck_assert(has_answer(fd, "to 'refuse': it is refused"));
	fd = connect_and_say("status\n");
	ck_assert(has_answer(fd, "to 'status'"));
}
END_TEST

START_TEST(no_memory_for_an_answer)
{
	int fd;

	no_memory = true;
	fd = connect_and_say("status\n");
	ck_assert(has_answer(fd, ""));
	no_memory = false;
	fd = connect_and_say("status\n");
	ck_assert(has_answer(fd, "to 'status'"));
}
END_TEST

/* A client that is gone does no harm, with and without a line. */
START_TEST(clients_that_leave)
{
	int fd = connect_client();

	close(fd);
	turn();
	fd = connect_client();
	say(fd, "status\n");
	close(fd);
	turn();
	fd = connect_and_say("status\n");
	ck_assert(has_answer(fd, "to 'status'"));
}
END_TEST

/* Clients that come when all places are taken by others that say nothing. */
START_TEST(more_than_fit_wait)
{
	int fds[CONTROL_MOST], fd;

	for (unsigned int i = 0; i < CONTROL_MOST; i++)
		fds[i] = connect_client();
	fd = connect_client();
	say(fd, "status\n");
	for (unsigned int i = 0; i < CONTROL_MOST; i++)
		turn();
	ck_assert(!has_answer(fd, ""));
	say(fds[3], "status\n");
	turn();
	ck_assert(has_answer(fds[3], "to 'status'"));
	ck_assert(has_answer(fd, "to 'status'"));
	for (unsigned int i = 0; i < CONTROL_MOST; i++)
		if (i != 3)
			close(fds[i]);
	turn();
}
END_TEST

/* --- commands that take their time --- */

START_TEST(held_until_it_is_done)
{
	int fd = connect_and_say("hold\n"), other;

	ck_assert(!has_answer(fd, ""));
	/* Others are served meanwhile, and what it adds is not heard. */
	say(fd, "status\n");
	other = connect_and_say("status\n");
	ck_assert(has_answer(other, "to 'status'"));
	ck_assert(!has_answer(fd, ""));
	control_done(control, HELD, NULL);
	ck_assert(has_answer(fd, "to 'status'"));
	ck_assert_str_eq(heard, "[hold][status]");
}
END_TEST

START_TEST(held_until_it_fails)
{
	int fd = connect_and_say("hold\n");

	control_done(control, HELD, "no worker has done it");
	ck_assert(has_answer(fd, "to 'hold': no worker has done it"));
	fd = connect_and_say("refuse\n");
	ck_assert(has_answer(fd, "to 'refuse': it is refused"));
}
END_TEST

START_TEST(all_that_are_held_are_answered)
{
	int fds[CONTROL_MOST], fd;

	for (unsigned int i = 0; i < CONTROL_MOST; i++)
		fds[i] = connect_and_say("hold\n");
	fd = connect_and_say("status\n");
	ck_assert(!has_answer(fd, ""));
	control_done(control, HELD, "later");
	for (unsigned int i = 0; i < CONTROL_MOST; i++)
		ck_assert(has_answer(fds[i], "to 'hold': later"));
	turn();
	ck_assert(has_answer(fd, "to 'status'"));
}
END_TEST

/* The client is not waited for longer than others are. */
START_TEST(held_client_that_leaves)
{
	int fd = connect_and_say("hold\n");

	close(fd);
	turn();
	fd = connect_and_say("hold\n");
	control_done(control, HELD, NULL);
	ck_assert(has_answer(fd, "to 'hold'"));
	/* Both places are free again. */
	for (unsigned int i = 0; i < 2 * CONTROL_MOST; i++) {
		fd = connect_and_say("status\n");
		ck_assert(has_answer(fd, "to 'status'"));
	}
}
END_TEST

/* The end of one command is not that of another. */
START_TEST(each_waits_for_its_own_command)
{
	int fd = connect_and_say("hold\n"), other;

	other = connect_and_say("hold too\n");
	control_done(control, HELD_TOO, "too");
	ck_assert(has_answer(other, "to 'hold too': too"));
	ck_assert(!has_answer(fd, ""));
	control_done(control, HELD_TOO, NULL);
	ck_assert(!has_answer(fd, ""));
	control_done(control, HELD, NULL);
	ck_assert(has_answer(fd, "to 'hold too'"));
}
END_TEST

/* Only a client that is held is answered by it. */
START_TEST(done_without_a_held_client)
{
	int fd = connect_and_say("half");

	control_done(control, HELD, NULL);
	control_done(NULL, HELD, NULL);
	ck_assert(!has_answer(fd, ""));
	say(fd, " a line\n");
	turn();
	ck_assert(has_answer(fd, "to 'half a line'"));
}
END_TEST

/* --- the socket itself --- */

START_TEST(only_its_owner_may_ask)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

/* The teardown closes it under those that are there. */
START_TEST(closed_under_clients)
{
	(void)connect_client();
	(void)connect_and_say("half");
	(void)connect_and_say("hold\n");
}
END_TEST

START_TEST(no_place_for_it)
{
	struct control *none = NULL;
	struct error err;

	ck_assert_int_eq(control_open(&none, ev, "/nowhere/sock", &ops, &err),
			 -ENOENT);
	ck_assert_str_eq(err.text, "/nowhere/sock: No such file or directory");
	control_close(none);
}
END_TEST

/* The process that had it was killed. */
START_TEST(socket_that_was_left)
{
	struct control *next;
	struct error err;
	int fd;

	ck_assert_int_eq(control_open(&next, ev, path, &ops, &err), 0);
	fd = connect_and_say("status\n");
	ck_assert(has_answer(fd, "to 'status'"));
	control_close(next);
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
	tcase_add_test(tc, more_than_fit_wait);
}

static void
add_rest(TCase *tc)
{
	tcase_add_test(tc, held_until_it_is_done);
	tcase_add_test(tc, held_until_it_fails);
	tcase_add_test(tc, all_that_are_held_are_answered);
	tcase_add_test(tc, held_client_that_leaves);
	tcase_add_test(tc, each_waits_for_its_own_command);
	tcase_add_test(tc, done_without_a_held_client);
	tcase_add_test(tc, only_its_owner_may_ask);
	tcase_add_test(tc, closed_under_clients);
	tcase_add_test(tc, no_place_for_it);
	tcase_add_test(tc, socket_that_was_left);
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
