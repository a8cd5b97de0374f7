/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
sys_open(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

/*
 * fstat(3) of glibc calls newfstatat(2), which takes a path, so the worker's
 * sandbox cannot allow it.  Calls fstat(2) itself.
 */
static int
sys_fstat(int fd, struct stat *st)
{
	return (int)syscall(SYS_fstat, fd, st);
}

static int
sys_lock(int fd, int cmd, struct flock *lock)
{
	return fcntl(fd, cmd, lock);
}

/*
 * RENAME_NOREPLACE for a file system without it (NFS): link(2) and unlink(2).
 * Between the two calls the file has two names.
 */
static int
rename_in_two_steps(const char *from, const char *to)
{
	int error;

	if (link(from, to) < 0)
		return -1;
	if (unlink(from) == 0)
		return 0;
	error = errno;
	(void)unlink(to);
	errno = error;
	return -1;
}

static int
sys_rename(const char *from, const char *to, unsigned int flags)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, flags) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return flags & RENAME_NOREPLACE ? rename_in_two_steps(from, to) :
					  rename(from, to);
}

const struct sys sys_kernel = {
	.open = sys_open,
	.close = close,
	.pread = pread,
	.pwrite = pwrite,
	.fdatasync = fdatasync,
	.fsync = fsync,
	.ftruncate = ftruncate,
	.fstat = sys_fstat,
	.lseek = lseek,
	.fchmod = fchmod,
	.fchown = fchown,
	.rename = sys_rename,
	.unlink = unlink,
	.lock = sys_lock,
	.fadvise = posix_fadvise,
	.reserved = sys_reserved,
};
