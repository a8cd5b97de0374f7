/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl export. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pflash/path.h"
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

/* A pipe cannot be synced: EINVAL and EROFS are no failures. */
static int
write_synced(int fd, const uint8_t *image, size_t size)
{
	int ret = write_all(fd, image, size);

	if (ret == 0 && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		ret = -errno;
	return ret;
}

static int
write_out(const char *path, const uint8_t *image, size_t size)
{
	int fd, ret;

	if (strcmp(path, "-") == 0)
		return write_synced(STDOUT_FILENO, image, size);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ret = write_synced(fd, image, size);
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	return ret;
}

/* True if two names, or two links, are of the same file. */
static bool
same_file(const char *out, const char *other)
{
	struct stat a, b;

	return stat(out, &a) == 0 && stat(other, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* True if OUT is the VARS file or its journal. */
static bool
is_source(const char *out, const char *vars, const char *given)
{
	char *real = realpath(vars, NULL), *journal = NULL;
	bool same = same_file(out, vars) || (given && same_file(out, given));

	if (real && asprintf(&journal, "%s.journal", real) >= 0)
		same = same || same_file(out, journal);
	free(journal);
	free(real);
	return same;
}

/* With --at, a damaged journal may still have the image. */
static int
take_image(const struct ctl_options *options, uint8_t **image, size_t *size)
{
	const struct store_config config = ctl_config(options);
	struct reader *reader;
	struct error err;
	int ret = options->has_at ? reader_open_rescue(&reader, &config, &err) :
				    reader_open_files(&reader, &config, &err);

	if (ret < 0)
		return ctl_refused(ret, &err);
	*size = reader_size(reader);
	ret = ctl_image(reader, options->has_at, options->at, image, &err);
	reader_close(reader);
	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

static int
cannot_write(const char *out, int error)
{
	struct error err;

	path_error(&err, error, out);
	return ctl_fail(CTL_FAILED, "%s", err.text);
}

int
ctl_export(const struct ctl_options *options)
{
	const char *out = options->files[1];
	uint8_t *image = NULL;
	size_t size = 0;
	int code, ret;

	if (is_source(out, options->files[0], options->journal))
		return ctl_fail(CTL_USAGE,
				"%s: is the file to export, or its journal: "
				"give another file",
				out);
	code = take_image(options, &image, &size);
	if (code == CTL_OK) {
		ret = write_out(out, image, size);
		if (ret < 0)
			code = cannot_write(out, -ret);
	}
	free(image);
	return code;
}
