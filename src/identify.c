/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens the files of an administrator, and explains those of a wrong kind. */
#include "pflash/identify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "pflash/firmware.h"
#include "pflash/fv.h"
#include "pflash/geometry.h"
#include "pflash/load.h"
#include "pflash/path.h"
#include "pflash/store.h"

#define FRAME 4096u
#define USE_CODE "use the OVMF_CODE file of the guest's firmware"
#define NOT_A_FILE "neither a regular file nor a block device"

const char *
identify_type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return "a regular file";
	case S_IFBLK: return "a block device";
	case S_IFDIR: return "a directory";
	case S_IFIFO: return "a FIFO";
	case S_IFSOCK: return "a socket";
	case S_IFCHR: return "a character device";
	default: return "a file of an unknown type";
	}
}

int
identify_type(mode_t mode, const char *path, struct error *err)
{
	if (S_ISREG(mode) || S_ISBLK(mode))
		return 0;
	if (S_ISDIR(mode))
		return error_set(err, EISDIR,
				 "%s: a directory, " NOT_A_FILE
				 ": name the file in it",
				 path);
	return error_set(err, EINVAL,
			 "%s: %s, " NOT_A_FILE
			 ": write the contents to a file, and use that",
			 path, identify_type_name(mode));
}

int
identify_open_error(int code, const char *path, struct error *err)
{
	switch (code) {
	case EISDIR: return identify_type(S_IFDIR, path, err);
	case ENXIO: return identify_type(S_IFSOCK, path, err);
	default: return path_error(err, code, path);
	}
}

/* ENXIO: a socket, or a device that the host has not, such as /dev/tty. */
int
identify_path_error(int code, const char *path, struct error *err)
{
	struct stat st;

	if (code != ENXIO || stat(path, &st) < 0)
		return identify_open_error(code, path, err);
	if (identify_type(st.st_mode, path, err) == 0)
		return error_errno(err, ENXIO, "%s", path);
	return -EINVAL;
}

/* A pipe without a name, as from a shell's <(command). */
static bool
is_pipe(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
}

static int
check_type(int fd, const struct stat *st, const char *path, struct error *err)
{
	int flags;

	if (!S_ISFIFO(st->st_mode) || !is_pipe(fd))
		return identify_type(st->st_mode, path, err);
	/* The reader waits for the process that writes the pipe. */
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return error_errno(err, errno, "%s", path);
	return 0;
}

int
identify_open(const char *path, struct stat *st, struct error *err)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), ret;

	if (fd < 0)
		return identify_path_error(errno, path, err);
	if (fstat(fd, st) < 0)
		ret = error_errno(err, errno, "%s", path);
	else
		ret = check_type(fd, st, path, err);
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

struct source {
	const struct sys *sys;
	int fd;
};

static int
read_source(void *opaque, uint64_t off, uint8_t *to, size_t len)
{
	const struct source *source = opaque;
	ssize_t n;

	do
		n = source->sys->pread(source->fd, to, len, (off_t)off);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int)n;
}

void
identify_fd(const struct sys *sys, int fd, uint64_t size,
	    struct identity *identity)
{
	struct source source = { sys ? sys : &sys_kernel, fd };

	identify(read_source, &source, size, identity);
}

/* The size of a file, or of a block device. */
static int
find_size(const struct sys *sys, int fd, const struct stat *st, uint64_t *size)
{
	off_t end = st->st_size;

	if (S_ISBLK(st->st_mode))
		end = sys->lseek(fd, 0, SEEK_END);
	*size = end < 0 ? 0 : (uint64_t)end;
	return end < 0 ? -errno : 0;
}

int
identify_explain(const struct sys *sys, int fd, const char *path, bool foreign,
		 struct error *err)
{
	struct identity identity;
	struct error text;
	struct stat st;
	uint64_t size;

	if (!sys)
		sys = &sys_kernel;
	if (sys->fstat(fd, &st) < 0)
		return 0;
	if (identify_type(st.st_mode, path, err) < 0)
		return 1;
	if (find_size(sys, fd, &st, &size) < 0)
		return 0;
	identify_fd(sys, fd, size, &identity);
	if (foreign ? !identity_is_foreign(&identity) :
		      !identity_is_known(&identity))
		return 0;
	identity_text(&identity, IDENTITY_AS_VARS, &text);
	error_set(err, 0, "%s: %s", path, text.text);
	return 1;
}

int
identify_path(const char *path, bool foreign, struct error *err)
{
	struct stat st;
	struct error why;
	int fd = identify_open(path, &st, &why), ret;

	if (fd < 0) {
		if (fd == -ENOENT || fd == -EACCES)
			return 0;
		*err = why;
		return 1;
	}
	ret = S_ISFIFO(st.st_mode) ?
		      0 :
		      identify_explain(NULL, fd, path, foreign, err);
	close(fd);
	return ret;
}

