/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/sys/evtchn.h>
#include <xen/sys/privcmd.h>

/* The limit of descriptors; the worker has twenty on Xen. */
#define DESCRIPTORS 32

struct identity {
	uid_t uid;
	gid_t gid;
};

const char *
sandbox_name(enum sandbox_level level)
{
	static const char *const names[] = { "none", "basic", "full" };

	return names[level];
}

/* Looks up --user: a name, or a number. */
static int
find_named(const char *name, struct identity *found, struct error *err)
{
	const struct passwd *user = getpwnam(name);
	unsigned long number;
	char *end;

	if (user) {
		*found = (struct identity){ user->pw_uid, user->pw_gid };
	} else {
		number = strtoul(name, &end, 10);
		if (*end || end == name || number > INT32_MAX)
			return error_set(err, ENOENT,
					 "there is no user '%s': make the "
					 "account, or leave --user out",
					 name);
		*found = (struct identity){ (uid_t)number, (gid_t)number };
	}
	if (found->uid == 0 || found->gid == 0)
		return error_set(err, EINVAL,
				 "the user '%s' has root's %s: name another "
				 "one, or leave --user out",
				 name, found->uid ? "group" : "number");
	return 0;
}

static int
find_user(const struct sandbox *sandbox, struct identity *found,
	  struct error *err)
{
	uid_t own = SANDBOX_FIRST_UID + sandbox->domain;

	if (geteuid() != 0)
		return error_set(err, EPERM,
				 "only root can give up privileges: start "
				 "pflashd as root, or with --sandbox none");
	*found = (struct identity){ own, own };
	return sandbox->user ? find_named(sandbox->user, found, err) : 0;
}

static int
limit(__rlimit_resource_t resource, uint64_t most, struct error *err)
{
	const struct rlimit value = { .rlim_cur = most, .rlim_max = most };

	return setrlimit(resource, &value) < 0 ?
		       error_errno(err, errno,
				   "the worker's limits cannot be set (raise "
				   "those of pflashd, or use --sandbox none)") :
		       0;
}

/* The size of the address space, bytes; 0: /proc/self/statm is unreadable. */
static uint64_t
memory_now(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (file && fscanf(file, "%lu", &pages) != 1)
		pages = 0;
	if (file)
		(void)fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int
set_limits(const struct sandbox *sandbox, struct error *err)
{
	uint64_t memory = memory_now();
	int ret = limit(RLIMIT_CORE, 0, err);

	if (ret == 0)
		ret = limit(RLIMIT_NPROC, 0, err);
	if (ret == 0)
		ret = limit(RLIMIT_NOFILE, DESCRIPTORS, err);
	if (ret == 0)
		ret = limit(RLIMIT_FSIZE, sandbox->file_size, err);
	if (ret == 0 && memory)
		ret = limit(RLIMIT_AS, memory + sandbox->memory, err);
	return ret;
}

static int
change_root(const char *root, struct error *err)
{
	if ((mkdir(root, S_IRWXU) < 0 && errno != EEXIST) || chroot(root) < 0 ||
	    chdir("/") < 0)
		return error_errno(err, errno,
				   "the worker's root %s cannot be entered "
				   "(--sandbox none does not need it)",
				   root);
	return 0;
}

int
sandbox_die_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

/* The kernel drops all capabilities when no uid of the process is 0. */
static int
change_user(const struct identity *user, struct error *err)
{
	if (setgroups(0, NULL) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return error_errno(
			err, errno,
			"cannot become user %u (give another --user, "
			"or use --sandbox none)",
			user->uid);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, errno,
				   "privileges cannot be given up for good "
				   "(--sandbox none does not need it)");
	return 0;
}

static int
enter_basic(const struct sandbox *sandbox, const struct identity *user,
	    struct error *err)
{
	int ret = set_limits(sandbox, err);

	if (ret == 0)
		ret = change_root(sandbox->root, err);
	return ret < 0 ? ret : change_user(user, err);
}

/* Restricts the handles of Xen: possible since Linux 4.15 (privcmd, evtchn). */
static int
confine_handles(struct transport *t, struct error *err)
{
	int ret = t ? t->ops->confine(t) : 0;

	return ret < 0 ? error_errno(err, -ret,
				     "the handles of Xen cannot be confined to "
				     "the domain (it needs Linux 4.15; or use "
				     "--sandbox basic)") :
			 0;
}

/* Calls that are allowed with any arguments; pflashd(8) explains each group. */
static const int allowed[] = {
	/* files, by descriptors that are open or that the supervisor sends */
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fsync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(close),
	/* requests to the supervisor */
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	/* event channels, log, event loop; clocks, if the vDSO has none */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(restart_syscall),
	/* memory */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	/* the process itself */
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(exit_group),
};

/* A call that is allowed if one argument has this value. */
struct choice {
	int call;
	unsigned int argument;
	uint64_t value;
};

static const struct choice choices[] = {
	{ SCMP_SYS(ioctl), 1, IOCTL_PRIVCMD_DM_OP },
	{ SCMP_SYS(ioctl), 1, IOCTL_PRIVCMD_MMAPBATCH_V2 },
	{ SCMP_SYS(ioctl), 1, IOCTL_PRIVCMD_MMAP_RESOURCE },
	{ SCMP_SYS(ioctl), 1, IOCTL_EVTCHN_BIND_INTERDOMAIN },
	{ SCMP_SYS(ioctl), 1, IOCTL_EVTCHN_UNBIND },
	{ SCMP_SYS(ioctl), 1, IOCTL_EVTCHN_NOTIFY },
	{ SCMP_SYS(fcntl), 1, F_OFD_SETLK },
	{ SCMP_SYS(fcntl), 1, F_OFD_GETLK },
	/* sandbox_limit_writes(): a filter can only forbid more */
	{ SCMP_SYS(seccomp), 0, SECCOMP_SET_MODE_FILTER },
};

/*
 * System calls that fail with EPERM: libc makes them by itself and tolerates
 * EPERM.  newfstatat(2) takes a path even with AT_EMPTY_PATH, so it cannot be
 * allowed; sys_kernel.fstat() calls fstat(2) instead.
 */
static const int refused[] = { SCMP_SYS(openat), SCMP_SYS(newfstatat),
			       SCMP_SYS(readlinkat), SCMP_SYS(sysinfo),
			       SCMP_SYS(uname) };

/* Calls that are allowed without PROT_EXEC. */
static const int mapping[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static int
add_rules(scmp_filter_ctx filter)
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < COUNT(allowed); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (unsigned int i = 0; ret == 0 && i < COUNT(choices); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, choices[i].call,
				       1,
				       SCMP_CMP(choices[i].argument,
						SCMP_CMP_MASKED_EQ, UINT32_MAX,
						choices[i].value));
	for (unsigned int i = 0; ret == 0 && i < COUNT(mapping); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, mapping[i], 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC,
					       0));
	for (unsigned int i = 0; ret == 0 && i < COUNT(refused); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
				       refused[i], 0);
	return ret;
}

