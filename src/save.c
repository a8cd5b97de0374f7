/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pflash/identify.h"
#include "pflash/path.h"

/* In all 5 s for the reader of a FIFO, which may start at the same time. */
#define READER_TRIES 100
#define READER_PAUSE_NS 50000000L

/* A pipe cannot be synced: EINVAL and EROFS are no failures. */
int
save_to(int fd, const void *bytes, size_t size)
{
	const uint8_t *p = bytes;
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(fd, p + done, size - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		return -errno;
	return 0;
}

static int
write_and_close(int fd, const void *bytes, size_t size)
{
	int ret = save_to(fd, bytes, size);

	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	return ret;
}

/* Opens a FIFO or a device; waits a moment for the reader of a FIFO. */
static int
open_in_place(const char *path)
{
	const struct timespec pause = { .tv_nsec = READER_PAUSE_NS };
	int fd = -1, flags;

	for (int tries = 0; fd < 0 && tries < READER_TRIES; tries++) {
		if (tries)
			(void)nanosleep(&pause, NULL);
		fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 && errno != ENXIO)
			return -errno;
	}
	if (fd < 0)
		return -ENXIO;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0) {
		close(fd);
		return -EIO;
	}
	return fd;
}

static int
write_in_place(const char *path, const void *bytes, size_t size)
{
	int fd = open_in_place(path);

	return fd < 0 ? fd : write_and_close(fd, bytes, size);
}

/* EPERM: only root may change the owner. */
static int
set_mode(int fd, const struct stat *old, mode_t mode)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	if (!old)
		return fchmod(fd, mode & ~mask) < 0 ? -errno : 0;
	if (fchown(fd, old->st_uid, old->st_gid) < 0 && errno != EPERM)
		return -errno;
	return fchmod(fd, old->st_mode & 07777) < 0 ? -errno : 0;
}

static int
sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = slash ? strndup(path, (size_t)(slash - path) + 1) :
			     strdup(".");
	int fd = name ? open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int ret = fd < 0 || (fsync(fd) < 0 && errno != EINVAL) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	free(name);
	return ret;
}

/* Writes a new file and gives it the name; `old` is NULL for a new name. */
static int
replace(const char *path, const struct stat *old, mode_t mode,
	const void *bytes, size_t size)
{
	char *name;
	int fd, ret;

	if (asprintf(&name, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(name, O_CLOEXEC); /* mode 0600 */
	if (fd < 0) {
		ret = -errno;
		free(name);
		return ret;
	}
	ret = set_mode(fd, old, mode);
	if (ret == 0)
		ret = write_and_close(fd, bytes, size);
	else
		close(fd);
	if (ret == 0 && rename(name, path) < 0)
		ret = -errno;
	if (ret < 0)
		unlink(name);
	free(name);
	return ret < 0 ? ret : sync_directory(path);
}

int
save_file(const char *path, const void *bytes, size_t size, mode_t mode,
	  struct error *err)
{
	struct stat st;
	bool exists = stat(path, &st) == 0;
	char *target;
	int ret;

	if (!exists && (errno == ELOOP || path_is_link(path)))
		return path_error(err, errno == ELOOP ? ELOOP : ENOENT, path);
	if (exists && (S_ISSOCK(st.st_mode) || S_ISDIR(st.st_mode)))
		return identify_type(st.st_mode, path, err);
	target = exists ? realpath(path, NULL) : strdup(path);
	if (!target)
		ret = -errno;
	else if (exists && !S_ISREG(st.st_mode))
		ret = write_in_place(target, bytes, size);
	else
		ret = replace(target, exists ? &st : NULL, mode, bytes, size);
	free(target);
	if (ret == -ENXIO && S_ISFIFO(st.st_mode))
		return error_set(err, ENXIO,
				 "%s: a FIFO, and no process reads it: start "
				 "the reader first, or give another file",
				 path);
	return ret < 0 ? path_error(err, -ret, path) : 0;
}
