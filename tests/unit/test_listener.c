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

#include "../../src/daemon/listener.h"

static char dir[64], path[96];
static struct ev_loop *ev;
static struct listener *listener;
static char heard[256]; /* the lines, each in brackets */

static char *
echo(void *opaque, const char *line)
{
	char *text;

	ck_assert_ptr_eq(opaque, dir);
	strcat(strcat(strcat(heard, "["), line), "]");
	return asprintf(&text, "to '%s'", line) < 0 ? NULL : text;
}

static void
setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/pflash-listener-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	ev = ev_loop_new(EVFLAG_AUTO);
	heard[0] = '\0';
	listener = listener_open(ev, listener_bind(path), echo, dir);
	ck_assert_ptr_nonnull(listener);
}

static void
teardown(void)
{
	listener_close(listener);
	ev_loop_destroy(ev);
	unlink(path);
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

START_TEST(the_end_of_input_ends_the_line)
{
	int fd = connect_client(), other = connect_client();

	shutdown(fd, SHUT_WR);
	say(other, "status");
	shutdown(other, SHUT_WR);
	turn();
	ck_assert(has_answer(fd, "to ''"));
	ck_assert(has_answer(other, "to 'status'"));
}
END_TEST

START_TEST(who_says_nothing_is_answered_in_time)
{
	int fd = connect_client(), other = connect_client();

	say(other, "half");
	turn();
	ck_assert(!has_answer(fd, ""));
	ev_run(ev, EVRUN_ONCE);
	while (ev_pending_count(ev) || !has_answer(fd, "to ''"))
		ev_run(ev, EVRUN_ONCE);
	turn();
	ck_assert(has_answer(other, "to 'half'"));
}
END_TEST

START_TEST(a_line_without_an_end)
{
	char text[1024 + 1], wanted[sizeof(text) + 8];
	int fd = connect_client();

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	say(fd, text);
	turn();
	text[LISTENER_LINE] = '\0';
	snprintf(wanted, sizeof(wanted), "to '%s'", text);
	ck_assert(has_answer(fd, wanted));
}
END_TEST

/* One that is gone does no harm, with and without a line. */
START_TEST(clients_that_leave)
{
	int fd = connect_client();

	close(fd);
	turn();
	fd = connect_client();
	say(fd, "status\n");
	close(fd);
	turn();
	fd = connect_client();
	say(fd, "status\n");
	turn();
	ck_assert(has_answer(fd, "to 'status'"));
}
END_TEST

/* Those who come when all places are taken by others that say nothing. */
START_TEST(more_than_fit_wait)
{
	int fds[LISTENER_MOST], fd;

	for (unsigned int i = 0; i < LISTENER_MOST; i++)
		fds[i] = connect_client();
	fd = connect_client();
	say(fd, "status\n");
	for (unsigned int i = 0; i < LISTENER_MOST; i++)
		turn();
	ck_assert(!has_answer(fd, ""));
	say(fds[3], "status\n");
	turn();
	ck_assert(has_answer(fds[3], "to 'status'"));
	ck_assert(has_answer(fd, "to 'status'"));
	for (unsigned int i = 0; i < LISTENER_MOST; i++)
		if (i != 3)
			close(fds[i]);
	turn();
}
END_TEST

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
	say(connect_client(), "half");
	turn();
}
END_TEST

START_TEST(no_place_for_it)
{
	ck_assert_int_eq(listener_bind("/nowhere/sock"), -ENOENT);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("listener");
	TCase *tc = tcase_create("listener");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_line_one_answer);
	tcase_add_test(tc, the_end_of_input_ends_the_line);
	tcase_add_test(tc, who_says_nothing_is_answered_in_time);
	tcase_add_test(tc, a_line_without_an_end);
	tcase_add_test(tc, clients_that_leave);
	tcase_add_test(tc, more_than_fit_wait);
	tcase_add_test(tc, only_its_owner_may_ask);
	tcase_add_test(tc, closed_under_clients);
	tcase_add_test(tc, no_place_for_it);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
