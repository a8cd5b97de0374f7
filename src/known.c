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

/* Makes the directory and its parent, which a package makes otherwise. */
static int
make_directory(struct error *err)
{
	const char *path = directory();
	char *parent = strdup(path),
	     *slash = parent ? strrchr(parent, '/') : NULL;
	int rc = 0;

	if (slash && slash > parent) {
		*slash = '\0';
		(void)mkdir(parent, 0755);
	}
	free(parent);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		rc = error_errno(err, errno, "%s", path);
	return rc;
}

static int
sync_directory(struct error *err)
{
	int fd = open(directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		rc = error_errno(err, errno, "%s", directory());
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int
write_text(const char *path, const char *text, struct error *err)
{
	int fd = open(path,
		      O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		      0600);
	size_t len = strlen(text);
	int rc = 0;

	if (fd < 0)
		return error_errno(err, errno, "%s", path);
	errno = ENOSPC; /* a short write has none */
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) < 0)
		rc = error_errno(err, errno, "%s", path);
	(void)close(fd);
	return rc;
}

/* Replaces the record by `text`, in one step. */
static int
replace(const char *vars, const char *text, struct error *err)
{
	char *path = record_path(vars, "");
	char *new = record_path(vars, "%new"); /* no name of a record */
	int rc = make_directory(err);

	if (!rc && (!path || !new))
		rc = error_set(err, ENOMEM, "out of memory");
	if (!rc)
		rc = write_text(new, text, err);
	if (!rc && rename(new, path) < 0)
		rc = error_errno(err, errno, "%s", path);
	if (!rc)
		rc = sync_directory(err);
	free(path);
	free(new);
	return rc;
}

/* Reads the record, RECORD_MOST bytes of room.  0: there is none; or 1. */
static int
read_record(const char *vars, char *text, struct error *err)
{
	char *path = record_path(vars, "");
	FILE *file = path ? fopen(path, "re") : NULL;
	int rc = 1;

	if (!path)
		return error_set(err, ENOMEM, "out of memory");
	if (!file)
		rc = errno == ENOENT ? 0 : error_errno(err, errno, "%s", path);
	else
		text[fread(text, 1, RECORD_MOST - 1, file)] = '\0';
	if (file && ferror(file))
		rc = error_errno(err, EIO, "%s", path);
	if (file)
		(void)fclose(file);
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

int
known_add(const char *vars, struct error *err)
{
	char *wanted, text[RECORD_MOST];
	int rc;

	if (asprintf(&wanted, "vars %s\n", vars) < 0)
		return error_set(err, ENOMEM, "out of memory");
	rc = read_record(vars, text, err);
	if (rc >= 0)
		rc = rc && strcmp(text, wanted) == 0 ?
			     0 :
			     replace(vars, wanted, err);
	free(wanted);
	return rc;
}

int
known_check(const char *vars, struct error *err)
{
	char text[RECORD_MOST], *moved;
	int rc = read_record(vars, text, err);

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
known_move(const char *from, const char *to, struct error *err)
{
	char *text;
	int rc = known_add(to, err);

	if (rc)
		return rc;
	if (asprintf(&text, "vars %s\nmoved %s\n", from, to) < 0)
		return error_set(err, ENOMEM, "out of memory");
	rc = replace(from, text, err);
	free(text);
	return rc;
}

int
known_forget(const char *vars, bool *found, struct error *err)
{
	char *path = record_path(vars, "");
	int rc = 0;

	*found = false;
	if (!path)
		return error_set(err, ENOMEM, "out of memory");
	if (unlink(path) == 0)
		*found = true;
	else if (errno != ENOENT)
		rc = error_errno(err, errno, "%s", path);
	free(path);
	return *found ? sync_directory(err) : rc;
}
