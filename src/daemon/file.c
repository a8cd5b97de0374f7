/* SPDX-License-Identifier: BSD-2-Clause */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int
read_all(int fd, const char *path, uint8_t *data, size_t size,
	 struct error *err)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, data + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "%s", path);
		if (n == 0)
			return error_set(err, EIO,
					 "%s: ends at %zu of %zu "
					 "bytes",
					 path, done, size);
		done += (size_t)n;
	}
	return 0;
}

int
file_load(const char *path, size_t max, uint8_t **data, size_t *size,
	  struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int ret;

	*data = NULL;
	if (fd < 0)
		return error_errno(err, errno, "%s", path);
	if (fstat(fd, &st) < 0)
		ret = error_errno(err, errno, "%s", path);
	else if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		ret = error_set(err, EINVAL, "%s: not a file with contents",
				path);
	else if ((uintmax_t)st.st_size > max)
		ret = error_set(err, EFBIG,
				"%s: %jd bytes, but at most %zu "
				"were expected",
				path, (intmax_t)st.st_size, max);
	else if (!(*data = malloc((size_t)st.st_size)))
		ret = error_set(err, ENOMEM, "out of memory");
	else
		ret = read_all(fd, path, *data, (size_t)st.st_size, err);
	close(fd);
	if (ret < 0) {
		free(*data);
		*data = NULL;
	} else {
		*size = (size_t)st.st_size;
	}
	return ret;
}
