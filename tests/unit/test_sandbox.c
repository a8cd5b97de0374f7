/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sandbox from inside: the attempts of a worker that its guest controls
 * fail, and the store works.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pflash/sim.h"
#include "pflash/trace.h"
#include "supervisor/broker.h"
#include "support_mount.h"
#include "support_store.h"
#include "worker/client.h"
#include "worker/sandbox.h"
#include "worker/tracer.h"
#include "worker/worker.h"

#define SIZE 16384u
#define DOMAIN 7u
#define FILE_SIZE (1u << 20)

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static char vars[256];
static uint8_t image[SIZE];

static void
setup(void)
{
	struct error err;

	scratch_make();
	(void)snprintf(vars, sizeof(vars), "%s", scratch_path("vars.fd"));
	memset(image, 0xff, sizeof(image));
	ck_assert_int_eq(create_vars(NULL, vars, image, SIZE, &err), 0);
}

static void
teardown(void)
{
	scratch_remove();
}

/* --- attempts --- */

static int
enter_as(enum sandbox_level level, const char *user, uint32_t domain,
	 struct error *err)
{
	const struct sandbox sandbox = {
		.level = level,
		.user = user,
		.domain = domain,
		.root = scratch_path("empty"),
		.file_size = FILE_SIZE,
		.memory = 64u << 20,
	};

	return sandbox_enter(&sandbox, err);
}

static int
enter(enum sandbox_level level)
{
	struct error err;
	int ret = enter_as(level, NULL, DOMAIN, &err);

	if (ret < 0)
		(void)fprintf(stderr, "sandbox: %s\n", err.text);
	return ret;
}

/* Returns 1: the attempt succeeded; 0: it failed. */
typedef int attempt(void);

/* The worker's descriptor: of VARS, or of the directory of VARS. */
static int own_fd;

static int
open_by_name(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
}

/* The scratch directory is three levels below the root. */
static int
open_from_descriptor(void)
{
	return openat(own_fd, "../../../etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
}

static int
stat_at(const char *path)
{
	struct stat st;

	return syscall(SYS_newfstatat, own_fd, path, &st, AT_EMPTY_PATH) == 0;
}

static int
stat_absolute_path(void)
{
	return stat_at("/etc/shadow");
}

static int
stat_relative_path(void)
{
	return stat_at("../../../etc/shadow");
}

static int
become_root(void)
{
	return setuid(0) == 0;
}

static int
become_root_group(void)
{
	const gid_t root = 0;

	return setgid(0) == 0 || setgroups(1, &root) == 0;
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
may_gain_privileges(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
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

static int
write_large_file(void)
{
	(void)signal(SIGXFSZ, SIG_IGN);
	return pwrite(own_fd, "x", 1, FILE_SIZE) == 1;
}

static int
dump_core(void)
{
	struct rlimit core;

	return getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0;
}

static attempt *const basic[] = {
	open_by_name,        open_from_descriptor,
	stat_absolute_path,  stat_relative_path,
	become_root,         become_root_group,
	make_process,        has_capability,
	may_gain_privileges, leave_root,
	open_many,           take_memory,
	write_large_file,    dump_core,
};

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

static int
signal_itself(void)
{
	return kill(getpid(), 0) == 0;
}

/* TIOCSTI */
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

	return syscall(SYS_stat, "/", &st) == 0;
}

static int
change_file_mode(void)
{
	return fchmod(own_fd, 0666) == 0;
}

static attempt *const full[] = {
	open_socket, execute,       make_code,        make_old_memory_code,
	trace,       signal_parent, signal_itself,    other_ioctl,
	other_fcntl, stat_by_name,  change_file_mode, become_root,
	leave_root,  open_many,     make_process,
};

/* Runs the attempt in a sandboxed child with `path` open; its wait status. */
static int
attempted(enum sandbox_level level, attempt *attempt_it, const char *path,
	  int flags)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		(void)signal(SIGSYS, SIG_DFL);
		own_fd = open(path, flags | O_CLOEXEC);
		if (own_fd < 0 || enter(level) < 0)
			_exit(2);
		errno = 0;
		_exit(attempt_it());
	}
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

static void
assert_code(int number, int status, int code)
{
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code,
		      "attempt %d: status %#x", number, (unsigned int)status);
}

