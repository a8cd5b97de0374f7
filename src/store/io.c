/* SPDX-License-Identifier: BSD-2-Clause */
#include "io.h"

#include <errno.h>
#include <stdlib.h>

#include "pflash/identify.h"
#include "pflash/store.h"

/* Adopts the result of files_ops: a descriptor or -errno. */
static int
adopt_fd(struct file *file, const struct files *files, enum files_role role,
	 int fd, struct error *err)
{
	file->fd = fd < 0 ? -1 : fd;
	if (fd >= 0)
		return 0;
	if (files->ops->explain)
		return files->ops->explain(files, role, -fd, err);
	if (fd == -ELOOP) /* names are opened with O_NOFOLLOW */
		return error_set(err, ELOOP,
				 "%s: is a symbolic link, which is not "
				 "followed here: put the file itself in its "
				 "place",
				 file->path);
	return identify_open_error(-fd, file->path, err);
}

int
file_open(struct file *file, struct files *files, enum files_role role,
	  bool write, struct error *err)
{
	file->path = files->name[role];
	return adopt_fd(file, files, role, files->ops->open(files, role, write),
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
	if (rc) {
		free(*bytes);
		*bytes = NULL;
	}
	return rc;
}

/* A write to a part of a block counts as the whole block, as on a disk. */
static void
count_written(const struct file *file, size_t len, uint64_t off)
{
	uint64_t blocks = (off + len - 1) / BLOCK_SIZE - off / BLOCK_SIZE + 1;

	if (file->stats && len > 0)
		file->stats->written += blocks * BLOCK_SIZE;
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
	if (file->stats)
		file->stats->syncs++;
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
		return error_set(err, EINVAL, "%s: not a regular file, but %s",
				 file->path, identify_type_name(st->st_mode));
	return 0;
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
	if (!rc)
		return 0;
	file_close(file);
	(void)files->ops->remove(files, role, true);
	return rc;
}
