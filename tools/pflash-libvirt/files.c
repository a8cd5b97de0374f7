/* SPDX-License-Identifier: BSD-2-Clause */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As in pflash-common.sh, for tests. */
static const char *
from_environment(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

const char *
files_config(void)
{
	return from_environment("PFLASH_CONFIG", "/etc/xen/pflash");
}

static const char *
run_directory(void)
{
	return from_environment("PFLASH_RUN", "/run");
}

bool
files_has_own(const char *name)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s.conf", files_config(), name);
	return access(path, F_OK) == 0;
}

void
files_path(const char *stem, const char *suffix, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/pflashd/conf/%s.%s", run_directory(),
		       stem, suffix);
}

bool
files_exists(const char *stem, const char *suffix)
{
	char path[PATH_MAX];

	files_path(stem, suffix, path);
	return access(path, F_OK) == 0;
}

int
files_prepare(struct error *err)
{
	static const char *const below[] = { "pflashd", "pflashd/conf" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", run_directory(),
			       below[i]);
		if (mkdir(path, S_IRWXU) < 0 && errno != EEXIST)
			return error_errno(err, errno, "%s", path);
	}
	return 0;
}

static int
write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			left -= (size_t)n;
		}
	}
	return 0;
}

/* The name of the new file is that of no guest: it ends with no suffix. */
int
files_write(const char *stem, const char *suffix, const char *text,
	    struct error *err)
{
	char path[PATH_MAX], new[PATH_MAX];
	int ret = files_prepare(err), fd;

	if (ret < 0)
		return ret;
	files_path(stem, suffix, path);
	files_path("", "new.XXXXXX", new);
	fd = mkostemp(new, O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "%s", path);
	ret = write_all(fd, text);
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	if (ret == 0 && rename(new, path) < 0)
		ret = -errno;
	if (ret < 0)
		(void)unlink(new);
	return ret < 0 ? error_errno(err, -ret, "%s", path) : 0;
}

bool
files_remove(const char *stem, const char *suffix)
{
	char path[PATH_MAX];

	files_path(stem, suffix, path);
	return unlink(path) == 0;
}
