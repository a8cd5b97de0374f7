/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --lease-lost with real processes in place of a supervisor and its worker, and
 * a double of the hypervisor: the order of the ends, and what stays if the
 * domain cannot be paused.
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lost.h"
#include "pflash/xen.h"

static struct {
	int open, pause; /* results */
	bool alive;
	int pauses;
} xen;

/* Shared with the processes. */
static struct stage {
	pid_t worker;
	int workers;          /* that were started */
	int supervisor_first; /* a worker has seen the end of its supervisor */
} * stage;

static pid_t supervisor;

/* --- the hypervisor --- */

static int
double_pause(struct transport *t)
{
	(void)t;
	xen.pauses++;
	return xen.pause;
}

static bool
double_alive(struct transport *t)
{
	(void)t;
	return xen.alive;
}

static void
double_close(struct transport *t)
{
	(void)t;
}

static const struct transport_ops ops = { .pause = double_pause,
					  .alive = double_alive,
					  .close = double_close };
static struct transport transport = { .ops = &ops };

int
xen_transport_open(struct transport **out, uint32_t domid, struct error *err)
{
	ck_assert_uint_eq(domid, 5);
	*out = &transport;
	return xen.open < 0 ? error_set(err, -xen.open, "no Xen") : 0;
}

/* --- the processes --- */

static void
on_end_of_supervisor(int number)
{
	(void)number;
	stage->supervisor_first++;
	_exit(0);
}

static void
start_worker(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)signal(SIGUSR1, on_end_of_supervisor);
		(void)prctl(PR_SET_PDEATHSIG, SIGUSR1);
		stage->worker = getpid();
		stage->workers++;
		for (;;)
			pause();
	}
}

/* Replaces its worker at once, as pflashd does. */
static void
be_supervisor(const char *name)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (name)
		(void)prctl(PR_SET_NAME, name);
	for (;;) {
		start_worker();
		(void)waitpid(-1, NULL, 0);
	}
}

static void
start(const char *name)
{
	supervisor = fork();
	if (supervisor == 0)
		be_supervisor(name);
	while (!__atomic_load_n(&stage->worker, __ATOMIC_ACQUIRE))
		(void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static int
lose(const char *domain)
{
	const struct options options = { .domain = domain,
					 .lease_lost = (uint64_t)supervisor };

	return lost_run(&options);
}

/* Does the process run?  A zombie does not. */
static bool
runs(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	if (pid != supervisor)
		return kill(pid, 0) == 0;
	(void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
	return info.si_pid == 0;
}

static void
setup(void)
{
	memset(&xen, 0, sizeof(xen));
	xen.alive = true;
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(stage, MAP_FAILED);
}

static void
teardown(void)
{
	pid_t worker = stage->worker;

	(void)kill(supervisor, SIGKILL);
	(void)waitpid(supervisor, NULL, 0);
	if (worker > 0)
		(void)kill(worker, SIGKILL);
}

/* The supervisor's zombie keeps the worker's: nobody reaps them here. */
START_TEST(worker_ends_before_its_supervisor)
{
	start(NULL);
	ck_assert_int_eq(lose("5"), EXIT_OK);
	ck_assert_int_eq(xen.pauses, 1);
	ck_assert(!runs(supervisor));
	ck_assert_int_eq(stage->workers, 1);
	ck_assert_int_eq(stage->supervisor_first, 0);
}
END_TEST

START_TEST(domain_is_gone)
{
	start(NULL);
	xen.alive = false;
	ck_assert_int_eq(lose("5"), EXIT_OK);
	ck_assert_int_eq(xen.pauses, 0);
	ck_assert(!runs(supervisor));
}
END_TEST

/* Its writes go on, so that sanlock must not take it for ended. */
START_TEST(domain_that_cannot_be_paused)
{
	start(NULL);
	xen.pause = -EPERM;
	ck_assert_int_eq(lose("5"), EXIT_DOMAIN);
	ck_assert(runs(supervisor) && runs(stage->worker));
	xen.open = -ENOENT;
	ck_assert_int_eq(lose("5"), EXIT_DOMAIN);
	ck_assert(runs(supervisor) && runs(stage->worker));
	ck_assert_int_eq(stage->workers, 1);
}
END_TEST

START_TEST(another_program_has_the_pid)
{
	start("another");
	ck_assert_int_eq(lose("5"), EXIT_OK);
	ck_assert_int_eq(xen.pauses, 1);
	ck_assert(runs(supervisor) && runs(stage->worker));
}
END_TEST

START_TEST(domain_must_be_an_id)
{
	start(NULL);
	ck_assert_int_eq(lose("guest"), EXIT_USAGE);
	ck_assert_int_eq(xen.pauses, 0);
	ck_assert(runs(supervisor));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lost");
	TCase *tc = tcase_create("lost");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, worker_ends_before_its_supervisor);
	tcase_add_test(tc, domain_is_gone);
	tcase_add_test(tc, domain_that_cannot_be_paused);
	tcase_add_test(tc, another_program_has_the_pid);
	tcase_add_test(tc, domain_must_be_an_id);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
