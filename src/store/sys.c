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
 * RENAME_NOREPLACE for a file system without it (NFS): takes the name with an
 * empty file, and replaces that.  Not link(2) and unlink(2): the client of NFS
 * keeps a second name of a file as long as the file is open.
 *
 * If the client has lost the reply of a rename, and repeats it, that fails
 * although `to` is the file: only an empty file is removed.
 */
static int
rename_in_two_steps(const char *from, const char *to)
{
	int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), error;
	struct stat st;

	if (fd < 0)
		return -1;
	(void)close(fd);
	if (rename(from, to) == 0)
		return 0;
	error = errno;
	if (lstat(to, &st) == 0 && st.st_size == 0)
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
