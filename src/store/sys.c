/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int
sys_open(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

static int
sys_lock(int fd, int cmd, struct flock *lock)
{
	return fcntl(fd, cmd, lock);
}

/*
 * A file system that cannot do it in one step (NFS) does it in two; between
 * them the file has two names.
 */
static int
sys_rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return link(from, to) < 0 ? -1 : unlink(from);
}

const struct sys sys_kernel = {
	.open = sys_open,
	.close = close,
	.pread = pread,
	.pwrite = pwrite,
	.fdatasync = fdatasync,
	.fsync = fsync,
	.ftruncate = ftruncate,
	.fstat = fstat,
	.lseek = lseek,
	.fchmod = fchmod,
	.fchown = fchown,
	.rename = rename,
	.rename_new = sys_rename_new,
	.unlink = unlink,
	.realpath = realpath,
	.lock = sys_lock,
	.holder = sys_find_holder,
};
