/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lease of --lease, with a fake of libsanlock_client: what the supervisor
 * asks of sanlock, and each call that fails.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sanlock.h>
#include <sanlock_admin.h>
#include <sanlock_resource.h>
#include <sanlock_rv.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/lease.h"

#define LEASE "sanlock:LS:RES:/dev/shared:1048576"
#define PROGRAM "/usr/sbin/pflashd"

enum call { CONNECT, RESTRICT, KILLPATH, ACQUIRE, RELEASE, INQUIRE, PARSE };

static struct {
	int result[PARSE + 1]; /* 0: the call succeeds */
	int calls[PARSE + 1];
	int busy; /* ACQUIRE fails so often, then it succeeds */
	bool held;
	uint64_t owner; /* host id; 0: the owners cannot be read */
	const char *state;
	char path[SANLK_HELPER_PATH_LEN], args[SANLK_HELPER_ARGS_LEN];
	uint32_t restricted, acquire_flags;
	int sock;
} fake;

static int
called(enum call call)
{
	fake.calls[call]++;
	return fake.result[call];
}

static int
fake_connect(void)
{
	int result = called(CONNECT);

	if (result < 0)
		return result;
	fake.sock = open("/dev/null", O_RDWR);
	return fake.sock;
}

static int
fake_restrict(int sock, uint32_t flags)
{
	ck_assert_int_eq(sock, fake.sock);
	fake.restricted = flags;
	return called(RESTRICT);
}

static int
fake_killpath(int sock, uint32_t flags, const char *path, char *args)
{
	ck_assert_int_eq(sock, fake.sock);
	ck_assert_uint_eq(flags, SANLK_KILLPATH_PID);
	strncpy(fake.path, path, sizeof(fake.path) - 1);
	strncpy(fake.args, args, sizeof(fake.args) - 1);
	return called(KILLPATH);
}

static int
fake_acquire(int sock, int pid, uint32_t flags, int count,
	     struct sanlk_resource *resources[], struct sanlk_options *options)
{
	int result = called(ACQUIRE);

	ck_assert_int_eq(sock, fake.sock);
	ck_assert_int_eq(pid, -1);
	ck_assert_int_eq(count, 1);
	ck_assert_str_eq(resources[0]->name, "RES");
	ck_assert_str_eq(options->owner_name, "pflashd-5");
	fake.acquire_flags = flags;
	if (fake.busy > 0) {
		fake.busy--;
		return SANLK_ACQUIRE_IDLIVE;
	}
	fake.held = result == 0;
	return result;
}

static int
fake_release(int sock, int pid, uint32_t flags, int count,
	     struct sanlk_resource *resources[])
{
	ck_assert_int_eq(sock, fake.sock);
	ck_assert_int_eq(pid, -1);
	ck_assert_uint_eq(flags, SANLK_REL_ALL);
	ck_assert_int_eq(count, 0);
	ck_assert_ptr_null(resources);
	fake.held = false;
	return called(RELEASE);
}

static int
fake_inquire(int sock, int pid, uint32_t flags, int *count, char **state)
{
	(void)sock, (void)pid, (void)flags;
	*count = fake.state ? 1 : 0;
	*state = fake.state ? strdup(fake.state) : NULL;
	return called(INQUIRE);
}

static int
fake_parse(char *text, struct sanlk_resource **resource)
{
	int result = called(PARSE);

	if (result < 0)
		return result;
	ck_assert_str_eq(text, "LS:RES:/dev/shared:1048576");
	*resource = calloc(1, sizeof(**resource) + sizeof(struct sanlk_disk));
	strcpy((*resource)->lockspace_name, "LS");
	strcpy((*resource)->name, "RES");
	(*resource)->num_disks = 1;
	return 0;
}

static int
fake_owners(struct sanlk_resource *resource, uint32_t flags,
	    struct sanlk_host **hosts, int *count)
{
	(void)resource, (void)flags;
	if (!fake.owner)
		return SANLK_AIO_TIMEOUT;
	*hosts = calloc(1, sizeof(**hosts));
	(*hosts)->host_id = fake.owner;
	*count = 1;
	return 0;
}

