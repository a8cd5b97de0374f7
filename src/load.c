/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pflash/files.h"
#include "pflash/fv.h"
#include "pflash/identify.h"
#include "pflash/store.h"

#define CHUNK (64u << 10)

/* Appends at most `room` bytes; 0 at the end of the file. */
static ssize_t
read_some(int fd, uint8_t *to, size_t room)
{
	ssize_t n;

	do
		n = read(fd, to, room);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Reads to the end of the file, or one byte more than `most`. */
static int
read_all(int fd, size_t most, uint8_t **data, size_t *size)
{
	size_t room = 0;
	ssize_t n = 1;

	for (*size = 0; n > 0 && *size <= most;
	     *size += n > 0 ? (size_t)n : 0) {
		if (*size == room) {
			uint8_t *more = realloc(*data, room + CHUNK + 1);

			if (!more)
				return -ENOMEM;
			*data = more;
			room += CHUNK;
		}
		n = read_some(fd, *data + *size, room - *size);
	}
	(*data)[*size] = '\0';
	return n < 0 ? (int)n : 0;
}

int
load_file(const char *path, size_t most, uint8_t **data, size_t *size,
	  struct error *err)
{
	struct stat st;
	int fd = identify_open(path, &st, err), ret;

	*data = NULL;
	if (fd < 0)
		return fd;
	ret = read_all(fd, most, data, size);
	close(fd);
	if (ret < 0)
		error_errno(err, -ret, "%s", path);
	else if (*size == 0)
		ret = error_set(err, EINVAL, "%s: the file is empty", path);
	else if (*size > most)
		ret = error_set(err, EFBIG,
				"%s: the file is too large, at most %zu bytes "
				"are accepted",
				path, most);
	if (ret < 0) {
		free(*data);
		*data = NULL;
	}
	return ret;
}

int
load_device_size(int fd, const char *path, uint64_t *size, struct error *err)
{
	uint8_t start[FV_BLOCK_SIZE];
	off_t end = lseek(fd, 0, SEEK_END);
	uint64_t length;
	uint32_t complete;

	if (files_image_size(fd, NULL, &complete) == 0 && complete) {
		*size = complete;
		return 0;
	}
	if (end < 0 ||
	    pread(fd, start, sizeof(start), 0) != (ssize_t)sizeof(start))
		return error_errno(err, errno, "%s", path);
	length = fv_length(start, sizeof(start));
	*size = length && length <= (uint64_t)end ? length : (uint64_t)end;
	return 0;
}

uint32_t
load_flash_size(const char *path)
{
	uint64_t size = 0;
	struct stat st;
	int fd;

	if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (load_device_size(fd, path, &size, NULL) < 0 ||
	    size > STORE_MAX_SIZE)
		size = 0;
	close(fd);
	return (uint32_t)size;
}
