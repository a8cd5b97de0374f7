/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of one flash by their paths.  files_local() resolves all paths
 * once: a symbolic link that replaces VARS or its directory later is not
 * followed.
 */
#include "pflash/files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "claim.h"

#include "pflash/identify.h"
#include "pflash/path.h"

#define JOURNAL ".journal"
#define KEPT_MOST 1000 /* names of kept files that are tried */

struct local {
	struct files files;
	const struct sys *sys;
	char *given;
	char *path[FILES_ROLES];
	char *directory[FILES_ROLES];
	char *unfinished[FILES_ROLES]; /* VARS: NULL until one is created */
	bool missing;                  /* VARS did not exist at files_local() */
	bool known;                    /* `vars` is valid */
	ino_t made[FILES_ROLES];       /* inode of the unfinished file */
	/* Of VARS, at its last open, or of the journal if VARS is missing. */
	struct stat vars;
};

static const struct files_ops local_ops;

static struct local *
local_of(struct files *files)
{
	return (struct local *)files;
}

/* The result of open(2), or -errno. */
static int
open_path(const struct local *local, const char *path, int flags)
{
	int fd;

	do
		fd = local->sys->open(path, flags | O_CLOEXEC,
				      S_IRUSR | S_IWUSR);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/* Some file systems cannot sync directories and return EINVAL. */
static int
sync_directory(const struct local *local, enum files_role role)
{
	int fd = open_path(local, local->directory[role],
			   O_RDONLY | O_DIRECTORY);
	int rc = 0;

	if (fd < 0)
		return fd;
	if (local->sys->fsync(fd) < 0 && errno != EINVAL)
		rc = -errno;
	(void)local->sys->close(fd);
	return rc;
}

static int
know_vars(struct local *local, int fd)
{
	local->known = local->sys->fstat(fd, &local->vars) == 0;
	return local->known ? 0 : -errno;
}

/*
 * Another host may have written the device since this host has read it: while
 * any process has it open, the kernel keeps what was read.
 */
static int
share_device(const struct local *local, int fd, bool write)
{
	if (!S_ISBLK(local->vars.st_mode))
		return 0;
	if (write && local->sys->reserved(fd))
		return -EBADE;
	(void)local->sys->fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

/*
 * Opens the block device `fd` anew, so that it is the one user; closes `fd`.
 * O_EXCL has this meaning for a block device, and none for a file.
 */
static int
claim(struct local *local, int fd)
{
	(void)local->sys->close(fd);
	return open_path(local, local->path[FILES_VARS],
			 O_RDWR | O_EXCL | O_NOFOLLOW);
}

/* O_NONBLOCK: opening a FIFO for reading must not block. */
static int
local_open(struct files *files, enum files_role role, enum files_access access)
{
	struct local *local = local_of(files);
	bool write = access != FILES_READ;
	int flags = write ? O_RDWR : O_RDONLY | O_NONBLOCK;
	int fd = open_path(local, local->path[role], flags | O_NOFOLLOW);
	int rc = 0;

	if (fd < 0)
		return fd;
	if (role == FILES_VARS ||
	    (role == FILES_JOURNAL && local->missing && !local->known))
		rc = know_vars(local, fd);
	if (!rc && access == FILES_WRITE && role == FILES_VARS &&
	    S_ISBLK(local->vars.st_mode)) {
		fd = claim(local, fd);
		if (fd < 0)
			return fd;
	}
	if (!rc && write)
		rc = sync_directory(local, role);
	if (!rc && role == FILES_VARS)
		rc = share_device(local, fd, access == FILES_WRITE);
	if (!rc)
		return fd;
	(void)local->sys->close(fd);
	return rc;
}

/* Sets local->vars, if VARS has not been opened yet. */
static int
find_owner(struct local *local)
{
	int fd, rc;

	if (local->known)
		return 0;
	fd = open_path(local, local->path[FILES_VARS], O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return fd;
	rc = know_vars(local, fd);
	(void)local->sys->close(fd);
	return rc;
}

/* EPERM: only root may change the owner; the file works all the same. */
static int
own_like_vars(const struct local *local, int fd)
{
	const struct sys *sys = local->sys;
	const struct stat *vars = &local->vars;

	if (sys->fchown(fd, vars->st_uid, vars->st_gid) < 0 && errno != EPERM)
		return -errno;
	return sys->fchmod(fd, vars->st_mode & 0666) < 0 ? -errno : 0;
}

/* A random name: another process may make a file for this place, too. */
static int
name_unfinished(struct local *local, enum files_role role)
{
	char *name;
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -errno;
	if (asprintf(&name, "%s.%016" PRIx64, local->path[role], random) < 0)
		return -ENOMEM;
	free(local->unfinished[role]);
	local->unfinished[role] = name;
	return 0;
}

/* The lock on VARS protects the names of the other unfinished files. */
static int
free_unfinished(struct local *local, enum files_role role)
{
	if (!local->unfinished[role])
		return name_unfinished(local, role);
	if (local->sys->unlink(local->unfinished[role]) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

static int
know_made(struct local *local, enum files_role role, int fd)
{
	struct stat st;

	if (local->sys->fstat(fd, &st) < 0)
		return -errno;
	local->made[role] = st.st_ino;
	return 0;
}

static int
local_create(struct files *files, enum files_role role)
{
	struct local *local = local_of(files);
	int fd, rc = role != FILES_VARS ? find_owner(local) : 0;

	if (!rc)
		rc = free_unfinished(local, role);
	if (rc)
		return rc;
	fd = open_path(local, local->unfinished[role],
		       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW);
	if (fd < 0)
		return fd;
	rc = know_made(local, role, fd);
	if (!rc && local->known)
		rc = own_like_vars(local, fd);
	if (!rc)
		return fd;
	(void)local->sys->close(fd);
	return rc;
}

/*
 * True if the unfinished file has the role's name, although rename(2) failed
 * with ENOENT: the client of a network file system repeats a rename whose reply
 * it has lost, and the server has done the first one.
 */
static bool
was_renamed(const struct local *local, enum files_role role)
{
	int fd = open_path(local, local->path[role], O_PATH | O_NOFOLLOW);
	struct stat st;
	bool same;

	if (fd < 0)
		return false;
	same = local->sys->fstat(fd, &st) == 0 &&
	       st.st_ino == local->made[role];
	(void)local->sys->close(fd);
	return same;
}

/* rename(2), not link(2): store_open() refuses a VARS file with two names. */
static int
local_install(struct files *files, enum files_role role, bool replace,
	      bool *named)
{
	struct local *local = local_of(files);
	const char *from = local->unfinished[role], *to = local->path[role];
	int rc;

	*named = false;
	if (replace && role == FILES_VARS)
		return -EPERM;
	if (!from)
		return -ENOENT;
	if (local->sys->rename(from, to, replace ? 0 : RENAME_NOREPLACE) < 0) {
		rc = -errno;
		if (rc != -ENOENT || !was_renamed(local, role))
			return rc;
	}
	*named = true;
	rc = sync_directory(local, role);
	if (rc && !replace)
		*named = local->sys->unlink(to) < 0;
	return rc;
}

static int
local_remove(struct files *files, enum files_role role, bool unfinished)
{
	struct local *local = local_of(files);
	const char *path = unfinished ? local->unfinished[role] :
					local->path[role];

	if (!unfinished && role != FILES_STATE && role != FILES_NEXT)
		return -EPERM;
	if (!path)
		return 0;
	if (local->sys->unlink(path) < 0)
		return errno == ENOENT ? 0 : -errno;
	return unfinished ? 0 : sync_directory(local, role);
}

/* ELOOP: no function of this file follows a link, see the head. */
static int
local_explain(const struct files *files, enum files_role role, int code,
	      struct error *err)
{
	const char *path = files->name[role];

	if (code == EBUSY)
		return claim_explain(path, err);
	if (code == EBADE)
		return error_set(err, EBUSY,
				 "%s: another host has reserved the device "
				 "(SCSI persistent reservation): end its guest "
				 "there, or, if that host is dead, preempt its "
				 "key with sg_persist(8)",
				 path);
	if (code == ELOOP && path_is_link(path))
		return error_set(
			err, ELOOP,
			"%s: is a symbolic link, which is not followed "
			"here: put the file itself in its place",
			path);
	return identify_path_error(code, path, err);
}

static char *
with_suffix(const char *path, size_t len, const char *suffix)
{
	char *result;

	return asprintf(&result, "%.*s%s", (int)len, path, suffix) < 0 ? NULL :
									 result;
}

/* Length of the journal's path without ".journal". */
static size_t
stem(const char *journal)
{
	size_t len = strlen(journal), suffix = strlen(JOURNAL);

	if (len > suffix && strcmp(journal + len - suffix, JOURNAL) == 0)
		len -= suffix;
	return len;
}

/* The name of the copy number `n` of the file, in malloc()ed memory. */
static char *
name_kept(const struct local *local, enum files_role role, unsigned int n)
{
	const char *path = local->path[role];
	size_t len = strlen(path);
	char suffix[24] = ".kept";

	if (role == FILES_VARS && local->known &&
	    S_ISBLK(local->vars.st_mode)) {
		path = local->path[FILES_JOURNAL];
		len = stem(path);
	}
	if (n)
		snprintf(suffix, sizeof(suffix), ".kept.%u", n);
	return with_suffix(path, len, suffix);
}

static int
local_keep(struct files *files, enum files_role role, bool copy, char **name)
{
	struct local *local = local_of(files);
	const char *from = copy ? local->unfinished[FILES_JOURNAL] :
				  local->path[role];
	int rc = -EEXIST;

	*name = NULL;
	for (unsigned int n = 0; n < KEPT_MOST && rc == -EEXIST; n++) {
		free(*name);
		*name = name_kept(local, role, n);
		if (!*name)
			return -ENOMEM;
		rc = local->sys->rename(from, *name, RENAME_NOREPLACE) < 0 ?
			     -errno :
			     0;
	}
	if (rc == 0)
		return sync_directory(local, copy ? FILES_JOURNAL : role);
	free(*name);
	*name = NULL;
	return rc;
}

void
files_local_own(struct files *files, const struct stat *like)
{
	struct local *local = local_of(files);

	if (files->ops != &local_ops)
		return;
	local->vars = *like;
	local->known = true;
}

int
files_local_unlink(struct files *files, enum files_role role)
{
	struct local *local = local_of(files);

	if (files->ops != &local_ops)
		return -EOPNOTSUPP;
	if (local->sys->unlink(local->path[role]) < 0)
		return errno == ENOENT ? 0 : -errno;
	return sync_directory(local, role);
}

int
files_local_unshare(struct files *files, enum files_role role)
{
	return files->ops == &local_ops ?
		       name_unfinished(local_of(files), role) :
		       0;
}

int
files_local_sync(struct files *files, enum files_role role)
{
	return files->ops == &local_ops ?
		       sync_directory(local_of(files), role) :
		       0;
}

static void
local_close(struct files *files)
{
	struct local *local = local_of(files);

	for (int role = 0; role < FILES_ROLES; role++) {
		free(local->path[role]);
		free(local->directory[role]);
		free(local->unfinished[role]);
	}
	free(local->given);
	free(local);
}

static const struct files_ops local_ops = {
	.open = local_open,
	.create = local_create,
	.install = local_install,
	.remove = local_remove,
	.keep = local_keep,
	.holder = sys_find_holder,
	.explain = local_explain,
	.close = local_close,
};

/* Makes a path absolute, as the working directory may change.  NULL: errno. */
static char *
absolute(const char *path)
{
	char *cwd, *result;

	if (*path == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return NULL;
	if (asprintf(&result, "%s/%s", cwd, path) < 0)
		result = NULL;
	free(cwd);
	return result;
}

/* Removes "." and empty parts of a path. */
static void
tidy(char *path)
{
	char *to = path;

	for (const char *from = path; *from; from++) {
		while (from[0] == '/' &&
		       (from[1] == '/' || (from[1] == '.' && from[2] == '/')))
			from += from[1] == '/' ? 1 : 2;
		*to++ = *from;
	}
	*to = '\0';
}

/* The real path of a missing file: its directory's real path and `base`. */
static char *
beside(const char *path, const char *base)
{
	char *given = strndup(path, (size_t)(base - path)), *result;
	char *real = given ? realpath(*given ? given : ".", NULL) : NULL;

	free(given);
	if (!real)
		return NULL;
	if (asprintf(&result, "%s/%s", real[1] ? real : "", base) < 0)
		result = NULL;
	free(real);
	return result;
}

/*
 * The real path, also of a missing file; *missing: there is no such file.  NULL
 * with errno: failed; ENOENT also for a dangling link.
 */
static char *
resolve(const char *path, bool *missing)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	char *real = realpath(path, NULL);

	*missing = !real;
	if (real || errno != ENOENT || !*base)
		return real;
	if (!path_is_link(path))
		return beside(path, base);
	errno = ENOENT;
	return NULL;
}

/* Sets all other names; they are beside the journal.  false: no memory. */
static bool
find_others(struct local *local)
{
	char **path = local->path;
	const char *journal = path[FILES_JOURNAL];

	path[FILES_STATE] = with_suffix(journal, stem(journal), ".state");
	path[FILES_NEXT] = with_suffix(journal, stem(journal), ".next");
	path[FILES_PINS] = with_suffix(journal, stem(journal), ".pins");
	if (!path[FILES_STATE] || !path[FILES_NEXT] || !path[FILES_PINS])
		return false;
	for (int role = 0; role < FILES_ROLES; role++) {
		const char *slash = strrchr(path[role], '/');

		local->files.name[role] = path[role];
		local->directory[role] = with_suffix(
			path[role],
			slash == path[role] ? 1 : (size_t)(slash - path[role]),
			"");
		if (role != FILES_VARS)
			local->unfinished[role] = with_suffix(
				path[role], strlen(path[role]), ".new");
		if (!local->directory[role] ||
		    (role != FILES_VARS && !local->unfinished[role]))
			return false;
	}
	return true;
}

static int
find_names(struct local *local, const char *vars, const char *journal,
	   struct error *err)
{
	char **path = local->path;
	int rc;

	path[FILES_VARS] = resolve(vars, &local->missing);
	if (!path[FILES_VARS])
		return path_error(err, errno, vars);
	local->files.given = local->given = absolute(vars);
	if (!local->given)
		return error_errno(err, errno, "%s", vars);
	tidy(local->given);
	if (journal)
		path[FILES_JOURNAL] = absolute(journal);
	else
		path[FILES_JOURNAL] = with_suffix(path[FILES_VARS],
						  strlen(path[FILES_VARS]),
						  JOURNAL);
	if (!path[FILES_JOURNAL])
		return error_errno(err, errno, "%s", journal ? journal : vars);
	rc = path_check_directory(path[FILES_JOURNAL]);
	if (rc)
		return path_error(err, -rc, path[FILES_JOURNAL]);
	if (!find_others(local))
		return error_set(err, ENOMEM, "out of memory");
	return 0;
}

int
files_local(struct files **out, const char *vars, const char *journal,
	    const struct sys *sys, struct error *err)
{
	struct local *local = calloc(1, sizeof(*local));
	int rc;

	if (!local)
		return error_set(err, ENOMEM, "out of memory");
	local->files.ops = &local_ops;
	local->files.journal_given = journal != NULL;
	local->sys = sys ? sys : &sys_kernel;
	rc = find_names(local, vars, journal, err);
	if (rc) {
		local_close(&local->files);
		return rc;
	}
	*out = &local->files;
	return 0;
}

int
files_local_own_like(struct files *model, int fd)
{
	struct local *local = local_of(model);
	int rc = model->ops == &local_ops ? find_owner(local) : -EOPNOTSUPP;

	return rc ? rc : own_like_vars(local, fd);
}

/*
 * If the new VARS were durable before the journal is gone, a crash could leave
 * a VARS file with the journal of another size, which recovery refuses.  With a
 * journal of the new size the crash does so in any case, until the call is
 * repeated: the old VARS must not be used with a history that is not its own.
 */
int
files_local_switch(struct files *files, bool journal, bool *removed,
		   bool *named)
{
	struct local *local = local_of(files);
	const char *from;
	int rc;

	*removed = *named = false;
	if (files->ops != &local_ops)
		return -EOPNOTSUPP;
	from = local->unfinished[FILES_VARS];
	if (!from)
		return -ENOENT;
	if (journal)
		rc = local->sys->rename(local->unfinished[FILES_JOURNAL],
					local->path[FILES_JOURNAL], 0);
	else
		rc = local->sys->unlink(local->path[FILES_JOURNAL]);
	if (rc < 0 && (journal || errno != ENOENT))
		return -errno;
	*removed = true;
	rc = sync_directory(local, FILES_JOURNAL);
	if (rc)
		return rc;
	if (local->sys->rename(from, local->path[FILES_VARS], 0) < 0)
		return -errno;
	*named = true;
	return sync_directory(local, FILES_VARS);
}
