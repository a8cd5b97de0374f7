/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sandbox from inside, and the keeper from the side of a worker that is in
 * the hands of its guest.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../src/daemon/ask.h"
#include "../../src/daemon/log.h"
#include "../../src/daemon/privileged.h"
#include "../../src/daemon/sandbox.h"
#include "support_store.h"

#define SIZE 16384u
#define USER "65534"

static char vars[256];
static struct options options;
static struct privileged keeper;

static void
setup(void)
{
	static uint8_t image[SIZE];
	struct error err;

	scratch_make();
	(void)snprintf(vars, sizeof(vars), "%s", scratch_path("vars.fd"));
	memset(image, 0xff, sizeof(image));
	ck_assert_int_eq(create_vars(NULL, vars, image, SIZE, &err), 0);
	options = (struct options){ .vars = vars };
	privileged_init(&keeper, &options, -1);
}

static void
teardown(void)
{
	privileged_end(&keeper);
	scratch_remove();
}

/* --- what is given up --- */

static int
enter(enum sandbox_level level)
{
	const struct sandbox sandbox = {
		.level = level,
		.user = USER,
		.root = scratch_path("empty"),
		.file_size = 1u << 20,
		.memory = 64u << 20,
	};
	struct error note;
	int ret = sandbox_enter(&sandbox, &note);

	if (ret != (int)level)
		(void)fprintf(stderr, "sandbox: %d, %s\n", ret, note.text);
	return ret;
}

/* 0: it could not do it. */
typedef int attempt(void);

static int
open_by_name(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
}

static int
become_root(void)
{
	return setuid(0) == 0;
}

static int
make_process(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child > 0;
}

static int
has_capability(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2];

	return syscall(SYS_capget, &header, data) != 0 ||
	       (data[0].effective | data[0].permitted | data[1].effective |
		data[1].permitted) != 0;
}

static int
leave_root(void)
{
	return chroot("/") == 0 || open("..", O_RDONLY | O_CLOEXEC) >= 0;
}

static int
open_many(void)
{
	for (int i = 0; i < 100; i++)
		if (dup(0) < 0)
			return 0;
	return 1;
}

static int
take_memory(void)
{
	return mmap(NULL, 128u << 20, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static attempt *const basic[] = { open_by_name,   become_root, make_process,
				  has_capability, leave_root,  open_many,
				  take_memory };

static int
open_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}

static int
execute(void)
{
	char *const argv[] = { NULL };

	return execve("/bin/true", argv, argv) == 0;
}

static int
make_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static int
make_old_memory_code(void)
{
	static char page[8192];
	uintptr_t at = ((uintptr_t)page + 4095) & ~(uintptr_t)4095;

	return mprotect((void *)at, 4096, PROT_READ | PROT_EXEC) == 0;
}

static int
trace(void)
{
	return syscall(SYS_ptrace, 0, 0, 0, 0) == 0;
}

static int
signal_parent(void)
{
	return kill(getppid(), 0) == 0;
}

/* TIOCSTI, a hypercall, and what puts a lock on others' files */
static int
other_ioctl(void)
{
	return syscall(SYS_ioctl, 0, 0x5412ul, "x") == 0;
}

static int
other_fcntl(void)
{
	return fcntl(0, F_SETOWN, getpid()) == 0;
}

static int
stat_by_name(void)
{
	struct stat st;

	return stat("/", &st) == 0;
}

static attempt *const full[] = {
	open_socket,   execute,     make_code,   make_old_memory_code, trace,
	signal_parent, other_ioctl, other_fcntl, stat_by_name
};

/* How a child ends that attempts it. */
static int
attempted(enum sandbox_level level, attempt *what)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		signal(SIGSYS, SIG_DFL);
		if (enter(level) != (int)level)
			_exit(2);
		_exit(what());
	}
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

START_TEST(basic_keeps_it_out)
{
	int status = attempted(SANDBOX_BASIC, basic[_i]);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "attempt %d: status %#x", _i, (unsigned int)status);
}
END_TEST

