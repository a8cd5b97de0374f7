/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the process that holds a new domain, with doubles of xenstore and of
 * the hypervisor.  On every way it ends, and no pause is left that nobody will
 * end.
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "domain.h"
#include "files.h"
#include "hold.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"
#define OTHER "11234567-89ab-cdef-0123-456789abcdef"
#define ID 7

/* The host, which all processes share. */
static struct host {
	char present[37];  /* the UUID of the new domain; "": none yet */
	const char *fault; /* of watch_open() */
	const char *find;  /* the error of watch_find() */
	const char *pause; /* the error of domain_pause() */
	int pauses;        /* of the domain */
	int all_pauses;    /* those that were made */
	int watches;       /* that are open */
	pid_t watcher;
	bool remove; /* the record is removed during the pause */
} volatile *host;

static char directory[64];
static struct error err;

/* --- doubles of domain.c --- */

struct watch {
	int none;
};

int
watch_open(struct watch **watch, struct error *why)
{
	static struct watch one;

	if (host->fault)
		return error_set(why, EIO, "%s", host->fault);
	host->watches++;
	host->watcher = getpid();
	*watch = &one;
	return 0;
}

void
watch_close(struct watch *watch)
{
	(void)watch;
	host->watches--;
}

int
watch_find(struct watch *watch, const char *uuid, int ms, uint32_t *id,
	   struct error *why)
{
	const struct timespec step = { .tv_nsec = 10000000 };

	(void)watch;
	(void)ms;
	(void)nanosleep(&step, NULL);
	if (host->find)
		return error_set(why, EIO, "%s", host->find);
	*id = ID;
	return strcmp((const char *)host->present, uuid) == 0;
}

int
domain_pause(uint32_t id, struct error *why)
{
	char path[PATH_MAX];

	ck_assert_uint_eq(id, ID);
	if (host->pause)
		return error_set(why, EPERM, "%s", host->pause);
	host->pauses++;
	host->all_pauses++;
	files_path(UUID, FILES_HOLD, path);
	if (host->remove)
		(void)unlink(path);
	return 0;
}

int
domain_unpause(uint32_t id, struct error *why)
{
	(void)why;
	ck_assert_uint_eq(id, ID);
	host->pauses--;
	return 0;
}

/* --- the test --- */