START_TEST(attempts_fail_in_basic)
{
	int status = attempted(SANDBOX_BASIC, basic[_i], vars, O_RDWR);

	assert_code(_i, status, 0);
}
END_TEST

/* The attempts must succeed without a sandbox, or they prove nothing. */
START_TEST(attempts_succeed_in_none)
{
	static attempt *const some[] = { open_by_name, open_from_descriptor,
					 stat_absolute_path,
					 stat_relative_path };
	int status = attempted(SANDBOX_NONE, some[_i], scratch_path(""),
			       O_RDONLY);

	assert_code(_i, status, 1);
}
END_TEST

START_TEST(attempts_are_fatal_in_full)
{
	int status = attempted(SANDBOX_FULL, full[_i], vars, O_RDWR);

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
		      "attempt %d: status %#x", _i, (unsigned int)status);
}
END_TEST

static int
stat_descriptor(void)
{
	return stat_at("");
}

static attempt *const refused[] = { open_by_name, open_from_descriptor,
				    stat_absolute_path, stat_relative_path,
				    stat_descriptor };

/* Also from a descriptor of a directory, which no worker gets. */
START_TEST(full_refuses_every_path)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		own_fd = open(scratch_path(""), O_RDONLY | O_DIRECTORY);
		if (own_fd < 0 || enter(SANDBOX_FULL) < 0)
			_exit(2);
		_exit(refused[_i]() || errno != EPERM);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	assert_code(_i, status, 0);
}
END_TEST

/* The system calls of a host whose vDSO has no clock. */
static int
read_clocks(void)
{
	struct timespec spec;
	struct timeval val;

	return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &spec) != 0 ||
	       syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &spec) != 0 ||
	       syscall(SYS_gettimeofday, &val, NULL) != 0 ||
	       syscall(SYS_time, NULL) < 0;
}

START_TEST(full_allows_clocks)
{
	int status = attempted(SANDBOX_FULL, read_clocks, vars, O_RDWR);

	assert_code(0, status, 0);
}
END_TEST

/* --- the user --- */

/* 0: all ids of the process are `user`. */
static int
is_not(uid_t user)
{
	uid_t uid[3];
	gid_t gid[3];

	if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 ||
	    getresgid(&gid[0], &gid[1], &gid[2]) < 0 || getgroups(0, NULL) != 0)
		return 2;
	for (int i = 0; i < 3; i++)
		if (uid[i] != user || gid[i] != user)
			return 1;
	return 0;
}

/* The wait status of a child in the sandbox; 0: its ids are `expected`. */
static int
become(const char *user, uint32_t domain, uid_t expected)
{
	int status = 0;
	struct error err;
	pid_t child = fork();

	if (child == 0)
		_exit(enter_as(SANDBOX_BASIC, user, domain, &err) < 0 ?
			      3 :
			      is_not(expected));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

START_TEST(each_domain_has_a_user_of_its_own)
{
	ck_assert_int_eq(become(NULL, 0, SANDBOX_FIRST_UID), 0);
	ck_assert_int_eq(become(NULL, 7, SANDBOX_FIRST_UID + 7), 0);
	ck_assert_int_eq(become(NULL, 0x7fef, SANDBOX_FIRST_UID + 0x7fef), 0);
	ck_assert_int_eq(become("65533", 7, 65533), 0);
}
END_TEST

/* Starts a worker of this domain that waits for SIGKILL. */
static pid_t
start_other(uint32_t domain)
{
	struct error err;
	int ends[2];
	char byte;
	pid_t child;

	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		if (enter_as(SANDBOX_BASIC, NULL, domain, &err) == 0)
			(void)!write(ends[1], "", 1);
		(void)pause();
		_exit(0);
	}
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	close(ends[1]);
	return child;
}

static pid_t other;

static bool
is_refused(long ret)
{
	return ret < 0 && errno == EPERM;
}

static int
touch_other(void)
{
	char byte;
	const struct iovec here = { &byte, 1 }, there = { image, 1 };

	return !is_refused(kill(other, 0)) ||
	       !is_refused(kill(other, SIGKILL)) ||
	       !is_refused(ptrace(PTRACE_SEIZE, other, NULL, NULL)) ||
	       !is_refused(process_vm_readv(other, &here, 1, &there, 1, 0)) ||
	       !is_refused(process_vm_writev(other, &here, 1, &there, 1, 0));
}