static const char *
fake_text(int result)
{
	return result == SANLK_AIO_TIMEOUT ? "IO timeout" : "another";
}

static const struct lease_calls calls = {
	.connect = fake_connect,
	.restrict_signals = fake_restrict,
	.killpath = fake_killpath,
	.acquire = fake_acquire,
	.release = fake_release,
	.inquire = fake_inquire,
	.parse = fake_parse,
	.owners = fake_owners,
	.text = fake_text,
};

static struct lease *lease;
static struct error err;

static int
opened(int inherited)
{
	const struct lease_config config = { .text = LEASE,
					     .domain = 5,
					     .program = PROGRAM,
					     .inherited = inherited,
					     .calls = &calls };

	return lease_open(&lease, &config, &err);
}

static void
setup(void)
{
	memset(&fake, 0, sizeof(fake));
	lease = NULL;
}

/* Fails if a descriptor of the fake is still open. */
static void
closed(void)
{
	ck_assert_int_eq(fcntl(fake.sock, F_GETFD), -1);
}

START_TEST(it_is_taken_and_released)
{
	ck_assert_int_eq(opened(-1), 0);
	ck_assert_str_eq(lease_name(lease), "LS:RES");
	ck_assert(!lease_held(lease));
	ck_assert_int_eq(fcntl(lease_connection(lease), F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(lease_take(lease, &err), 0);
	ck_assert_int_eq(lease_take(lease, &err), 0);
	ck_assert_int_eq(fake.calls[ACQUIRE], 1);
	ck_assert(lease_held(lease) && fake.held);
	ck_assert_int_eq(lease_release(lease, &err), 0);
	ck_assert_int_eq(lease_release(lease, &err), 0);
	ck_assert_int_eq(fake.calls[RELEASE], 1);
	ck_assert(!lease_held(lease) && !fake.held);
	ck_assert_int_eq(lease_take(lease, &err), 0);
	lease_close(lease);
	ck_assert_int_eq(fake.calls[RELEASE], 2);
	ck_assert(!fake.held);
	closed();
}
END_TEST

/* An expired lease is no reason to wait in the daemon: pflashd would hang. */
START_TEST(sanlock_knows_how_to_stop_it)
{
	ck_assert_int_eq(opened(-1), 0);
	ck_assert_int_eq(lease_take(lease, &err), 0);
	ck_assert_str_eq(fake.path, PROGRAM);
	ck_assert_str_eq(fake.args, "--domain 5 --lease-lost");
	ck_assert_uint_eq(fake.restricted, SANLK_RESTRICT_SIGKILL);
	ck_assert_uint_eq(fake.acquire_flags, SANLK_ACQUIRE_OWNER_NOWAIT);
	lease_close(lease);
}
END_TEST

START_TEST(each_call_of_the_start_fails)
{
	static const enum call steps[] = { CONNECT, RESTRICT, KILLPATH, PARSE };

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		setup();
		fake.sock = -1;
		fake.result[steps[i]] = -ECONNREFUSED;
		ck_assert_int_lt(opened(-1), 0);
		ck_assert_ptr_null(lease);
		ck_assert_str_ne(err.text, "");
		closed();
	}
}
END_TEST

START_TEST(the_daemon_is_missing)
{
	fake.result[CONNECT] = -ENOENT;
	ck_assert_int_eq(opened(-1), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "sanlock.service"));
}
END_TEST

static void
refuses(int result, int code, const char *text)
{
	fake.result[ACQUIRE] = result;
	ck_assert_int_eq(lease_take(lease, &err), code);
	ck_assert(!lease_held(lease));
	ck_assert_msg(strstr(err.text, text), "%s", err.text);
}