static void
setup(void)
{
	host = mmap(NULL, sizeof(*host), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne((void *)(uintptr_t)host, MAP_FAILED);
	strcpy(directory, "/tmp/test_hold.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(setenv("PFLASH_RUN", directory, 1), 0);
	err.text[0] = '\0';
}

static void
appear(const char *uuid)
{
	strcpy((char *)(uintptr_t)host->present, uuid);
}

/* Waits until the condition is true, some seconds at most. */
static void
await(bool (*done)(void))
{
	const struct timespec step = { .tv_nsec = 10000000 };

	for (int i = 0; i < 300 && !done(); i++)
		(void)nanosleep(&step, NULL);
	ck_assert_msg(done(), "a process was left behind");
}

static bool
none_watches(void)
{
	return host->watches == 0;
}

static void
teardown(void)
{
	char command[128];

	await(none_watches);
	(void)snprintf(command, sizeof(command), "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static void
begin(void)
{
	int ret = hold_begin(UUID, &err);

	ck_assert_msg(ret == 0, "%s", err.text);
	ck_assert(files_exists(UUID, FILES_HOLD));
	ck_assert_int_eq(host->watches, 1);
	ck_assert_int_ne(host->watcher, getpid());
}

static void
demand_not_held(const char *why)
{
	uint32_t id;

	ck_assert_int_lt(hold_take(UUID, &id, &err), 0);
	ck_assert_msg(strstr(err.text, why) != NULL, "'%s' is not in: %s", why,
		      err.text);
	ck_assert(!files_exists(UUID, FILES_HOLD));
}

START_TEST(domain_is_held)
{
	uint32_t id = 0;

	begin();
	appear(UUID);
	ck_assert_msg(hold_take(UUID, &id, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(id, ID);
	ck_assert_int_eq(host->pauses, 1);
	ck_assert(!files_exists(UUID, FILES_HOLD));
	demand_not_held("was not held at its creation");
	ck_assert_int_eq(host->pauses, 1);
}
END_TEST

/* libvirt waits for the end of the hook's standard error. */
START_TEST(output_is_closed)
{
	int ends[2], saved = dup(STDERR_FILENO);
	char byte;

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
	ck_assert_int_eq(close(ends[1]), 0);
	begin();
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	ck_assert_int_eq(read(ends[0], &byte, 1), 0);
	ck_assert_int_eq(getsid(host->watcher), host->watcher);
	files_remove(UUID, FILES_HOLD);
}
END_TEST

START_TEST(others_are_not_held)
{
	begin();
	appear(OTHER);
	(void)usleep(200000);
	ck_assert_int_eq(host->all_pauses, 0);
	ck_assert_int_eq(host->watches, 1);
	files_remove(UUID, FILES_HOLD);
	await(none_watches);
	ck_assert_int_eq(host->all_pauses, 0);
}
END_TEST

START_TEST(removed_record_ends_it)
{
	begin();
	ck_assert(files_remove(UUID, FILES_HOLD));
	await(none_watches);
	appear(UUID);
	demand_not_held("was not held at its creation");
	ck_assert_int_eq(host->all_pauses, 0);
}
END_TEST

/* The start was given up at the same moment. */
START_TEST(unread_pause_is_taken_back)
{
	host->remove = true;
	begin();
	appear(UUID);
	await(none_watches);
	ck_assert_int_eq(host->all_pauses, 1);
	ck_assert_int_eq(host->pauses, 0);
}
END_TEST

START_TEST(second_start_replaces_the_first)
{
	uint32_t id;

	begin();
	ck_assert_int_eq(hold_begin(UUID, &err), 0);
	(void)usleep(200000);
	ck_assert_int_eq(host->watches, 1);
	appear(UUID);
	ck_assert_int_eq(hold_take(UUID, &id, &err), 0);
	await(none_watches);
	ck_assert_int_eq(host->pauses, 1);
}
END_TEST

START_TEST(two_guests_start_together)
{
	uint32_t id;

	begin();
	ck_assert_int_eq(hold_begin(OTHER, &err), 0);
	ck_assert_int_eq(host->watches, 2);
	appear(OTHER);
	ck_assert_int_eq(hold_take(OTHER, &id, &err), 0);
	ck_assert_int_eq(host->pauses, 1);
	appear(UUID);
	ck_assert_int_eq(hold_take(UUID, &id, &err), 0);
	ck_assert_int_eq(host->pauses, 2);
}
END_TEST

START_TEST(failures_are_reported)
{
	host->fault = "cannot reach xenstored";
	ck_assert_int_lt(hold_begin(UUID, &err), 0);
	ck_assert_str_eq(err.text, "cannot reach xenstored");
	ck_assert(!files_exists(UUID, FILES_HOLD));
	host->fault = NULL;
	host->find = "xenstored has gone";
	ck_assert_int_eq(hold_begin(UUID, &err), 0);
	demand_not_held("could not be held: xenstored has gone");
	host->find = NULL;
	host->pause = "the pause: EPERM";
	begin();
	appear(UUID);
	demand_not_held("could not be held: the pause: EPERM");
	ck_assert_int_eq(host->pauses, 0);
}
END_TEST

START_TEST(killed_process_is_reported)
{
	begin();
	ck_assert_int_eq(kill(host->watcher, SIGKILL), 0);
	host->watches = 0;
	demand_not_held("has ended too early");
}
END_TEST

static void
expect_ready(void *opaque, const char *sentence)
{
	ck_assert_str_eq(sentence, "");
	*(bool *)opaque = true;
}

START_TEST(time_is_limited)
{
	char path[PATH_MAX];
	bool ready = false;
	FILE *file;

	ck_assert_int_eq(files_prepare(&err), 0);
	files_path(UUID, FILES_HOLD, path);
	file = fopen(path, "w+");
	ck_assert_ptr_nonnull(file);
	hold_wait(fileno(file), UUID, 1, expect_ready, &ready);
	ck_assert(ready);
	ck_assert_int_eq(host->all_pauses, 0);
	ck_assert_int_eq(fclose(file), 0);
	demand_not_held("has ended too early");
}
END_TEST

/* A file that another process has locked, and never ends. */
START_TEST(take_does_not_wait_for_ever)
{
	time_t start = time(NULL);

	begin();
	demand_not_held("has not found it");
	ck_assert_int_ge(time(NULL) - start, 9);
	ck_assert_int_le(time(NULL) - start, 15);
}
END_TEST

/* There is no room for the id. */
START_TEST(full_disk_takes_the_pause_back)
{
	bool ready = false;
	FILE *full = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(full);
	appear(UUID);
	hold_wait(fileno(full), UUID, 5, expect_ready, &ready);
	ck_assert_int_eq(host->all_pauses, 1);
	ck_assert_int_eq(host->pauses, 0);
	(void)fclose(full);
}
END_TEST

START_TEST(files_are_private)
{
	char path[PATH_MAX];
	struct stat st;

	ck_assert_int_eq(files_write("web", FILES_CONF, "vars = /v\n", &err),
			 0);
	ck_assert_int_eq(files_write("web", FILES_CONF, "x\n", &err), 0);
	files_path("web", FILES_CONF, path);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777u, 0600u);
	ck_assert_int_eq(st.st_size, 2);
	*strrchr(path, '/') = '\0';
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777u, 0700u);
	ck_assert(files_remove("web", FILES_CONF));
	ck_assert(!files_remove("web", FILES_CONF));
	/* Nothing else is left. */
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("hold");
	TCase *tc = tcase_create("hold");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, domain_is_held);
	tcase_add_test(tc, output_is_closed);
	tcase_add_test(tc, others_are_not_held);
	tcase_add_test(tc, removed_record_ends_it);
	tcase_add_test(tc, unread_pause_is_taken_back);
	tcase_add_test(tc, second_start_replaces_the_first);
	tcase_add_test(tc, two_guests_start_together);
	tcase_add_test(tc, failures_are_reported);
	tcase_add_test(tc, killed_process_is_reported);
	tcase_add_test(tc, time_is_limited);
	tcase_add_test(tc, take_does_not_wait_for_ever);
	tcase_add_test(tc, full_disk_takes_the_pause_back);
	tcase_add_test(tc, files_are_private);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