START_TEST(none_lets_it)
{
	int status = attempted(SANDBOX_NONE, open_by_name);

	ck_assert_int_eq(WEXITSTATUS(status), 1);
}
END_TEST

START_TEST(full_ends_it)
{
	int status = attempted(SANDBOX_FULL, full[_i]);

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
		      "attempt %d: status %#x", _i, (unsigned int)status);
}
END_TEST

/* As where the kernel has no other way to tell the time. */
static int
ask_the_time(void)
{
	struct timespec spec;
	struct timeval val;

	return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &spec) != 0 ||
	       syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &spec) != 0 ||
	       syscall(SYS_gettimeofday, &val, NULL) != 0 ||
	       syscall(SYS_time, NULL) < 0;
}

START_TEST(full_has_the_time)
{
	int status = attempted(SANDBOX_FULL, ask_the_time);

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(full_refuses_to_open)
{
	int status = attempted(SANDBOX_FULL, open_by_name);

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* The lock is held here, and the other process is told so. */
static int
open_locked(void)
{
	const struct store_config config = { .path = vars, .sys = &sys_keeper };
	struct store *store;
	struct error err;
	char text[64];

	(void)snprintf(text, sizeof(text), "in use by pid %d (", getppid());
	if (enter(SANDBOX_FULL) != SANDBOX_FULL ||
	    store_open(&store, &config, NULL, &err) != -EBUSY)
		return 1;
	return strstr(err.text, text) ? 0 : 2;
}

START_TEST(full_is_refused_without_its_user)
{
	const struct sandbox sandbox = { .level = SANDBOX_FULL,
					 .user = "no such user" };
	const struct sandbox most = { .level = SANDBOX_MOST,
				      .user = "no such user" };
	struct error note;

	ck_assert_int_lt(sandbox_enter(&sandbox, &note), 0);
	ck_assert_str_eq(note.text, "no user 'no such user'");
	ck_assert_int_eq(sandbox_enter(&most, &note), SANDBOX_NONE);
	ck_assert_str_eq(note.text, "no user 'no such user'");
}
END_TEST

START_TEST(root_is_no_user_of_it)
{
	const struct sandbox sandbox = { .level = SANDBOX_BASIC,
					 .user = "root" };
	struct error note;

	ck_assert_int_lt(sandbox_enter(&sandbox, &note), 0);
}
END_TEST

/* --- the flash in it --- */

/* The child's exit code; the parent is its keeper meanwhile. */
static int
kept(int (*child_main)(void))
{
	int ends[2], status = 0;
	pid_t child;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    ends),
			 0);
	child = fork();
	if (child == 0) {
		signal(SIGSYS, SIG_DFL);
		close(ends[0]);
		ask_init(ends[1]);
		_exit(child_main());
	}
	close(ends[1]);
	while (privileged_serve(&keeper, ends[0]) > 0)
		;
	close(ends[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status), "status %#x", (unsigned int)status);
	return WEXITSTATUS(status);
}

/* Enough for some journals, and a state beside them. */
static int
use_store(void)
{
	const struct store_history none = { .bytes = 0 };
	const struct store_config config = {
		.path = vars,
		.journal_limit = 8192,
		.history = &none,
		.sys = &sys_keeper,
	};
	struct store_kept state = { .tag = "test", .record = "x", .len = 1 };
	struct store *store;
	struct error err;
	uint8_t byte;

	if (enter(SANDBOX_FULL) != SANDBOX_FULL ||
	    store_open(&store, &config, NULL, &err) < 0)
		return 1;
	for (unsigned int i = 0; i < 600; i++) {
		byte = (uint8_t)(0x7f & ~(i / 300));
		if (store_program(store, i, &byte, 1) < 0 ||
		    store_commit(store) < 0)
			return 2;
	}
	if (store_keep(store, &state, &err) < 0)
		return 3;
	return store_close(store) < 0 ? 4 : 0;
}

