/* SPDX-License-Identifier: BSD-2-Clause */
#include "io.h"

#include <errno.h>
#include <stdlib.h>

#include "pflash/identify.h"
#include "pflash/store.h"

int
file_explain(const char *path, int code, struct error *err)
{
	if (code == ELOOP) /* names are opened with O_NOFOLLOW */
		return error_set(err, ELOOP,
				 "%s: is a symbolic link, which is not "
				 "followed here: put the file itself in its "
				 "place",
				 path);
	if (code == EBADE)
		return error_set(err, EBUSY, "%s: reserved by another host",
				 path);
	if (code == EBUSY)
		return error_set(err, EBUSY, "%s: in use by another process",
				 path);
	return identify_open_error(code, path, err);
}

/* Adopts the result of files_ops: a descriptor or -errno. */
static int
adopt_fd(struct file *file, struct files *files, enum files_role role, int fd,
	 struct error *err)
{
	file->fd = fd < 0 ? -1 : fd;
	file->files = files;
	file->role = role;
	file->place = files->place[role];
	if (fd >= 0)
		return 0;
	if (files->ops->explain)
		return files->ops->explain(files, role, -fd, err);
	return file_explain(file->path, -fd, err);
}

int
file_open(struct file *file, struct files *files, enum files_role role,
	  bool write, struct error *err)
{
	file->path = files->name[role];
	return adopt_fd(file, files, role,
			files->ops->open(files, role,
					 write ? FILES_WRITE : FILES_READ),
			err);
}

void
file_close(struct file *file)
{
	if (file->fd >= 0)
		(void)file->sys->close(file->fd);
	file->fd = -1;
}

int
file_read(const struct file *file, void *buf, size_t len, uint64_t off,
	  struct error *err)
{
	uint64_t base = file->place.base;
	uint8_t *p = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = file->sys->pread(file->fd, p + done, len - done,
				     (off_t)(base + off + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno,
					   "%s: read at offset %llu",
					   file->path,
					   (unsigned long long)(off + done));
		if (n == 0)
			return error_set(
				err, EUCLEAN,
				"%s: ends at offset %llu, expected %llu bytes",
				file->path, (unsigned long long)(off + done),
				(unsigned long long)(off + len));
		done += (size_t)n;
	}
	return 0;
}

/* A write to a part of a block counts as the whole block, as on a disk. */
static void
count_written(const struct file *file, size_t len, uint64_t off)
{
	uint64_t blocks = (off + len - 1) / BLOCK_SIZE - off / BLOCK_SIZE + 1;

	if (file->stats && len > 0)
		file->stats->written += blocks * BLOCK_SIZE;
}

static bool
has_room(const struct file *file, uint64_t end)
{
	return !file->place.room || end <= file->place.room;
}

/* The sandbox refuses longer writes to a device. */
static size_t
piece(const struct file *file, size_t len)
{
	return file->place.room && len > FILES_WRITE_MOST ? FILES_WRITE_MOST :
							    len;
}

int
file_write(const struct file *file, const void *buf, size_t len, uint64_t off,
	   struct error *err)
{
	uint64_t base = file->place.base;
	const uint8_t *p = buf;
	size_t done = 0;
	ssize_t n;

	if (!has_room(file, off + len))
		return error_errno(err, ENOSPC, "%s: write at offset %llu",
				   file->path, (unsigned long long)off);
	while (done < len) {
		n = file->sys->pwrite(file->fd, p + done,
				      piece(file, len - done),
				      (off_t)(base + off + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_errno(err, n ? errno : EIO,
					   "%s: write at offset %llu",
					   file->path,
					   (unsigned long long)(off + done));
		done += (size_t)n;
	}
	count_written(file, len, off);
	return 0;
}

int
file_sync(const struct file *file, struct error *err)
{
	if (file->sys->fdatasync(file->fd) < 0)
		return error_errno(err, errno, "%s: fdatasync", file->path);
	if (file->stats)
		file->stats->syncs++;
	return 0;
}

/* Files on a device have no end of their own. */
static int
blank(const struct file *file, uint64_t from, uint64_t to, struct error *err)
{
	static const uint8_t zeros[16 * BLOCK_SIZE];
	int rc = 0;

	while (!rc && from < to) {
		size_t len = to - from < sizeof(zeros) ? (size_t)(to - from) :
							 sizeof(zeros);

		rc = file_write(file, zeros, len, from, err);
		from += len;
	}
	return rc;
}

int
file_truncate(const struct file *file, uint64_t len, uint64_t old,
	      struct error *err)
{
	int rc;

	if (file->place.room)
		return blank(file, len, old, err);
	do
		rc = file->sys->ftruncate(file->fd, (off_t)len);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return error_errno(err, errno, "%s: truncate to %llu bytes",
				   file->path, (unsigned long long)len);
	return 0;
}

static int
measure(const struct file *file, struct stat *st, struct error *err)
{
	int rc = file->files->ops->measure(file->files, file->role, file->fd,
					   &file->place, st);

	if (rc == -EUCLEAN && file->files->ops->explain)
		return file->files->ops->explain(file->files, file->role, -rc,
						 err);
	return rc ? error_errno(err, -rc, "%s", file->path) : 0;
}

int
file_stat(const struct file *file, struct stat *st, struct error *err)
{
	if (file->sys->fstat(file->fd, st) < 0)
		return error_errno(err, errno, "%s", file->path);
	if (file->place.room)
		return measure(file, st, err);
	if (!S_ISREG(st->st_mode))
		return error_set(err, EINVAL, "%s: not a regular file, but %s",
				 file->path, identify_type_name(st->st_mode));
	return 0;
}

/* A file that has lost its name keeps its bytes, but its place does not. */
static int
check_same(const struct file *file, struct error *err)
{
	struct stat st;
	int rc;

	if (!file->place.room)
		return 0;
	rc = file_stat(file, &st, err);
	if (!rc && !st.st_nlink)
		rc = error_set(err, EAGAIN,
			       "%s: was replaced while it was read; try again",
			       file->path);
	return rc;
}

int
file_read_all(const struct file *file, uint8_t **bytes, size_t *len,
	      struct error *err)
{
	struct stat st;
	int rc = file_stat(file, &st, err);

	*bytes = NULL;
	if (rc)
		return rc;
	*len = (size_t)st.st_size;
	*bytes = malloc(*len + 1);
	if (!*bytes)
		return error_errno(err, ENOMEM, "%s: %zu bytes", file->path,
				   *len);
	rc = file_read(file, *bytes, *len, 0, err);
	if (!rc)
		rc = check_same(file, err);
	if (rc) {
		free(*bytes);
		*bytes = NULL;
	}
	return rc;
}

int
file_write_new(struct file *file, struct files *files, enum files_role role,
	       const void *bytes, size_t len, struct error *err)
{
	int rc;

	file->path = files->name[role];
	rc = adopt_fd(file, files, role, files->ops->create(files, role), err);
	if (!rc)
		rc = file_write(file, bytes, len, 0, err);
	if (!rc)
		rc = file_sync(file, err);
	files->length[role] = len;
	if (!rc)
		return 0;
	file_close(file);
	(void)files->ops->remove(files, role, true);
	return rc;
}
