/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker's log lines, as the supervisor relays them. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"
#include "supervisor/relay.h"

#define BURST 500u

static struct relay *relay;
static int ends[2]; /* the worker's pipe */
static int log_end; /* the supervisor's log, with its levels */
static char text[1u << 20];

static void
setup(void)
{
	int logs[2];

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(logs, O_NONBLOCK | O_CLOEXEC), 0);
	(void)fcntl(logs[1], F_SETPIPE_SZ, (int)sizeof(text));
	ck_assert_int_ge(dup2(logs[1], STDERR_FILENO), 0);
	log_end = logs[0];
	log_to_supervisor();
	relay = relay_open();
	ck_assert_ptr_nonnull(relay);
}

static void
teardown(void)
{
	relay_close(relay);
}

/* Returns the lines that were logged since the last call. */
static const char *
logged(void)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(log_end, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

static void
send_bytes(const char *bytes, size_t len)
{
	ck_assert_int_eq(write(ends[1], bytes, len), (ssize_t)len);
}

static const char *
relayed(const char *bytes)
{
	send_bytes(bytes, strlen(bytes));
	ck_assert(relay_read(relay, ends[0]));
	return logged();
}

static unsigned int
count_lines(const char *lines)
{
	unsigned int count = 0;

	while ((lines = strchr(lines, '\n')) != NULL) {
		count++;
		lines++;
	}
	return count;
}

/* A worker cannot log above LOG_ERR. */
START_TEST(levels)
{
	ck_assert_str_eq(relayed("<0>a\n<1>b\n<2>c\n"), "<3>a\n<3>b\n<3>c\n");
	ck_assert_str_eq(relayed("<3>a\n<4>b\n<5>c\n"), "<3>a\n<4>b\n<5>c\n");
	ck_assert_str_eq(relayed("<6>a\n<7>b\n"), "<6>a\n<7>b\n");
	ck_assert_str_eq(relayed("plain\n"), "<4>plain\n");
	ck_assert_str_eq(relayed("<8>a\n<-1>b\n"), "<4><8>a\n<4><-1>b\n");
	ck_assert_str_eq(relayed("<12>a\n"), "<4><12>a\n");
	ck_assert_str_eq(relayed("<\n<3\n<3>\n\n"), "<4><\n<4><3\n<3>\n<4>\n");
}
END_TEST

START_TEST(control_characters)
{
	ck_assert_str_eq(relayed("<6>\033[2J\r\a\177\x9b"
				 "1m\xff\xc3\xa9\n"),
			 "<6>?[2J????1m???\n");
	ck_assert_str_eq(relayed("<6>%s%n%d\n"), "<6>%s%n%d\n");
}
END_TEST

START_TEST(zero_byte_ends_the_line)
{
	send_bytes("<6>seen\0unseen\n<6>next\n", 23);
	ck_assert(relay_read(relay, ends[0]));
	ck_assert_str_eq(logged(), "<6>seen\n<6>next\n");
}
END_TEST

START_TEST(line_in_pieces)
{
	ck_assert_str_eq(relayed("<"), "");
	ck_assert_str_eq(relayed("6>one"), "");
	ck_assert_str_eq(relayed(" line\n<6>ano"), "<6>one line\n");
	relay_finish(relay, ends[0]);
	ck_assert_str_eq(logged(), "<6>ano\n");
	relay_finish(relay, ends[0]);
	ck_assert_str_eq(logged(), "");
}
END_TEST

/* A line of any length becomes lines of RELAY_LINE bytes. */
START_TEST(long_line)
{
	char line[RELAY_LINE * 2 + 2];
	const char *log;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	send_bytes(line, sizeof(line));
	ck_assert(relay_read(relay, ends[0]));
	log = logged();
	ck_assert_uint_eq(count_lines(log), 3);
	ck_assert_uint_eq(strcspn(log, "\n"), RELAY_LINE + 3);
	ck_assert_str_eq(strrchr(log, '<'), "<4>x\n");
}
END_TEST

START_TEST(end_of_the_pipe)
{
	ck_assert(relay_read(relay, ends[0]));
	send_bytes("<6>last", 7);
	close(ends[1]);
	ck_assert(!relay_read(relay, ends[0]));
	ck_assert_str_eq(logged(), "");
	relay_finish(relay, ends[0]);
	ck_assert_str_eq(logged(), "<6>last\n");
}
END_TEST

/* One call reads a bounded part of a large pipe. */
START_TEST(bounded_call)
{
	static char lines[1u << 18];
	int left = 0;

	if (fcntl(ends[1], F_SETPIPE_SZ, (int)sizeof(lines)) < 0)
		return; /* not root */
	memset(lines, '\n', sizeof(lines));
	send_bytes(lines, sizeof(lines));
	ck_assert(relay_read(relay, ends[0]));
	ck_assert_int_eq(ioctl(ends[0], FIONREAD, &left), 0);
	ck_assert_uint_eq((size_t)left, sizeof(lines) - 65536);
	ck_assert_uint_ge(count_lines(logged()), BURST);
	relay_finish(relay, ends[0]);
	ck_assert_int_eq(ioctl(ends[0], FIONREAD, &left), 0);
	ck_assert_uint_eq((size_t)left, sizeof(lines) - 2 * 65536);
}
END_TEST

static void
flood(unsigned int lines)
{
	while (lines--) {
		send_bytes("<3>flood\n", 9);
		ck_assert(relay_read(relay, ends[0]));
	}
}

/* The next logged line is preceded by the number of dropped ones. */
START_TEST(rate)
{
	unsigned int lines, dropped = 0;
	const char *log;

	flood(2 * BURST);
	lines = count_lines(logged());
	ck_assert_uint_ge(lines, BURST);
	ck_assert_uint_le(lines, BURST + 20);
	usleep(700000);
	log = relayed("<6>one more\n");
	ck_assert_int_eq(sscanf(log,
				"<4>the worker's log: %u lines were dropped\n",
				&dropped),
			 1);
	ck_assert_uint_eq(lines + dropped, 2 * BURST);
	ck_assert_str_eq(strchr(log, '\n') + 1, "<6>one more\n");
	flood(10);
	ck_assert_uint_le(count_lines(logged()), 2);
	usleep(700000);
	log = relayed("<6>and one more\n");
	ck_assert_ptr_nonnull(strstr(log, " lines were dropped\n"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("relay");
	TCase *tc = tcase_create("lines");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, levels);
	tcase_add_test(tc, control_characters);
	tcase_add_test(tc, zero_byte_ends_the_line);
	tcase_add_test(tc, line_in_pieces);
	tcase_add_test(tc, long_line);
	tcase_add_test(tc, end_of_the_pipe);
	tcase_add_test(tc, bounded_call);
	tcase_add_test(tc, rate);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