static int
find_other(void)
{
	return kill(other, 0) == 0;
}

static void
end_other(void)
{
	int status = 0;

	ck_assert_int_eq(kill(other, SIGKILL), 0);
	ck_assert_int_eq(waitpid(other, &status, 0), other);
}

START_TEST(workers_do_not_reach_each_other)
{
	other = start_other(DOMAIN + 1);
	assert_code(0, attempted(SANDBOX_BASIC, touch_other, vars, O_RDWR), 0);
	end_other();
	/* Workers of the same user do: the attempt can succeed. */
	other = start_other(DOMAIN);
	assert_code(1, attempted(SANDBOX_BASIC, find_other, vars, O_RDWR), 1);
	end_other();
}
END_TEST

/* --- refusals --- */

/* The sentence with which a child is refused; it must be refused. */
static struct error
refusal_of(enum sandbox_level level, const char *user, void (*prepare)(void))
{
	struct error *err = mmap(NULL, sizeof(*err), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct error result;
	int status = 0;
	pid_t child;

	ck_assert_ptr_ne(err, MAP_FAILED);
	child = fork();
	if (child == 0) {
		if (prepare)
			prepare();
		_exit(enter_as(level, user, DOMAIN, err) < 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(status == 0, "status %#x", (unsigned int)status);
	result = *err;
	(void)munmap(err, sizeof(*err));
	return result;
}

static const struct {
	const char *user, *sentence;
} no_users[] = {
	{ "root", "the user 'root' has root's number: name another one, or "
		  "leave --user out" },
	{ "0", "the user '0' has root's number: name another one, or leave "
	       "--user out" },
	{ "wheel", "the user 'wheel' has root's group: name another one, or "
		   "leave --user out" },
	{ "nosuch", "there is no user 'nosuch': make the account, or leave "
		    "--user out" },
	{ "", "there is no user '': make the account, or leave --user out" },
	{ "-1", "there is no user '-1': make the account, or leave --user "
		"out" },
	{ "4294967296", "there is no user '4294967296': make the account, or "
			"leave --user out" },
	{ "4294967295", "there is no user '4294967295': make the account, or "
			"leave --user out" },
};

START_TEST(bad_users_are_refused)
{
	struct error err;

	mount_begin();
	mount_text("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
				  "wheel:x:900:0::/:/bin/sh\n");
	for (int level = SANDBOX_BASIC; level <= SANDBOX_FULL; level++) {
		err = refusal_of((enum sandbox_level)level, no_users[_i].user,
				 NULL);
		ck_assert_str_eq(err.text, no_users[_i].sentence);
	}
}
END_TEST

static void
become_nobody(void)
{
	if (setresuid(65534, 65534, 65534) < 0)
		_exit(2);
}

/* Enters a user namespace that maps only uid 0. */
static void
have_few_users(void)
{
	int fd;

	if (unshare(CLONE_NEWUSER) < 0)
		_exit(2);
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0 0 1", 5) != 5)
		_exit(2);
	close(fd);
}

static void
lose_resource_capability(void)
{
	const struct rlimit small = { 16, 16 };
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2];

	if (setrlimit(RLIMIT_NOFILE, &small) < 0 ||
	    syscall(SYS_capget, &header, data) < 0)
		_exit(2);
	data[0].effective &= ~(1u << CAP_SYS_RESOURCE);
	data[0].permitted &= ~(1u << CAP_SYS_RESOURCE);
	if (syscall(SYS_capset, &header, data) < 0)
		_exit(2);
}

static void
occupy_root(void)
{
	int fd = open(scratch_path("empty"), O_WRONLY | O_CREAT | O_CLOEXEC,
		      0600);

	if (fd < 0)
		_exit(2);
	close(fd);
}

/* Behaves like a container that forbids seccomp filters. */
static void
forbid_filters(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp),
			     0) < 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
			     SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX,
				     PR_SET_SECCOMP)) < 0 ||
	    seccomp_load(filter) < 0)
		_exit(2);
	seccomp_release(filter);
}

