/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts the syncs of the stores of this process, and the time they take. */
#include <unistd.h>

#include "bench.h"
#include "pflash/sys.h"

struct syncs syncs;

static int
timed(int (*sync)(int fd), int fd)
{
	uint64_t start = now();
	int ret = sync(fd);

	syncs.count++;
	syncs.time += now() - start;
	return ret;
}

static int
counted_fdatasync(int fd)
{
	return timed(sys_kernel.fdatasync, fd);
}

static int
counted_fsync(int fd)
{
	return timed(sys_kernel.fsync, fd);
}

static int
skipped(int fd)
{
	(void)fd;
	syncs.count++;
	return 0;
}

const struct sys *
sys_counting(bool skip)
{
	static struct sys counting, skipping;
	struct sys *sys = skip ? &skipping : &counting;

	*sys = sys_kernel;
	sys->fdatasync = skip ? skipped : counted_fdatasync;
	sys->fsync = skip ? skipped : counted_fsync;
	return sys;
}
