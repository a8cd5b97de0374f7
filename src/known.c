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

#include "pflash/text.h"

/* Bytes of a path in the name of its record, after which a hash follows. */
#define NAME_MOST 200
#define RECORD_MOST (2 * PATH_MAX + 32)
#define MOVES_MOST 16 /* that are followed to the last place of a file */

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

/* Opens a regular file, never through a link, and without waiting. */
static int
open_record(const struct sys *sys, const char *path)
{
	int fd = sys->open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
			   0);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (sys->fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	(void)sys->close(fd);
	return -EINVAL;
}

/* 0, or -errno; `text` has RECORD_MOST bytes of room. */
static int
read_text(const struct sys *sys, const char *path, char *text)
{
	int fd = open_record(sys, path);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	do {
		n = sys->pread(fd, text + len, RECORD_MOST - 1 - len,
			       (off_t)len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	text[len] = '\0';
	n = n < 0 ? -errno : 0;
	(void)sys->close(fd);
	return (int)n;
}

/* Reads the record, RECORD_MOST bytes of room.  0: there is none; or 1. */
static int
read_record(const struct sys *sys, const char *vars, char *text,
	    struct error *err)
{
	char *path = record_path(vars, "");
	int rc = path ? read_text(sys, path, text) : -ENOMEM;

	if (rc < 0 && rc != -ENOENT)
		error_set(err, -rc,
			  "%s: the record cannot be read: %s; so a guest may "
			  "have used %s: correct that, or make this file with "
			  "`pflashctl create`",
			  path ? path : directory(), strerror(-rc), vars);
	free(path);
	return rc == -ENOENT ? 0 : rc ? rc : 1;
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

/* The paths of a flash: its own, and as the user has named it.  1 or 2. */
static size_t
paths_of(const struct files *files, const char *paths[2])
{
	paths[0] = files->name[FILES_VARS];
	paths[1] = files->given;
	return paths[1] && strcmp(paths[0], paths[1]) != 0 ? 2 : 1;
}

/* A record that is there already may have no durable name yet. */
static int
add(const struct sys *sys, const char *vars, struct error *err)
{
	char *wanted, text[RECORD_MOST];
	int rc;

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
known_add(const struct sys *sys, const struct files *files, struct error *err)
{
	const char *paths[2];
	size_t count = paths_of(files, paths);
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++)
		rc = add(or_kernel(sys), paths[i], err);
	return rc;
}

/* The place to which one or several moves have led; the caller frees it. */
static char *
last_place(const struct sys *sys, const char *vars)
{
	char *place = NULL, text[RECORD_MOST], *next;

	for (int moves = 0; moves < MOVES_MOST; moves++) {
		const char *here = place ? place : vars;

		if (read_record(sys, here, text, NULL) <= 0 ||
		    !(next = moved_to(text, here)))
			break;
		free(place);
		place = strdup(next);
	}
	return place;
}

static int
check(const struct sys *sys, const char *vars, struct error *err)
{
	char text[RECORD_MOST], *place, *word;
	int rc = read_record(sys, vars, text, err);

	if (rc <= 0)
		return rc;
	place = last_place(sys, vars);
	word = text_word(vars);
	if (place)
		error_set(err, EEXIST,
			  "%s: does not exist, but was moved to %s: use that "
			  "file; `pflashctl forget %s` permits a new one here",
			  vars, place, word ? word : "");
	else
		error_set(err, EEXIST,
			  "%s: does not exist, but a guest has used it: mount "
			  "its file system, or restore it from a backup; if it "
			  "has another name now, use that one; `pflashctl "
			  "forget %s` permits a new one without the variables",
			  vars, word ? word : "");
	free(place);
	free(word);
	return -EEXIST;
}

int
known_check(const struct sys *sys, const struct files *files, struct error *err)
{
	const char *paths[2];
	size_t count = paths_of(files, paths);
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++)
		rc = check(or_kernel(sys), paths[i], err);
	return rc;
}

char *
known_place(const struct sys *sys, const struct files *files)
{
	const char *paths[2];
	size_t count = paths_of(files, paths);
	char *place = NULL;

	for (size_t i = 0; !place && i < count; i++)
		place = last_place(or_kernel(sys), paths[i]);
	return place;
}

int
known_move(const struct sys *sys, const struct files *from,
	   const struct files *to, struct error *err)
{
	const char *paths[2];
	size_t count = paths_of(from, paths);
	int rc = known_add(sys, to, err);

	for (size_t i = 0; !rc && i < count; i++) {
		char *text;

		if (asprintf(&text, "vars %s\nmoved %s\n", paths[i],
			     to->name[FILES_VARS]) < 0)
			return error_set(err, ENOMEM, "out of memory");
		rc = replace(or_kernel(sys), paths[i], text, err);
		free(text);
	}
	return rc;
}

static int
forget(const struct sys *sys, const char *vars, bool *found, struct error *err)
{
	char *path = record_path(vars, "");
	int rc = 0;

	if (!path)
		return error_set(err, ENOMEM, "out of memory");
	if (sys->unlink(path) == 0)
		*found = true;
	else if (errno != ENOENT)
		rc = error_errno(err, errno, "%s", path);
	free(path);
	return rc;
}

int
known_forget(const struct sys *sys, const struct files *files, bool *found,
	     struct error *err)
{
	const char *paths[2];
	size_t count = paths_of(files, paths);
	int rc = 0;

	*found = false;
	for (size_t i = 0; !rc && i < count; i++)
		rc = forget(or_kernel(sys), paths[i], found, err);
	/* An earlier call may have failed to make the removal durable. */
	if (!rc)
		rc = sync_directory(or_kernel(sys), directory(), err);
	return rc == -ENOENT && !*found ? 0 : rc;
}
