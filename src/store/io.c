/* SPDX-License-Identifier: BSD-2-Clause */
#include "io.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

int
file_open(struct file *file, int flags, mode_t mode, struct error *err)
{
	do
		file->fd = file->sys->open(file->path, flags | O_CLOEXEC, mode);
	while (file->fd < 0 && errno == EINTR);
	if (file->fd < 0)
		return error_errno(err, errno, "%s", file->path);
	return 0;
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
	uint8_t *p = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = file->sys->pread(file->fd, p + done, len - done,
				     (off_t)(off + done));
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

/* However little of a block is written, a disk writes all of it. */
static void
count_written(const struct file *file, size_t len, uint64_t off)
{
	uint64_t blocks = (off + len - 1) / FILE_BLOCK - off / FILE_BLOCK + 1;

	if (file->written && len > 0)
		*file->written += blocks * FILE_BLOCK;
}

int
file_write(const struct file *file, const void *buf, size_t len, uint64_t off,
	   struct error *err)
{
	const uint8_t *p = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = file->sys->pwrite(file->fd, p + done, len - done,
				      (off_t)(off + done));
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
	return 0;
}

int
file_truncate(const struct file *file, uint64_t len, struct error *err)
{
	int rc;

	do
		rc = file->sys->ftruncate(file->fd, (off_t)len);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return error_errno(err, errno, "%s: truncate to %llu bytes",
				   file->path, (unsigned long long)len);
	return 0;
}

int
file_stat(const struct file *file, struct stat *st, struct error *err)
{
	if (file->sys->fstat(file->fd, st) < 0)
		return error_errno(err, errno, "%s", file->path);
	if (!S_ISREG(st->st_mode))
		return error_set(err, EINVAL, "%s: not a regular file",
				 file->path);
	return 0;
}

int
file_own_like(const struct file *file, const struct stat *st, struct error *err)
{
	const struct sys *sys = file->sys;

	if (sys->fchown(file->fd, st->st_uid, st->st_gid) < 0 && errno != EPERM)
		return error_errno(err, errno, "%s: owner", file->path);
	if (sys->fchmod(file->fd, st->st_mode & 0666) < 0)
		return error_errno(err, errno, "%s: mode", file->path);
	return 0;
}

int
file_write_new(struct file *file, const void *bytes, size_t len,
	       const struct stat *like, struct error *err)
{
	int rc;

	if (file->sys->unlink(file->path) < 0 && errno != ENOENT)
		return error_errno(err, errno, "%s", file->path);
	rc = file_open(file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
		       S_IRUSR | S_IWUSR, err);
	if (!rc)
		rc = file_own_like(file, like, err);
	if (!rc)
		rc = file_write(file, bytes, len, 0, err);
	return rc ? rc : file_sync(file, err);
}

/* Some file systems have no fsync for directories and say EINVAL. */
int
file_sync_directory(const struct sys *sys, const char *path, struct error *err)
{
	char *copy = strdup(path);
	struct file dir = { .sys = sys, .fd = -1 };
	int rc;

	if (!copy)
		return error_errno(err, ENOMEM, "%s", path);
	dir.path = dirname(copy);
	rc = file_open(&dir, O_RDONLY | O_DIRECTORY, 0, err);
	if (!rc && sys->fsync(dir.fd) < 0 && errno != EINVAL)
		rc = error_errno(err, errno, "%s: fsync", dir.path);
	file_close(&dir);
	free(copy);
	return rc;
}
