/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/sys.h"

#include <stdio.h>
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
	.link = link,
	.rename = rename,
	.unlink = unlink,
	.lock = sys_lock,
};