/* The beginning of the sentence, and the advice in it. */
static const struct {
	void (*prepare)(void);
	enum sandbox_level level;
	const char *beginning, *advice;
} refusals[] = {
	{ become_nobody, SANDBOX_BASIC, "only root can give up privileges",
	  "start pflashd as root, or with --sandbox none" },
	{ become_nobody, SANDBOX_FULL, "only root can give up privileges",
	  "start pflashd as root, or with --sandbox none" },
	{ have_few_users, SANDBOX_FULL, "cannot become user 2000000007",
	  "--user" },
	{ lose_resource_capability, SANDBOX_FULL, "the worker's limits",
	  "--sandbox none" },
	{ occupy_root, SANDBOX_FULL, "the worker's root", "--sandbox none" },
	{ forbid_filters, SANDBOX_FULL, "system calls cannot be filtered",
	  "--sandbox basic" },
};

/* Linux refuses user namespaces to a process whose root is a chroot's. */
static bool
is_in_chroot(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(unshare(CLONE_NEWUSER) < 0 && errno == EPERM);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status != 0;
}

START_TEST(each_refusal_gives_advice)
{
	struct error err;

	if (refusals[_i].prepare == have_few_users && is_in_chroot()) {
		puts("SKIP: a user namespace with one user: not in a chroot");
		(void)fflush(stdout);
		return;
	}
	err = refusal_of(refusals[_i].level, NULL, refusals[_i].prepare);
	ck_assert_msg(strncmp(err.text, refusals[_i].beginning,
			      strlen(refusals[_i].beginning)) == 0,
		      "%s", err.text);
	ck_assert_msg(strstr(err.text, refusals[_i].advice), "%s", err.text);
}
END_TEST

static int
fail_to_confine(struct transport *t)
{
	(void)t;
	return -ENOTTY;
}

static int
enter_with_handles(enum sandbox_level level, struct error *err)
{
	const struct transport_ops ops = { .confine = fail_to_confine };
	struct transport transport = { .ops = &ops };
	const struct sandbox sandbox = { .level = level,
					 .domain = DOMAIN,
					 .transport = &transport,
					 .root = scratch_path("empty"),
					 .file_size = FILE_SIZE,
					 .memory = 64u << 20 };

	return sandbox_enter(&sandbox, err);
}

/* The process keeps its privileges then; basic does not need confine(). */
START_TEST(handles_that_cannot_be_confined)
{
	struct error err;
	int status = 0;
	pid_t child;

	ck_assert_int_eq(enter_with_handles(SANDBOX_FULL, &err), -ENOTTY);
	ck_assert_msg(strstr(err.text, "--sandbox basic"), "%s", err.text);
	ck_assert_uint_eq(geteuid(), 0);
	child = fork();
	if (child == 0)
		_exit(enter_with_handles(SANDBOX_BASIC, &err) < 0 ||
		      geteuid() != SANDBOX_FIRST_UID + DOMAIN);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(levels_have_their_names)
{
	ck_assert_str_eq(sandbox_name(SANDBOX_NONE), "none");
	ck_assert_str_eq(sandbox_name(SANDBOX_BASIC), "basic");
	ck_assert_str_eq(sandbox_name(SANDBOX_FULL), "full");
}
END_TEST

/* --- the store in the sandbox, with files from the broker --- */

static unsigned int installed[FILES_ROLES];
static const struct files_ops *local_ops;

static int
count_install(struct files *files, enum files_role role, bool replace,
	      bool *named)
{
	installed[role]++;
	return local_ops->install(files, role, replace, named);
}

static struct files *
open_files(void)
{
	static struct files_ops counting;
	struct files *files;
	struct error err;

	ck_assert_int_eq(files_local(&files, vars, NULL, NULL, &err), 0);
	local_ops = files->ops;
	counting = *local_ops;
	counting.install = count_install;
	files->ops = &counting;
	memset(installed, 0, sizeof(installed));
	return files;
}

static void
serve(struct files *files, int channel)
{
	struct broker broker = { .files = files };
	struct error why = { .text = "" };
	int ret = 1;

	broker_begin(&broker);
	while (ret > 0)
		ret = broker_serve(&broker, channel, &why);
	close(channel);
	ck_assert_msg(ret == 0, "%s", why.text);
	files->ops->close(files);
}

/* Runs `worker` in a sandboxed child and serves its requests; its exit code. */
static int
served(int (*worker)(enum sandbox_level level, struct files *files),
       enum sandbox_level level)
{
	struct files *files = open_files();
	int ends[2], status = 0;
	pid_t child;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    ends),
			 0);
	child = fork();
	if (child == 0) {
		(void)signal(SIGSYS, SIG_DFL);
		close(ends[0]);
		client_init(ends[1]);
		_exit(enter(level) < 0 ? 99 :
					 worker(level, client_files(files)));
	}
	close(ends[1]);
	serve(files, ends[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status), "status %#x", (unsigned int)status);
	return WEXITSTATUS(status);
}