START_TEST(store_works_in_it)
{
	struct stat st;
	struct blob blob;

	ck_assert_int_eq(chown(vars, 1234, 1235), 0);
	ck_assert_int_eq(chmod(vars, 0640), 0);
	ck_assert_int_eq(kept(use_store), 0);
	blob = blob_read(vars);
	ck_assert_uint_eq(blob.data[0], 0x7f);
	ck_assert_uint_eq(blob.data[599], 0x7e);
	ck_assert_uint_eq(blob.data[600], 0xff);
	blob_free(&blob);
	ck_assert_int_eq(stat(scratch_path("vars.fd.journal"), &st), 0);
	ck_assert_uint_eq(st.st_uid, 1234);
	ck_assert_uint_eq(st.st_gid, 1235);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
	ck_assert_int_eq(stat(scratch_path("vars.fd.state"), &st), 0);
	ck_assert_uint_eq(st.st_uid, 1234);
}
END_TEST

START_TEST(a_file_in_use_names_its_holder)
{
	const struct store_config config = { .path = vars };
	struct store *store;
	struct error err;

	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(kept(open_locked), 0);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* --- what the keeper refuses --- */

static int
ask_for_others(void)
{
	const struct sys *sys = &sys_keeper;
	char inside[300], outside[300];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)snprintf(inside, sizeof(inside), "%s.journal", vars);
	(void)snprintf(outside, sizeof(outside), "%s.bak", vars);
	if (sys->open("/etc/passwd", O_RDONLY, 0) >= 0 || errno != EPERM)
		return 1;
	if (sys->open("/etc", O_RDONLY | O_DIRECTORY, 0) >= 0)
		return 2;
	if (sys->open(vars, O_RDWR | O_TRUNC, 0) >= 0 || errno != EPERM)
		return 3;
	if (sys->open(vars, O_RDWR | O_TMPFILE, 0) >= 0)
		return 4;
	if (sys->rename(vars, outside, 0) == 0 || errno != EPERM)
		return 5;
	if (sys->rename("/etc/passwd", inside, 0) == 0 || errno != EPERM)
		return 6;
	if (sys->unlink(outside) == 0 || errno != EPERM)
		return 7;
	if (null < 0 || sys->fchown(null, 0, 0) == 0 || errno != EPERM)
		return 9;
	if (ask_simply(CHANNEL_READY, &(struct error){ 0 }) != -ESRCH)
		return 10;
	return 0;
}