/* Loads the filter, if `ret` is 0, and releases it. */
static int
load_filter(scmp_filter_ctx filter, int ret, struct error *err)
{
	if (ret == 0)
		ret = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return ret < 0 ?
		       error_errno(err, -ret,
				   "system calls cannot be filtered (it needs "
				   "a kernel with CONFIG_SECCOMP_FILTER; or "
				   "use --sandbox basic)") :
		       0;
}

static int
restrict_calls(struct error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

	return load_filter(filter, filter ? add_rules(filter) : -ENOMEM, err);
}

/*
 * Each rule kills.  A pwrite64(2) behind the limit, or one that is so long that
 * it reaches what lies behind the gap.  lseek(2) to another place than the end,
 * where write(2) changes nothing that is there.  A shared mapping that does not
 * begin at offset 0, or goes beyond the limit; MAP_SHARED_VALIDATE is another
 * name of MAP_SHARED, and the sandbox needs neither for more than Xen's
 * descriptors, which it maps from 0.
 */
static int
add_limits(scmp_filter_ctx filter, uint64_t limit, uint64_t most)
{
	const struct scmp_arg_cmp shared = SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE,
						   MAP_SHARED);
	const struct {
		int call;
		unsigned int count;
		struct scmp_arg_cmp cmp[2];
	} rules[] = {
		{ SCMP_SYS(pwrite64), 1, { SCMP_A3(SCMP_CMP_GE, limit) } },
		{ SCMP_SYS(pwrite64), 1, { SCMP_A2(SCMP_CMP_GT, most) } },
		{ SCMP_SYS(ftruncate), 0, { { 0 } } },
		{ SCMP_SYS(lseek), 1, { SCMP_A1(SCMP_CMP_NE, 0) } },
		{ SCMP_SYS(lseek), 1, { SCMP_A2(SCMP_CMP_NE, SEEK_END) } },
		{ SCMP_SYS(mmap), 2, { shared, SCMP_A5(SCMP_CMP_NE, 0) } },
		{ SCMP_SYS(mmap), 2, { shared, SCMP_A1(SCMP_CMP_GT, limit) } },
		{ SCMP_SYS(mmap),
		  1,
		  { SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE,
			    MAP_SHARED_VALIDATE) } },
	};
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < COUNT(rules); i++)
		ret = seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS,
					     rules[i].call, rules[i].count,
					     rules[i].cmp);
	return ret;
}

/* mremap(2) would let a shared mapping grow; malloc(3) copies if it fails. */
int
sandbox_limit_writes(enum sandbox_level level, uint64_t limit, uint64_t most,
		     struct error *err)
{
	scmp_filter_ctx filter;
	int ret = -ENOMEM;

	if (level != SANDBOX_FULL)
		return 0;
	filter = seccomp_init(SCMP_ACT_ALLOW);
	/* no_new_privs is set already, and prctl(2) not allowed. */
	if (filter)
		ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	if (ret == 0)
		ret = add_limits(filter, limit, most);
	if (ret == 0)
		ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOMEM),
				       SCMP_SYS(mremap), 0);
	return load_filter(filter, ret, err);
}

/* Confining the handles opens /dev/null: do it before chroot(2). */
int
sandbox_enter(const struct sandbox *sandbox, struct error *err)
{
	bool full = sandbox->level == SANDBOX_FULL;
	struct identity user = { 0, 0 };
	pid_t parent = getppid();
	int ret;

	if (sandbox->level == SANDBOX_NONE)
		return 0;
	ret = find_user(sandbox, &user, err);
	if (ret == 0 && full)
		ret = confine_handles(sandbox->transport, err);
	if (ret == 0)
		ret = enter_basic(sandbox, &user, err);
	if (ret == 0 && sandbox_die_with_parent(parent) < 0)
		ret = error_set(err, ESRCH, "the supervisor has died");
	if (ret == 0 && full)
		ret = restrict_calls(err);
	return ret;
}