/* Writes enough for several journals. */
static int
write_bursts(struct store *store)
{
	for (uint32_t i = 0; i < 600; i++) {
		uint8_t byte = (uint8_t)(0x7f & ~(i / 300));

		if (store_program(store, i, &byte, 1) < 0 ||
		    store_commit(store) < 0)
			return 1;
	}
	return store_erase(store, 4096, 4096) < 0 || store_commit(store) < 0;
}

static int
save_and_load_state(struct store *store)
{
	struct store_state state = { .tag = "test", .record = "x", .len = 1 };
	struct store_state found;
	struct error err;

	return store_save_state(store, &state, &err) < 0 ||
	       store_load_state(store, &found, &err) < 0 || found.len != 1;
}

/* Like a suspend and a resume of the guest. */
static int
release_and_reopen(struct store *store)
{
	const uint8_t byte = 0x55;
	struct error err;

	return store_release(store, &err) < 0 ||
	       store_retake(store, true, &err) < 0 ||
	       store_program(store, 1000, &byte, 1) < 0 ||
	       store_commit(store) < 0;
}

static int
use_store(enum sandbox_level level, struct files *files)
{
	const struct store_history none = { .bytes = 0 };
	const struct store_config config = { .files = files,
					     .size = SIZE,
					     .journal_limit = 8192,
					     .history = &none };
	struct store *store;
	struct error err;

	(void)level;
	if (store_open(&store, &config, NULL, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	if (write_bursts(store))
		return 2;
	if (store_stats(store)->checkpoints == 0)
		return 3;
	if (save_and_load_state(store))
		return 4;
	if (release_and_reopen(store))
		return 5;
	return store_close(store) < 0 ? 6 : 0;
}

/* --- a trace in the sandbox, to a descriptor from before --- */

#define BASE (UINT64_C(0x100000000) - SIZE)

static void
poll_server(void *opaque)
{
	ioreq_server_poll(opaque);
}

/* A guest and its flash, whose store is open. */
static struct device *
open_device(struct sim **sim)
{
	const struct sim_config config = { .spare_frames = SIZE / 4096 };
	const struct store_config stored = { .path = vars,
					     .sync = STORE_SYNC_NONE };
	struct device_config flash = { .base = BASE };
	struct ioreq_server *server;
	struct device *device;
	struct store *store;
	struct error err, note;

	if (geometry_parse(&flash.geometry, SIZE, 1, 0, "4096", &err) < 0 ||
	    sim_create(sim, &config) < 0 ||
	    store_open(&store, &stored, NULL, &err) < 0 ||
	    ioreq_server_open(&server, sim_transport(*sim), &err) < 0 ||
	    device_open(&device, server, sim_transport(*sim), &flash, &note,
			&err) < 0 ||
	    device_connect(device, store, &err) < 0 ||
	    ioreq_server_start(server, &err) < 0)
		return NULL;
	sim_set_server(*sim, poll_server, server);
	return device;
}

static int
trace_in(enum sandbox_level level, int fd)
{
	const struct trace_config config = { .fd = fd, .limit = 1 << 20 };
	static const uint8_t values[] = { 0x10, 0xa5, 0xff };
	struct sim *sim;
	struct device *device = open_device(&sim);
	struct trace *trace;

	if (!device)
		return 1;
	if (enter(level) < 0)
		return 99;
	if (trace_open(&trace, device, &config) < 0)
		return 2;
	for (unsigned int i = 0; i < 300; i++)
		sim_guest_write(sim, 0, BASE, &values[i % 3], 1);
	trace_close(trace, "the test ends");
	return 0;
}

START_TEST(trace_is_written_in_the_sandbox)
{
	const char *path = scratch_path("trace");
	int status = 0;
	struct blob blob;
	pid_t child;

	child = fork();
	if (child == 0) {
		(void)signal(SIGSYS, SIG_DFL);
		_exit(trace_in((enum sandbox_level)_i,
			       open(path, O_WRONLY | O_CREAT, 0600)));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(status == 0, "status %#x", (unsigned int)status);
	blob = blob_read(path);
	ck_assert_ptr_nonnull(memmem(blob.data, blob.len, "\nw 0 1 a5\n", 10));
	ck_assert_ptr_nonnull(memmem(blob.data, blob.len, TRACE_END "the test",
				     strlen(TRACE_END "the test")));
	blob_free(&blob);
}
END_TEST

/* The supervisor's reply, with the descriptor, is in the socket already. */
static int
limited_trace_in(enum sandbox_level level, int fd)
{
	const struct options options = { .trace_limit = TRACE_LIMIT_LEAST };
	static struct report report;
	const struct worker_start start = { .report = &report };
	struct flash flash = { .start = &start, .options = &options };
	const struct channel_reply reply = { .result = 0 };
	const uint8_t value = 0x50;
	struct sim *sim;
	int ends[2];

	flash.device = open_device(&sim);
	if (!flash.device || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0 ||
	    channel_send(ends[0], &reply, sizeof(reply), fd) < 0)
		return 1;
	client_init(ends[1]);
	if (enter(level) < 0)
		return 99;
	tracer_change(&flash);
	if (!flash.trace)
		return 2;
	for (unsigned int i = 0; i < 20000 && flash.trace; i++) {
		sim_guest_write(sim, 0, BASE, &value, 1);
		(void)tracer_flush(&flash);
	}
	return flash.trace ? 3 : 0;
}

/* The sandbox allows the call that tells a file from a connection. */
START_TEST(limit_of_a_trace_holds_in_the_sandbox)
{
	const char *path = scratch_path("trace");
	struct blob blob;
	int status = 0;
	pid_t child;

	child = fork();
	if (child == 0) {
		(void)signal(SIGSYS, SIG_DFL);
		_exit(limited_trace_in((enum sandbox_level)_i,
				       open(path, O_WRONLY | O_CREAT, 0600)));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(status == 0, "status %#x", (unsigned int)status);
	blob = blob_read(path);
	ck_assert_uint_le(blob.len, TRACE_LIMIT_LEAST);
	ck_assert_uint_ge(blob.len, TRACE_LIMIT_LEAST - 1024);
	ck_assert_ptr_nonnull(memmem(blob.data, blob.len, TRACE_END "the limit",
				     strlen(TRACE_END "the limit")));
	blob_free(&blob);
}
END_TEST

static void
assert_owned(const char *name, mode_t mode)
{
	struct stat st;

	ck_assert_int_eq(stat(scratch_path(name), &st), 0);
	ck_assert_uint_eq(st.st_uid, 1234);
	ck_assert_uint_eq(st.st_gid, 1235);
	ck_assert_uint_eq(st.st_mode & 07777, mode);
}

START_TEST(store_works_in_the_sandbox)
{
	struct blob blob;

	ck_assert_int_eq(chown(vars, 1234, 1235), 0);
	ck_assert_int_eq(chmod(vars, 0640), 0);
	ck_assert_int_eq(served(use_store, (enum sandbox_level)_i), 0);
	blob = blob_read(vars);
	ck_assert_uint_eq(blob.len, SIZE);
	ck_assert_uint_eq(blob.data[0], 0x7f);
	ck_assert_uint_eq(blob.data[599], 0x7e);
	ck_assert_uint_eq(blob.data[600], 0xff);
	ck_assert_uint_eq(blob.data[1000], 0x55);
	blob_free(&blob);
	assert_owned("vars.fd", 0640);
	assert_owned("vars.fd.journal", 0640);
	assert_owned("vars.fd.state", 0640);
	ck_assert_uint_eq(installed[FILES_VARS], 0);
	ck_assert_uint_gt(installed[FILES_JOURNAL], 1);
	ck_assert_uint_eq(installed[FILES_STATE], 1);
}
END_TEST

static int
make_store(enum sandbox_level level, struct files *files)
{
	const struct store_config config = { .files = files, .size = SIZE };
	struct error err;

	memset(image, 0x5a, sizeof(image));
	if (store_create(&config, image, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 10;
	}
	return use_store(level, files);
}

/* A new VARS file belongs to root. */
START_TEST(new_file_is_created_in_the_sandbox)
{
	struct blob blob;
	struct stat st;

	ck_assert_int_eq(unlink(vars), 0);
	ck_assert_int_eq(served(make_store, (enum sandbox_level)_i), 0);
	ck_assert_uint_eq(installed[FILES_VARS], 1);
	blob = blob_read(vars);
	ck_assert_uint_eq(blob.len, SIZE);
	ck_assert_uint_eq(blob.data[SIZE - 1], 0x5a);
	ck_assert_uint_eq(blob.data[4096], 0xff);
	blob_free(&blob);
	ck_assert_int_eq(stat(vars, &st), 0);
	ck_assert_uint_eq(st.st_uid, 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

static int
open_locked(enum sandbox_level level, struct files *files)
{
	const struct store_config config = { .files = files };
	struct store *store;
	struct error err;

	(void)level;
	if (store_open(&store, &config, NULL, &err) != -EBUSY)
		return 1;
	return strstr(err.text, "vars.fd: in use by another process") ? 0 : 2;
}

/* The worker cannot find the holder; the supervisor does. */
START_TEST(file_in_use_is_refused_in_the_sandbox)
{
	const struct store_config config = { .path = vars };
	struct store *store;
	struct error err;

	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(served(open_locked, (enum sandbox_level)_i), 0);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* --- the suite --- */

START_TEST(only_root)
{
	puts("SKIP: the sandbox needs root");
	(void)fflush(stdout);
}
END_TEST

START_TEST(no_mounts)
{
	printf("SKIP: bad users are refused: %s\n", mount_refusal());
	(void)fflush(stdout);
}
END_TEST

START_TEST(no_full)
{
	puts("SKIP: --sandbox full: a sanitizer makes other system calls");
	(void)fflush(stdout);
}
END_TEST

static void
add_full(TCase *tc)
{
	tcase_add_loop_test(tc, attempts_are_fatal_in_full, 0, COUNT(full));
	tcase_add_loop_test(tc, full_refuses_every_path, 0, COUNT(refused));
	tcase_add_test(tc, full_allows_clocks);
}

static void
add_confinement(TCase *tc)
{
	tcase_add_loop_test(tc, attempts_fail_in_basic, 0, COUNT(basic));
	tcase_add_loop_test(tc, attempts_succeed_in_none, 0, 4);
	if (memory_can_fail())
		add_full(tc);
	else
		tcase_add_test(tc, no_full);
	tcase_add_test(tc, each_domain_has_a_user_of_its_own);
	tcase_add_test(tc, workers_do_not_reach_each_other);
}

static void
add_refusals(TCase *tc)
{
	if (mount_refusal())
		tcase_add_test(tc, no_mounts);
	else
		tcase_add_loop_test(tc, bad_users_are_refused, 0,
				    COUNT(no_users));
	tcase_add_loop_test(tc, each_refusal_gives_advice, 0, COUNT(refusals));
	tcase_add_test(tc, handles_that_cannot_be_confined);
	tcase_add_test(tc, levels_have_their_names);
}

static void
add_store(TCase *tc)
{
	int end = memory_can_fail() ? SANDBOX_FULL + 1 : SANDBOX_FULL;

	tcase_add_loop_test(tc, store_works_in_the_sandbox, SANDBOX_NONE, end);
	tcase_add_loop_test(tc, trace_is_written_in_the_sandbox, SANDBOX_NONE,
			    end);
	tcase_add_loop_test(tc, limit_of_a_trace_holds_in_the_sandbox,
			    SANDBOX_NONE, end);
	tcase_add_loop_test(tc, new_file_is_created_in_the_sandbox,
			    SANDBOX_NONE, end);
	tcase_add_loop_test(tc, file_in_use_is_refused_in_the_sandbox,
			    SANDBOX_NONE, end);
}

static Suite *
sandbox_suite(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tc = tcase_create("sandbox");

	suite_add_tcase(suite, tc);
	if (geteuid() != 0) {
		tcase_add_test(tc, only_root);
		return suite;
	}
	tcase_add_checked_fixture(tc, setup, teardown);
	add_confinement(tc);
	add_refusals(tc);
	add_store(tc);
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