START_TEST(keeper_does_it_for_this_flash_only)
{
	ck_assert_int_eq(kept(ask_for_others), 0);
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

START_TEST(names_are_these)
{
	struct names names = { .vars = "/a/v.fd" };

	ck_assert(names_have(&names, "/a/v.fd"));
	ck_assert(names_have(&names, "/a/v.fd.journal"));
	ck_assert(names_have(&names, "/a/v.fd.journal.new"));
	ck_assert(names_have(&names, "/a/v.fd.state.new"));
	ck_assert(names_have(&names, "/a/v.fd.0123456789abcdef"));
	ck_assert(!names_have(&names, "/a/v.fd2"));
	ck_assert(!names_have(&names, "/a/v.fd/x"));
	ck_assert(!names_have(&names, "/a/v.fd.0123456789abcdeg"));
	ck_assert(!names_have(&names, "/a/v.fd.journal.newer"));
	ck_assert(!names_have(&names, "v.fd"));
	ck_assert(names_have_directory(&names, "/a"));
	ck_assert(!names_have_directory(&names, "/"));
	names.real = "/b/w.fd";
	ck_assert(names_have(&names, "/b/w.fd.journal"));
	ck_assert(!names_have(&names, "/a/v.fd.0123456789abcdef"));
	ck_assert(!names_have(&names, "/b/w.fd.0123456789abcdef"));
	ck_assert(names_have_directory(&names, "/b"));
	names.journal = "/c/j.journal";
	ck_assert(names_have(&names, "/c/j.journal"));
	ck_assert(names_have(&names, "/c/j.journal.new"));
	ck_assert(names_have(&names, "/c/j.state"));
	ck_assert(!names_have(&names, "/c/j"));
	names.journal = "/c/j";
	ck_assert(names_have(&names, "/c/j.state"));
	ck_assert(!names_have(&names, "/c/j.journal"));
}
END_TEST

static int
send_garbage(int fd, size_t size)
{
	static uint8_t garbage[sizeof(struct channel_call) + 1];

	memset(garbage, 0xa5, sizeof(garbage));
	return (int)send(fd, garbage, size, MSG_NOSIGNAL);
}

static unsigned int lines_taken;

static void
take_line(int level, const char *line)
{
	(void)level, (void)line;
	lines_taken++;
}

/* A worker in the hands of its guest fills no disk by the log. */
START_TEST(flood_of_lines_is_left_out)
{
	struct channel_call call = { .op = CHANNEL_LOG, .number = { 6 } };
	struct channel_answer answer;
	int ends[2], none;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	strcpy(call.text[0], "a line");
	lines_taken = 0;
	log_to(take_line);
	for (unsigned int i = 0; i < 3000; i++) {
		ck_assert_int_gt(send(ends[1], &call, sizeof(call), 0), 0);
		ck_assert_int_eq(privileged_serve(&keeper, ends[0]), 1);
		ck_assert_int_eq(channel_receive(ends[1], &answer,
						 sizeof(answer), &none),
				 1);
		ck_assert_int_eq(answer.result, 0);
	}
	log_to(NULL);
	ck_assert_uint_ge(lines_taken, 500);
	ck_assert_uint_le(lines_taken, 1000);
	ck_assert_uint_gt(keeper.left_out, 0);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(garbage_is_answered_or_ends_it)
{
	struct channel_answer answer;
	int ends[2], none;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	ck_assert_int_gt(send_garbage(ends[1], sizeof(struct channel_call)), 0);
	ck_assert_int_eq(privileged_serve(&keeper, ends[0]), 1);
	ck_assert_int_eq(channel_receive(ends[1], &answer, sizeof(answer),
					 &none),
			 1);
	ck_assert_int_lt(answer.result, 0);
	ck_assert_int_gt(send_garbage(ends[1], 1), 0);
	ck_assert_int_eq(privileged_serve(&keeper, ends[0]), -EBADMSG);
	ck_assert_int_gt(send_garbage(ends[1], sizeof(struct channel_call) + 1),
			 0);
	ck_assert_int_eq(privileged_serve(&keeper, ends[0]), -EBADMSG);
	close(ends[1]);
	ck_assert_int_eq(privileged_serve(&keeper, ends[0]), 0);
	close(ends[0]);
}
END_TEST

static void
add_sandbox(Suite *suite)
{
	TCase *tc = tcase_create("sandbox");

	if (geteuid() != 0) {
		puts("SKIP: only root can give up something");
		return;
	}
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, basic_keeps_it_out, 0,
			    sizeof(basic) / sizeof(*basic));
	tcase_add_test(tc, none_lets_it);
	tcase_add_loop_test(tc, full_ends_it, 0, sizeof(full) / sizeof(*full));
	tcase_add_test(tc, full_has_the_time);
	tcase_add_test(tc, full_refuses_to_open);
	tcase_add_test(tc, a_file_in_use_names_its_holder);
	tcase_add_test(tc, full_is_refused_without_its_user);
	tcase_add_test(tc, root_is_no_user_of_it);
	tcase_add_test(tc, store_works_in_it);
	suite_add_tcase(suite, tc);
}

static Suite *
sandbox_suite(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tc = tcase_create("keeper");

	add_sandbox(suite);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, keeper_does_it_for_this_flash_only);
	tcase_add_test(tc, names_are_these);
	tcase_add_test(tc, flood_of_lines_is_left_out);
	tcase_add_test(tc, garbage_is_answered_or_ends_it);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(sandbox_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
