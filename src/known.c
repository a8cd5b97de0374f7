/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/known.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of a path in the name of its record, after which a hash follows. */
#define NAME_MOST 200
#define RECORD_MOST (2 * PATH_MAX + 32)

static const char *
directory(void)
{
	const char *given = secure_getenv("PFLASH_KNOWN_DIR");

	return given && *given ? given : KNOWN_DIRECTORY;
}

/*
 * FNV-1a, 64 bits: it only keeps the names of long paths apart.  A record has
 * the whole path, which is compared.
 */
static uint64_t
hash(const char *text)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		value = (value ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return value;
}

/*
 * The name: the path without its first slash, each further slash as '-', and
 * '-', '%' and what is no printable ASCII as '%' and two hexadecimal digits.
 */
static void
escape(const char *vars, char *name)
{
	const char *from = vars + (*vars == '/');
	size_t len = 0;

	for (; *from && len < NAME_MOST; from++) {
		if (*from == '/')
			name[len++] = '-';
		else if (*from == '-' || *from == '%' ||
			 !isgraph((unsigned char)*from))
			len += (size_t)sprintf(name + len, "%%%02x",
					       (unsigned char)*from);
		else
			name[len++] = *from;
	}
	name[len] = '\0';
	if (*from)
		(void)sprintf(name + len, "%%.%016llx",
			      (unsigned long long)hash(vars));
}

/* The path of the record, which the caller frees; NULL: no memory. */
static char *
record_path(const char *vars, const char *suffix)
{
	char name[NAME_MOST + 32], *path;

	escape(vars, name);
	return asprintf(&path, "%s/%s%s", directory(), name, suffix) < 0 ?
		       NULL :
		       path;
}

static const struct sys *
or_kernel(const struct sys *sys)
{
	return sys ? sys : &sys_kernel;
}

static int
sync_directory(const struct sys *sys, const char *path, struct error *err)
{
	int fd = sys->open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0 || (sys->fsync(fd) < 0 && errno != EINVAL))
		rc = error_errno(err, errno, "%s", path);
	if (fd >= 0)
		(void)sys->close(fd);
	return rc;
}

/*
 * Makes one directory, and its name durable, for a process may have died
 * between the two.
 */
static int
make_one(const struct sys *sys, const char *path, mode_t mode,
	 struct error *err)
{
	const char *slash = strrchr(path, '/');
	char *parent;
	int rc;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return error_errno(err, errno, "%s", path);
	if (slash > path)
		parent = strndup(path, (size_t)(slash - path));
	else
		parent = strdup(slash ? "/" : ".");
	if (!parent)
		return error_set(err, ENOMEM, "out of memory");
	rc = sync_directory(sys, parent, err);
	free(parent);
	return rc;
}

/* Makes the directory and its parent, which a package makes otherwise. */
static int
make_directory(const struct sys *sys, struct error *err)
{
	const char *path = directory(), *slash = strrchr(path, '/');
	char *parent;
	int rc;

	if (slash <= path)
		return make_one(sys, path, 0700, err);
	parent = strndup(path, (size_t)(slash - path));
	if (!parent)
		return error_set(err, ENOMEM, "out of memory");
	rc = make_one(sys, parent, 0755, err);
	free(parent);
	return rc ? rc : make_one(sys, path, 0700, err);
}

/* Writes the whole text; a short write means that there is no more room. */
static int
write_text(const struct sys *sys, const char *path, const char *text,
	   struct error *err)
{
	int fd = sys->open(path,
			   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
				   O_CLOEXEC,
			   0600);
	size_t len = strlen(text);
	int rc = 0;

	if (fd < 0)
		return error_errno(err, errno, "%s", path);
	errno = ENOSPC; /* a short write has none */
	if (sys->pwrite(fd, text, len, 0) != (ssize_t)len ||
	    sys->fdatasync(fd) < 0)
		rc = error_errno(err, errno, "%s", path);
	(void)sys->close(fd);
	return rc;
}

/* Replaces the record by `text`, in one step. */
static int
replace(const struct sys *sys, const char *vars, const char *text,
	struct error *err)
{
	char *path = record_path(vars, "");
	char *new = record_path(vars, "%new"); /* no name of a record */
	int rc = make_directory(sys, err);

