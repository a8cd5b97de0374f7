/* SPDX-License-Identifier: BSD-2-Clause */
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <xen/xen.h>

#include <xen/sys/evtchn.h>
#include <xen/sys/privcmd.h>

/* With any arguments.  pflashd(8) says what each group is for. */
static const int allowed[] = {
	/* the files of the flash, by descriptors that it has or was given */
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fsync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(close),
	/* the keeper, and who asks for the status */
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(accept4),
	/* event channels and the loop; on some hosts clocks need a call */
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
	/* itself */
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(exit_group),
};

struct choice {
	int call;
	unsigned int argument;
	uint64_t value;
};

/* With one argument of this value only. */
static const struct choice choices[] = {
	{ SCMP_SYS(ioctl), 1, IOCTL_PRIVCMD_DM_OP },
	{ SCMP_SYS(ioctl), 1, IOCTL_PRIVCMD_MMAPBATCH_V2 },
	{ SCMP_SYS(ioctl), 1, IOCTL_PRIVCMD_MMAP_RESOURCE },
	{ SCMP_SYS(ioctl), 1, IOCTL_EVTCHN_BIND_INTERDOMAIN },
	{ SCMP_SYS(ioctl), 1, IOCTL_EVTCHN_UNBIND },
	{ SCMP_SYS(ioctl), 1, IOCTL_EVTCHN_NOTIFY },
	{ SCMP_SYS(fcntl), 1, F_OFD_SETLK },
	{ SCMP_SYS(fcntl), 1, F_OFD_GETLK },
	/* fstat(3) of glibc 2.33 and later: without a path */
	{ SCMP_SYS(newfstatat), 3, AT_EMPTY_PATH },
};

/*
 * What a C library may try by itself and does without: that is not the end.
 */
static const int refused[] = { SCMP_SYS(openat), SCMP_SYS(readlinkat),
			       SCMP_SYS(sysinfo), SCMP_SYS(uname) };

/* Nothing that could be executed. */
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

int
syscalls_restrict(struct error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int ret = filter ? add_rules(filter) : -ENOMEM;

	if (ret == 0)
		ret = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return ret < 0 ? error_errno(err, -ret,
				     "system calls cannot be restricted") :
			 0;
}
