/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pflash/store.h"
#include "pflashctl.h"

static int
write_all(int fd, const uint8_t *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(fd, data + done, size - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* OUT may be a pipe or a device, so it is written as it is. */
static int
write_out(const char *path, const uint8_t *image, size_t size)
{
	bool to_stdout = strcmp(path, "-") == 0;
	int fd = to_stdout ? STDOUT_FILENO
			   : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
				  0600);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write_all(fd, image, size);
	if (!to_stdout && close(fd) < 0 && ret == 0)
		ret = -errno;
	return ret;
}

int
ctl_export(int argc, char **argv)
{
	struct error err;
	uint8_t *image;
	size_t size;
	int ret;

	if (argc != 3)
		return ctl_fail(CTL_USAGE, "usage: pflashctl export VARS OUT");
	if (store_export(NULL, argv[1], &image, &size, &err) < 0)
		return ctl_fail(CTL_FILE, "%s", err.text);
	ret = write_out(argv[2], image, size);
	free(image);
	if (ret < 0)
		return ctl_fail(CTL_FAILED, "%s: %s", argv[2], strerror(-ret));
	return CTL_OK;
}
