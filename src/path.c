/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/path.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool
path_is_link(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* The path up to its last '/', "/" or "."; NULL: no memory. */
static char *
directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* 0, or the errno value of a path that is no directory. */
static int
no_directory(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
}

int
path_check_directory(const char *path)
{
	char *directory = directory_of(path);
	int code = directory ? no_directory(directory) : ENOMEM;

	free(directory);
	return -code;
}

static void
read_link(const char *path, char target[PATH_MAX])
{
	ssize_t len = readlink(path, target, PATH_MAX - 1);

	target[len < 0 ? 0 : len] = '\0';
}

/* Explains a part of the path, `directory`, that does not exist. */
static int
missing_directory(struct error *err, const char *path, const char *directory)
{
	char target[PATH_MAX];

	if (!path_is_link(directory))
		return error_set(err, ENOENT,
				 "%s: the directory %s does not exist: create "
				 "it, or mount its file system",
				 path, directory);
	read_link(directory, target);
	return error_set(err, ENOENT,
			 "%s: the directory %s is a symbolic link to '%s', "
			 "which leads to no directory: correct the link",
			 path, directory, target);
}

static int
dangling(struct error *err, const char *path)
{
	char target[PATH_MAX];

	read_link(path, target);
	return error_set(err, ENOENT,
			 "%s: is a symbolic link to '%s', which leads to no "
			 "file: correct or remove the link",
			 path, target);
}

/* Names the part of the path that exists and is no directory. */
static int
not_a_directory(struct error *err, const char *path, const char *directory)
{
	char *part = strdup(directory);
	struct stat st;
	int ret;

	while (part && stat(part, &st) < 0 && strchr(part, '/')) {
		char *shorter = directory_of(part);

		free(part);
		part = shorter;
		if (part && strcmp(part, "/") == 0)
			break;
	}
	ret = part ? error_set(err, ENOTDIR, "%s: %s is not a directory", path,
			       part) :
		     error_errno(err, ENOTDIR, "%s", path);
	free(part);
	return ret;
}

/* A device that DRBD, or another storage, has given to another host. */
static bool
is_elsewhere(int code, const char *path)
{
	struct stat st;

	return code == EMEDIUMTYPE ||
	       (code == EROFS && stat(path, &st) == 0 && S_ISBLK(st.st_mode));
}

static int
elsewhere(struct error *err, int code, const char *path)
{
	return error_set(err, code,
			 "%s: %s: the storage does not let this host use the "
			 "device: a DRBD resource must be primary here "
			 "(`drbdadm primary RESOURCE`), which DRBD refuses "
			 "while it is primary on another host; other storage "
			 "must be writable here",
			 path, strerror(code));
}

int
path_error(struct error *err, int code, const char *path)
{
	char *directory;
	int why, ret;

	if (code == ELOOP)
		return error_set(err, ELOOP,
				 "%s: symbolic links lead round in a circle, "
				 "or are more than 40: correct the links",
				 path);
	if (is_elsewhere(code, path))
		return elsewhere(err, code, path);
	if (code != ENOENT && code != ENOTDIR)
		return error_errno(err, code, "%s", path);
	if (code == ENOENT && path_is_link(path))
		return dangling(err, path);
	directory = directory_of(path);
	why = directory && *path ? no_directory(directory) : 0;
	if (why == ENOENT && code == ENOENT)
		ret = missing_directory(err, path, directory);
	else if (why == ENOTDIR)
		ret = not_a_directory(err, path, directory);
	else
		ret = error_errno(err, code, "%s", path);
	free(directory);
	return ret;
}