START_TEST(a_refusal_says_why)
{
	ck_assert_int_eq(opened(-1), 0);
	fake.owner = 7;
	refuses(SANLK_ACQUIRE_IDLIVE, -EBUSY, "the host with id 7 has it");
	refuses(SANLK_ACQUIRE_OWNED, -EBUSY, "the host with id 7 has it");
	refuses(SANLK_ACQUIRE_OTHER, -EBUSY, "the host with id 7 has it");
	refuses(SANLK_ACQUIRE_OWNED_RETRY, -EBUSY, "loses it soon");
	fake.owner = 0;
	refuses(SANLK_ACQUIRE_IDLIVE, -EBUSY, "another host has it");
	refuses(-EEXIST, -EBUSY, "another process of this host");
	refuses(-EAGAIN, -EBUSY, "another process of this host");
	refuses(-ENOSPC, -ENOENT, "sanlock client add_lockspace -s LS:");
	refuses(SANLK_LEADER_MAGIC, -ENOENT,
		"sanlock client init -r LS:RES:/dev/shared:1048576");
	refuses(SANLK_AIO_TIMEOUT, -EIO, "IO timeout (-202)");
	refuses(-1, -EIO, "(-1)");
	refuses(-ENOTCONN, -ENOTCONN, "Transport endpoint");
	fake.result[ACQUIRE] = 0;
	ck_assert_int_eq(lease_take(lease, &err), 0);
	lease_close(lease);
}
END_TEST

START_TEST(a_start_waits_for_it)
{
	ck_assert_int_eq(opened(-1), 0);
	fake.busy = 2;
	ck_assert_int_eq(lease_wait(lease, 0, &err), -EBUSY);
	ck_assert_int_eq(lease_wait(lease, 2, &err), 0);
	ck_assert_int_eq(fake.calls[ACQUIRE], 3);
	lease_close(lease);
	fake.result[ACQUIRE] = -ENOSPC;
	ck_assert_int_eq(opened(-1), 0);
	ck_assert_int_eq(lease_wait(lease, 60, &err), -ENOENT);
	ck_assert_int_eq(fake.calls[ACQUIRE], 4);
	lease_close(lease);
}
END_TEST

/* The end of the process releases it. */
START_TEST(a_release_fails)
{
	ck_assert_int_eq(opened(-1), 0);
	ck_assert_int_eq(lease_take(lease, &err), 0);
	fake.result[RELEASE] = SANLK_AIO_TIMEOUT;
	ck_assert_int_eq(lease_release(lease, &err), -EIO);
	ck_assert(!lease_held(lease));
	lease_close(lease);
	closed();
}
END_TEST

static bool
inherits(const char *state)
{
	bool held;

	fake.state = state;
	fake.sock = open("/dev/null", O_RDWR);
	ck_assert_int_eq(opened(fake.sock), 0);
	ck_assert_int_eq(fake.calls[CONNECT], 0);
	held = lease_held(lease);
	lease_close(lease);
	closed();
	return held;
}

START_TEST(an_upgrade_keeps_it)
{
	ck_assert(inherits("LS:RES:/dev/shared:1048576:3"));
	ck_assert(inherits("LS:A:/dev/a:0:1 LS:RES:/dev/shared:1048576:3"));
	ck_assert(!inherits("LS:RESOURCE:/dev/shared:1048576:3"));
	ck_assert(!inherits("ALS:RES:/dev/shared:1048576:3"));
	ck_assert(!inherits(NULL));
	fake.result[INQUIRE] = -ENOTCONN;
	fake.sock = open("/dev/null", O_RDWR);
	ck_assert_int_eq(opened(fake.sock), -ENOTCONN);
	closed();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lease");
	TCase *tc = tcase_create("lease");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, it_is_taken_and_released);
	tcase_add_test(tc, sanlock_knows_how_to_stop_it);
	tcase_add_test(tc, each_call_of_the_start_fails);
	tcase_add_test(tc, the_daemon_is_missing);
	tcase_add_test(tc, a_refusal_says_why);
	tcase_add_test(tc, a_start_waits_for_it);
	tcase_add_test(tc, a_release_fails);
	tcase_add_test(tc, an_upgrade_keeps_it);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