/* Recognizes the file of a path; a file that cannot be read is unknown. */
static void
look_at(const char *path, struct identity *identity)
{
	struct stat st;
	uint64_t size;
	int fd = identify_open(path, &st, NULL);

	*identity = (struct identity){ .kind = IDENTITY_UNKNOWN };
	if (fd < 0)
		return;
	if (!S_ISFIFO(st.st_mode) &&
	    find_size(&sys_kernel, fd, &st, &size) == 0)
		identify_fd(NULL, fd, size, identity);
	close(fd);
}

/* Refuses the contents, with the sentence about their kind. */
static int
refuse(const struct identity *identity, enum identity_role role,
       const char *path, struct error *err)
{
	struct error text;

	identity_text(identity, role, &text);
	return error_set(err, EINVAL, "%s: %s", path, text.text);
}

int
identify_size_error(const char *path, uint64_t size, struct error *err)
{
	return error_set(err, EINVAL,
			 "%s: the file is not a flash image%s: its size is "
			 "%" PRIu64 " bytes, expected 4 KiB blocks, at most %u "
			 "bytes",
			 path, size > STORE_MAX_SIZE ? ", it is too large" : "",
			 size, STORE_MAX_SIZE);
}

/* Loads the first `most` bytes of a longer file. */
static int
load_start(const char *path, size_t most, uint8_t **image, size_t *size,
	   struct error *err)
{
	struct stat st;
	struct source source = { &sys_kernel, identify_open(path, &st, err) };
	size_t done = 0;
	int n = 1;

	*image = NULL;
	if (source.fd < 0)
		return source.fd;
	*image = malloc(most);
	while (*image && n > 0 && done < most) {
		n = read_source(&source, done, *image + done, most - done);
		done += n > 0 ? (size_t)n : 0;
	}
	close(source.fd);
	*size = most;
	if (*image && done == most)
		return 0;
	n = *image ? n < 0 ? n : -EINVAL : -ENOMEM;
	free(*image);
	*image = NULL;
	return error_errno(err, -n, "%s", path);
}

int
identify_template(const char *path, uint8_t **image, size_t *size,
		  struct error *note, struct error *err)
{
	struct identity identity;
	int ret;

	*image = NULL;
	look_at(path, &identity);
	if (identity_has_vars(&identity)) {
		ret = load_start(path, (size_t)identity.volume, image, size,
				 err);
		if (ret < 0)
			return ret;
		error_set(note, 0,
			  "%s: takes the first %#jx bytes, the variables, of "
			  "%#jx bytes (%s)",
			  path, (uintmax_t)identity.volume,
			  (uintmax_t)identity.size, identity_name(&identity));
		return 1;
	}
	if (identity_is_known(&identity))
		return refuse(&identity, IDENTITY_AS_VARS, path, err);
	ret = load_file(path, STORE_MAX_SIZE, image, size, err);
	if (ret == -EFBIG && identity.size)
		(void)identify_size_error(path, identity.size, err);
	if (ret < 0)
		return ret;
	/* A pipe is recognized when it has been read. */
	identify_image(*image, *size, &identity);
	if (identity_is_known(&identity))
		return refuse(&identity, IDENTITY_AS_VARS, path, err);
	return *size % FV_BLOCK_SIZE ? identify_size_error(path, *size, err) :
				       0;
}

/* Refuses an image that pflashd cannot attach as code. */
static int
check_firmware(const char *path, const uint8_t *image, size_t size, size_t *sec,
	       struct error *err)
{
	struct identity identity;
	struct error text;
	const char *what;

	if (size % FRAME == 0 && fv_find_sec(image, size, sec, &text) == 0)
		return 0;
	identify_image(image, size, &identity);
	if (identity.kind != IDENTITY_FIRMWARE &&
	    identity.kind != IDENTITY_UNKNOWN)
		return refuse(&identity, IDENTITY_AS_FIRMWARE, path, err);
	what = identity.kind == IDENTITY_UNKNOWN ? "not a" : "a damaged";
	if (size % FRAME)
		return error_set(err, EINVAL,
				 "%s: the file is %s firmware image: %zu "
				 "bytes is not the size of a firmware image: "
				 "expected a multiple of %u; " USE_CODE,
				 path, what, size, FRAME);
	return error_set(err, EINVAL,
			 "%s: the file is %s firmware image: no firmware "
			 "volume at its end; " USE_CODE,
			 path, what);
}

int
identify_firmware(const char *path, uint8_t **image, size_t *size, size_t *sec,
		  struct error *err)
{
	struct identity identity;
	int ret = load_file(path, FIRMWARE_MOST, image, size, err);

	if (ret == -EFBIG) {
		look_at(path, &identity);
		if (identity_is_known(&identity) &&
		    identity.kind != IDENTITY_FIRMWARE)
			ret = refuse(&identity, IDENTITY_AS_FIRMWARE, path,
				     err);
	}
	return ret < 0 ? ret : check_firmware(path, *image, *size, sec, err);
}
