/* SPDX-License-Identifier: BSD-2-Clause */
/* The command that gets the flash of a guest that migrates to this host. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../src/daemon/fetch.h"
#include "pflash/reader.h"
#include "support_store.h"

#define SIZE 8192u

static struct error err;
static struct guest guest;
static char vars[600], stream[600];

static int
take(void *opaque, const void *bytes, size_t len, struct error *why)
{
	(void)why;
	ck_assert_uint_eq(fwrite(bytes, 1, len, opaque), len);
	return 0;
}

/* A flash that was lent is in the file `stream`. */
static void
make_stream(void)
{
	const struct store_config config = { .path = scratch_path("source") };
	uint8_t image[SIZE];
	char id[STORE_TRANSFER_TEXT];
	FILE *to = fopen(stream, "w");
	const struct store_sink sink = { .write = take, .opaque = to };

	memset(image, 'x', SIZE);
	blob_write(config.path, image, SIZE);
	ck_assert_msg(store_send(&config, STORE_WITH_GUEST, &sink, id, &err) ==
			      0,
		      "%s", err.text);
	ck_assert_int_eq(fclose(to), 0);
}

static void
setup(void)
{
	scratch_make();
	(void)snprintf(vars, sizeof(vars), "%s", scratch_path("web.fd"));
	(void)snprintf(stream, sizeof(stream), "%s", scratch_path("192.0.2.1"));
	make_stream();
	guest = (struct guest){ .name = "web--incoming",
				.has_run = true,
				.incoming = true };
	(void)unsetenv("SSH_CONNECTION");
	fetch_seconds = 30;
}

static int
fetch(const char *command)
{
	const struct options options = { .vars = vars, .incoming = command };

	err = (struct error){ "" };
	return fetch_flash(&options, &guest, &err);
}

/* The command is `cat` of the file, whose name may have %h. */
static int
fetch_file(const char *name)
{
	char command[700];

	(void)snprintf(command, sizeof(command), "cat  %s", scratch_path(name));
	return fetch(command);
}

static bool
has_arrived(void)
{
	struct reader *reader;
	struct error why;

	if (access(vars, F_OK) < 0)
		return false;
	ck_assert_int_eq(reader_open(&reader, NULL, vars, &why), -EREMCHG);
	ck_assert_ptr_nonnull(strstr(why.text, "has not run here"));
	return true;
}

static void
fails(const char *command, const char *why)
{
	ck_assert_int_ne(fetch(command), EXIT_OK);
	ck_assert_msg(strstr(err.text, why) != NULL, "%s: %s", command,
		      err.text);
	ck_assert(!has_arrived());
}

START_TEST(the_flash_arrives)
{
	ck_assert_msg(fetch_file("192.0.2.1") == EXIT_OK, "%s", err.text);
	ck_assert(has_arrived());
	/* The next attempt replaces it. */
	ck_assert_msg(fetch_file("192.0.2.1") == EXIT_OK, "%s", err.text);
	ck_assert(has_arrived());
}
END_TEST

START_TEST(the_host_is_that_of_the_connection)
{
	ck_assert_int_eq(setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22",
				1),
			 0);
	ck_assert_msg(fetch_file("%h") == EXIT_OK, "%s", err.text);
	ck_assert(has_arrived());
}
END_TEST

START_TEST(the_host_is_not_known)
{
	fails("cat %h", "SSH_CONNECTION has no address");
	ck_assert_int_eq(setenv("SSH_CONNECTION", "", 1), 0);
	fails("cat %h", "SSH_CONNECTION has no address");
	ck_assert_int_eq(setenv("SSH_CONNECTION", "-oProxyCommand=x 1", 1), 0);
	fails("cat %h", "SSH_CONNECTION has no address");
	ck_assert_int_eq(setenv("SSH_CONNECTION", "1;reboot 1", 1), 0);
	fails("cat %h", "SSH_CONNECTION has no address");
}
END_TEST

START_TEST(there_is_nothing_to_do)
{
	uint8_t image[SIZE] = { 0 };

	ck_assert_int_eq(fetch(NULL), EXIT_OK);
	guest.incoming = false;
	ck_assert_int_eq(fetch("false"), EXIT_OK);
	guest.incoming = true;
	blob_write(vars, image, SIZE);
	ck_assert_int_eq(fetch("false"), EXIT_OK); /* on shared storage */
}
END_TEST

START_TEST(a_command_fails)
{
	fails("false", "false has failed (exit code 1)");
	fails("/nowhere/ssh x", "/nowhere/ssh has failed (exit code 127)");
	fails("true", "ends early");
	fails("echo no stream", "ends early");
	fails("", "no word");
	fails(" \t ", "no word");
}
END_TEST

/* A stream that is whole counts for nothing if its command fails. */
START_TEST(a_whole_stream_of_a_command_that_fails)
{
	char command[700];

	(void)snprintf(command, sizeof(command), "cat %s /nowhere", stream);
	fails(command, "cat has failed (exit code 1)");
	(void)snprintf(command, sizeof(command), "head -c -1 %s", stream);
	fails(command, "ends early");
}
END_TEST

START_TEST(there_are_too_many_words)
{
	char command[200];

	for (size_t i = 0; i < 128; i++)
		memcpy(command + i, i % 2 ? " " : "a", 2);
	fails(command, "too many words");
}
END_TEST

START_TEST(a_command_is_too_slow)
{
	time_t began = time(NULL);

	fetch_seconds = 1;
	fails("sleep 60", "sleep has not ended within 1 s");
	ck_assert_int_lt(time(NULL) - began, 30);
}
END_TEST

START_TEST(names_for_a_shell_are_refused)
{
	static const char *const bad[] = {
		"a;b", "a b", "$(x)", "-x", "`x`", "a\tb", "x&", "caf\xc3\xa9"
	};
	static const char *const good[] = { "a", "1", "Web-1.example_x" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		(void)snprintf(guest.name, sizeof(guest.name), "%s--incoming",
			       bad[i]);
		fails("true", "may mean something to a shell");
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		(void)snprintf(guest.name, sizeof(guest.name), "%s--incoming",
			       good[i]);
		fails("true", "ends early");
	}
}
END_TEST

static Suite *
fetch_suite(void)
{
	Suite *suite = suite_create("fetch");
	TCase *tc = tcase_create("fetch");

	tcase_add_checked_fixture(tc, setup, scratch_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_flash_arrives);
	tcase_add_test(tc, the_host_is_that_of_the_connection);
	tcase_add_test(tc, the_host_is_not_known);
	tcase_add_test(tc, there_is_nothing_to_do);
	tcase_add_test(tc, a_command_fails);
	tcase_add_test(tc, a_whole_stream_of_a_command_that_fails);
	tcase_add_test(tc, there_are_too_many_words);
	tcase_add_test(tc, a_command_is_too_slow);
	tcase_add_test(tc, names_for_a_shell_are_refused);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(fetch_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