	if (!rc && (!path || !new))
		rc = error_set(err, ENOMEM, "out of memory");
	if (!rc)
		rc = write_text(sys, new, text, err);
	if (!rc && sys->rename(new, path, 0) < 0)
		rc = error_errno(err, errno, "%s", path);
	if (!rc)
		rc = sync_directory(sys, directory(), err);
	free(path);
	free(new);
	return rc;
}

/* Reads at most RECORD_MOST - 1 bytes, and ends them with a '\0'. */
static int
read_text(const struct sys *sys, int fd, char *text)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = sys->pread(fd, text + len, RECORD_MOST - 1 - len,
			       (off_t)len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	text[len] = '\0';
	return n < 0 ? -errno : 0;
}

/* Reads the record, RECORD_MOST bytes of room.  0: there is none; or 1. */
static int
read_record(const struct sys *sys, const char *vars, char *text,
	    struct error *err)
{
	char *path = record_path(vars, "");
	int fd, rc;

	if (!path)
		return error_set(err, ENOMEM, "out of memory");
	fd = sys->open(path, O_RDONLY | O_CLOEXEC, 0);
	rc = fd < 0 ? -errno : read_text(sys, fd, text);
	if (rc == -ENOENT)
		rc = 0;
	else if (rc < 0)
		rc = error_errno(err, -rc, "%s", path);
	else
		rc = 1;
	if (fd >= 0)
		(void)sys->close(fd);
	free(path);
	return rc;
}

/* The path in the line `moved PATH` of the record; NULL: none. */
static char *
moved_to(char *text, const char *vars)
{
	size_t skip = strlen("vars ") + strlen(vars) + 1;
	char *line = strlen(text) > skip ? text + skip : NULL, *end;

	if (!line || strncmp(line, "moved ", 6) != 0)
		return NULL;
	end = line + strlen(line);
	if (end[-1] == '\n')
		end[-1] = '\0';
	return line + 6;
}

/* A record that is there already may have no durable name yet. */
int
known_add(const struct sys *sys, const char *vars, struct error *err)
{
	char *wanted, text[RECORD_MOST];
	int rc;

	sys = or_kernel(sys);
	if (asprintf(&wanted, "vars %s\n", vars) < 0)
		return error_set(err, ENOMEM, "out of memory");
	rc = read_record(sys, vars, text, err);
	if (rc > 0 && strcmp(text, wanted) == 0)
		rc = sync_directory(sys, directory(), err);
	else if (rc >= 0)
		rc = replace(sys, vars, wanted, err);
	free(wanted);
	return rc;
}

int
known_check(const struct sys *sys, const char *vars, struct error *err)
{
	char text[RECORD_MOST], *moved;
	int rc = read_record(or_kernel(sys), vars, text, err);

	if (rc <= 0)
		return rc;
	moved = moved_to(text, vars);
	if (moved)
		return error_set(err, EEXIST,
				 "%s: does not exist, but was moved to %s: use "
				 "that file; `pflashctl forget` permits a new "
				 "one here",
				 vars, moved);
	return error_set(err, EEXIST,
			 "%s: does not exist, but a guest has used it: mount "
			 "its file system, or restore it; if it has another "
			 "name now, use that one; `pflashctl forget` permits a "
			 "new one without the variables",
			 vars);
}

int
known_move(const struct sys *sys, const char *from, const char *to,
	   struct error *err)
{
	char *text;
	int rc = known_add(sys, to, err);

	if (rc)
		return rc;
	if (asprintf(&text, "vars %s\nmoved %s\n", from, to) < 0)
		return error_set(err, ENOMEM, "out of memory");
	rc = replace(or_kernel(sys), from, text, err);
	free(text);
	return rc;
}

/* An earlier call may have failed to make the removal durable. */
int
known_forget(const struct sys *sys, const char *vars, bool *found,
	     struct error *err)
{
	char *path = record_path(vars, "");
	int rc = 0;

	sys = or_kernel(sys);
	*found = false;
	if (!path)
		return error_set(err, ENOMEM, "out of memory");
	if (sys->unlink(path) == 0)
		*found = true;
	else if (errno != ENOENT)
		rc = error_errno(err, errno, "%s", path);
	free(path);
	if (!rc)
		rc = sync_directory(sys, directory(), err);
	return rc == -ENOENT && !*found ? 0 : rc;
}
