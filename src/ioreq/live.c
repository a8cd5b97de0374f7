/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/live.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* docs/format.md has the layout. */
_Static_assert(offsetof(struct live, state) == 1184 &&
		       offsetof(struct live_state, chip) == 40 &&
		       sizeof(struct live_state) == 8232 &&
		       offsetof(struct live, burst) == 17648,
	       "another layout is another version");

static int
map(struct live **out, int fd)
{
	/* A page that cannot be had when it is written would be the end. */
	int ret = posix_fallocate(fd, 0, sizeof(**out));
	void *memory;

	if (ret)
		return -ret;
	memory = mmap(NULL, sizeof(**out), PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*out = memory;
	return 0;
}

static int
open_locked(const char *path, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		      S_IRUSR | S_IWUSR);
	int error;

	if (fd < 0)
		return error_errno(err, errno, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	error = errno;
	close(fd);
	if (error == EWOULDBLOCK)
		return error_set(err, EBUSY,
				 "the guest has a flash already: another "
				 "process has %s",
				 path);
	return error_errno(err, error, "%s", path);
}

static bool
is_of(const struct live *live, const char *life)
{
	return live->attached && life[0] &&
	       strncmp(live->life, life, sizeof(live->life)) == 0;
}

int
live_open(struct live **out, const char *path, const char *life,
	  struct error *err)
{
	int fd = open_locked(path, err), ret;
	struct live *live = NULL;

	if (fd < 0)
		return fd;
	ret = map(&live, fd);
	if (ret < 0) {
		close(fd);
		return error_errno(err, -ret, "%s", path);
	}
	if (!is_of(live, life)) {
		memset(live, 0, sizeof(*live));
	} else if (memcmp(live->magic, LIVE_MAGIC, sizeof(live->magic)) != 0) {
		live_close(live, fd);
		return error_set(
			err, EINVAL,
			"%s: was left by a pflashd of another version, "
			"and only such a one can go on with it",
			path);
	}
	*out = live;
	return fd;
}

void
live_close(struct live *live, int fd)
{
	munmap(live, sizeof(*live));
	close(fd);
}

uint32_t
live_progress(const struct live *live, unsigned int vcpu)
{
	const struct live_state *now = live_now(live);

	return live->vcpu == vcpu + 1 && now->request == live->request ?
		       now->progress :
		       0;
}

uint32_t
live_under_way(const struct live *live)
{
	return live->vcpu ? live_progress(live, live->vcpu - 1) : 0;
}
