/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pflash/store.h"
#include "pflashctl.h"

static int
write_all(int fd, const uint8_t *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(fd, data + done, size - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* A file goes to the disk; what cannot be synced is a pipe or the like. */
static int
write_synced(int fd, const uint8_t *image, size_t size)
{
	int ret = write_all(fd, image, size);

	if (ret == 0 && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		ret = -errno;
	return ret;
}

static int
write_out(const char *path, const uint8_t *image, size_t size)
{
	int fd, ret;

	if (strcmp(path, "-") == 0)
		return write_synced(STDOUT_FILENO, image, size);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ret = write_synced(fd, image, size);
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	return ret;
}

/* Is OUT, under whatever name, a file that an export must not touch? */
static bool
same_file(const char *out, const char *other)
{
	struct stat a, b;

	return stat(out, &a) == 0 && stat(other, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool
is_source(const char *out, const char *vars)
{
	char *real = realpath(vars, NULL), *journal = NULL;
	bool same = same_file(out, vars);

	if (real && asprintf(&journal, "%s.journal", real) >= 0)
		same = same || same_file(out, journal);
	free(journal);
	free(real);
	return same;
}

int
ctl_export(int argc, char **argv)
{
	struct error err;
	uint8_t *image;
	size_t size;
	int ret;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		puts("usage: pflashctl export VARS OUT");
		return CTL_OK;
	}
	if (argc != 3)
		return ctl_fail(CTL_USAGE, "usage: pflashctl export VARS OUT");
	if (is_source(argv[2], argv[1]))
		return ctl_fail(CTL_USAGE,
				"%s: is the file to export, or its "
				"journal",
				argv[2]);
	if (store_export(NULL, argv[1], &image, &size, &err) < 0)
		return ctl_fail(CTL_FILE, "%s", err.text);
	ret = write_out(argv[2], image, size);
	free(image);
	if (ret < 0)
		return ctl_fail(CTL_FAILED, "%s: %s", argv[2], strerror(-ret));
	return CTL_OK;
}
