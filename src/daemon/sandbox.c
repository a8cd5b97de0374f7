/* SPDX-License-Identifier: BSD-2-Clause */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syscalls.h"

#define DESCRIPTORS 64

struct identity {
	uid_t uid;
	gid_t gid;
};

const char *
sandbox_name(enum sandbox_level level)
{
	static const char *const names[] = { "none", "basic", "full" };

	return level < SANDBOX_MOST ? names[level] : "most";
}

static int
find_user(const char *name, struct identity *found, struct error *err)
{
	const struct passwd *user = getpwnam(name);
	unsigned long number;
	char *end;

	if (geteuid() != 0)
		return error_set(err, EPERM, "not started by root");
	if (user) {
		*found = (struct identity){ user->pw_uid, user->pw_gid };
	} else {
		number = strtoul(name, &end, 10);
		if (*end || end == name || number > INT32_MAX)
			return error_set(err, ENOENT, "no user '%s'", name);
		*found = (struct identity){ (uid_t)number, (gid_t)number };
	}
	return found->uid ? 0 : error_set(err, EINVAL, "'%s' is root", name);
}

static int
limit(__rlimit_resource_t resource, uint64_t most, struct error *err)
{
	const struct rlimit value = { .rlim_cur = most, .rlim_max = most };

	return setrlimit(resource, &value) < 0 ?
		       error_errno(err, errno, "setrlimit") :
		       0;
}

/* Bytes of address space, by /proc/self/statm; 0: who knows. */
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
		return error_errno(err, errno, "%s", root);
	return 0;
}

int
sandbox_follow(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

/* The capabilities go with the last of root's numbers. */
static int
change_user(const struct identity *user, struct error *err)
{
	if (setgroups(0, NULL) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return error_errno(err, errno, "cannot become user %u",
				   user->uid);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, errno, "PR_SET_NO_NEW_PRIVS");
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

/* The kernel's privcmd and evtchn drivers have it since Linux 4.15. */
static int
confine_handles(struct transport *t, struct error *err)
{
	int ret = t ? t->ops->confine(t) : 0;

	return ret < 0 ? error_errno(err, -ret,
				     "the handles of Xen cannot be confined to "
				     "the domain") :
			 0;
}

static int
enter(const struct sandbox *sandbox, const struct identity *user,
      struct error *note)
{
	bool full = sandbox->level != SANDBOX_BASIC;
	struct error err;
	int ret;

	/* Needs /dev/null. */
	if (full && confine_handles(sandbox->transport, note) < 0) {
		if (sandbox->level == SANDBOX_FULL)
			return -EOPNOTSUPP;
		full = false;
	}
	ret = enter_basic(sandbox, user, &err);
	if (ret == 0 && sandbox_follow(getppid()) < 0)
		ret = error_set(&err, ESRCH, "the keeper has gone");
	if (ret < 0) {
		*note = err;
		return ret;
	}
	if (full && syscalls_restrict(note) < 0) {
		if (sandbox->level == SANDBOX_FULL)
			return -EOPNOTSUPP;
		full = false;
	}
	return full ? SANDBOX_FULL : SANDBOX_BASIC;
}

int
sandbox_enter(const struct sandbox *sandbox, struct error *note)
{
	struct identity user;
	int ret;

	note->text[0] = '\0';
	if (sandbox->level == SANDBOX_NONE)
		return SANDBOX_NONE;
	ret = find_user(sandbox->user, &user, note);
	if (ret < 0)
		return sandbox->level == SANDBOX_MOST ? SANDBOX_NONE : ret;
	return enter(sandbox, &user, note);
}
