/* SPDX-License-Identifier: BSD-2-Clause */
#include "support_store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SCRATCH_NAMES 64

static char scratch[200];
static char names[SCRATCH_NAMES][512];
static unsigned int next_name;

struct fault fault;
struct memory_fault memory_fault;
uint64_t fake_clock;
bool no_random;

__attribute__((noreturn)) static void
die(const char *what)
{
	perror(what);
	abort();
}

/*
 * In memory if possible: ext4 writes back a truncated file when it is closed,
 * and these tests do that a hundred thousand times.
 */
static const char *
temporary_directory(void)
{
	const char *tmp = getenv("TMPDIR");

	if (tmp && *tmp)
		return tmp;
	return access("/dev/shm", W_OK | X_OK) ? "/tmp" : "/dev/shm";
}

void
scratch_make(void)
{
	(void)snprintf(scratch, sizeof(scratch), "%s/pflash-test.XXXXXX",
		       temporary_directory());
	if (!mkdtemp(scratch))
		die(scratch);
}

const char *
scratch_path(const char *name)
{
	char *path = names[next_name++ % SCRATCH_NAMES];

	(void)snprintf(path, sizeof(names[0]), "%s/%s", scratch, name);
	return path;
}

int
create_vars(const struct sys *sys, const char *path, const void *image,
	    size_t size, struct error *err)
{
	const struct store_config config = {
		.path = path,
		.size = (uint32_t)size,
		.sys = sys,
	};

	return store_create(&config, image, err);
}

/*
 * Calls `visit` (may be NULL) for every entry; returns the number of entries.
 */
static unsigned int
scratch_each(int (*visit)(const char *))
{
	DIR *dir = opendir(scratch);
	struct dirent *entry;
	unsigned int count = 0;

	if (!dir)
		die(scratch);
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		count++;
		if (visit && visit(scratch_path(entry->d_name)))
			die(entry->d_name);
	}
	(void)closedir(dir);
	return count;
}

unsigned int
scratch_entries(void)
{
	return scratch_each(NULL);
}

void
scratch_remove(void)
{
	(void)scratch_each(remove);
	if (rmdir(scratch))
		die(scratch);
}

struct blob
blob_read(const char *path)
{
	FILE *stream = fopen(path, "r");
	struct blob blob;
	long len;

	if (!stream || fseek(stream, 0, SEEK_END) || (len = ftell(stream)) < 0)
		die(path);
	rewind(stream);
	blob.len = (size_t)len;
	blob.data = malloc(blob.len + 1);
	if (!blob.data || fread(blob.data, 1, blob.len, stream) != blob.len)
		die(path);
	(void)fclose(stream);
	return blob;
}

struct blob
blob_gunzip(const char *path)
{
	enum { MOST = 1 << 20 };
	struct blob blob = { .data = malloc(MOST) };
	char line[256];
	FILE *stream;

	(void)snprintf(line, sizeof(line), "gzip -dc '%s'", path);
	stream = popen(line, "r");
	if (!blob.data || !stream)
		die(path);
	blob.len = fread(blob.data, 1, MOST, stream);
	if (pclose(stream) || blob.len == MOST)
		die(path);
	return blob;
}

struct blob
blob_copy(const void *data, size_t len)
{
	struct blob blob = { .data = malloc(len + 1), .len = len };

	if (!blob.data)
		die("malloc");
	memcpy(blob.data, data, len);
	return blob;
}

/* Writes in place, so that mode and inode do not change. */
void
blob_write(const char *path, const void *data, size_t len)
{
	FILE *stream = fopen(path, "w");

	if (!stream || (len && fwrite(data, 1, len, stream) != len) ||
	    fclose(stream))
		die(path);
}

void
blob_free(struct blob *blob)
{
	free(blob->data);
	*blob = (struct blob){ .data = NULL };
}

bool
blob_equal(const struct blob *blob, const void *data, size_t len)
{
	return blob->len == len && !memcmp(blob->data, data, len);
}

/*
 * Returns true if this call must fail. FAULT_EINTR and FAULT_SHORT hit only
 * calls that can be interrupted or shortened.
 */
static bool
hit(enum fault_call call, bool interruptible, bool divisible)
{
	if (fault.only != CALL_ANY && fault.only != call)
		return false;
	fault.calls++;
	if (fault.kind == FAULT_EINTR && !interruptible)
		return false;
	if ((fault.kind == FAULT_TORN || fault.kind == FAULT_SHORT) &&
	    !divisible)
		return false;
	if (fault.calls != fault.nth &&
	    !(fault.persistent && fault.nth && fault.calls > fault.nth))
		return false;
	fault.hits++;
	errno = fault.kind == FAULT_EINTR ? EINTR : fault.error;
	return true;
}

static int
faulty_open(const char *path, int flags, mode_t mode)
{
	return hit(CALL_OPEN, true, false) ? -1 :
					     sys_kernel.open(path, flags, mode);
}

static int
faulty_close(int fd)
{
	int rc = close(fd);

	return hit(CALL_OTHER, false, false) ? -1 : rc;
}

static ssize_t
faulty_pread(int fd, void *buf, size_t len, off_t off)
{
	bool half = fault.kind == FAULT_SHORT;

	if (!hit(CALL_OTHER, true, half))
		return pread(fd, buf, len, off);
	return half ? pread(fd, buf, len / 2 + 1, off) : -1;
}

static ssize_t
faulty_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	ssize_t n;

	if (!hit(CALL_WRITE, true, true))
		return pwrite(fd, buf, len, off);
	if (fault.kind != FAULT_TORN && fault.kind != FAULT_SHORT)
		return -1;
	n = pwrite(fd, buf, len / 2 + 1, off);
	if (fault.kind == FAULT_TORN) {
		fault.kind = FAULT_ERROR;
		fault.nth = fault.calls + 1;
	}
	return n;
}

static int
faulty_fdatasync(int fd)
{
	(void)fd;
	fault.syncs++;
	return hit(CALL_SYNC, false, false) ? -1 : 0;
}

static int
faulty_fsync(int fd)
{
	(void)fd;
	fault.syncs++;
	return hit(CALL_SYNC_DIRECTORY, false, false) ? -1 : 0;
}

static int
faulty_ftruncate(int fd, off_t len)
{
	return hit(CALL_OTHER, true, false) ? -1 : ftruncate(fd, len);
}

static int
faulty_fstat(int fd, struct stat *st)
{
	return hit(CALL_OTHER, false, false) ? -1 : fstat(fd, st);
}

static off_t
faulty_lseek(int fd, off_t off, int whence)
{
	return hit(CALL_OTHER, false, false) ? -1 : lseek(fd, off, whence);
}

static int
faulty_fchmod(int fd, mode_t mode)
{
	return hit(CALL_OTHER, false, false) ? -1 : fchmod(fd, mode);
}

static int
faulty_fchown(int fd, uid_t owner, gid_t group)
{
	return hit(CALL_OTHER, false, false) ? -1 : fchown(fd, owner, group);
}

static int
faulty_rename(const char *from, const char *to, unsigned int flags)
{
	if (hit(flags ? CALL_OTHER : CALL_RENAME, false, false))
		return -1;
	return sys_kernel.rename(from, to, flags);
}

static int
faulty_unlink(const char *path)
{
	return hit(CALL_UNLINK, false, false) ? -1 : unlink(path);
}

static int
faulty_lock(int fd, int cmd, struct flock *lock)
{
	return hit(CALL_OTHER, false, false) ? -1 :
					       sys_kernel.lock(fd, cmd, lock);
}

static int
unsynced(int fd)
{
	(void)fd;
	return 0;
}

static int
kernel_open(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

static int
kernel_lock(int fd, int cmd, struct flock *lock)
{
	return fcntl(fd, cmd, lock);
}

const struct sys sys_faulty = {
	.open = faulty_open,
	.close = faulty_close,
	.pread = faulty_pread,
	.pwrite = faulty_pwrite,
	.fdatasync = faulty_fdatasync,
	.fsync = faulty_fsync,
	.ftruncate = faulty_ftruncate,
	.fstat = faulty_fstat,
	.lseek = faulty_lseek,
	.fchmod = faulty_fchmod,
	.fchown = faulty_fchown,
	.rename = faulty_rename,
	.unlink = faulty_unlink,
	.lock = faulty_lock,
	.fadvise = posix_fadvise,
	.reserved = sys_reserved,
};

static int
kernel_rename(const char *from, const char *to, unsigned int flags)
{
	return sys_kernel.rename(from, to, flags);
}

const struct sys sys_unsynced = {
	.open = kernel_open,
	.close = close,
	.pread = pread,
	.pwrite = pwrite,
	.fdatasync = unsynced,
	.fsync = unsynced,
	.ftruncate = ftruncate,
	.fstat = fstat,
	.lseek = lseek,
	.fchmod = fchmod,
	.fchown = fchown,
	.rename = kernel_rename,
	.unlink = unlink,
	.lock = kernel_lock,
	.fadvise = posix_fadvise,
	.reserved = sys_reserved,
};

/* The functions below replace those of the C library in each test program. */

int
clock_gettime(clockid_t id, struct timespec *now)
{
	if (id != CLOCK_REALTIME || !fake_clock)
		return (int)syscall(SYS_clock_gettime, id, now);
	now->tv_sec = (time_t)(fake_clock / 1000000000u);
	now->tv_nsec = (long)(fake_clock % 1000000000u);
	return fake_clock == CLOCK_BROKEN ? -1 : 0;
}

ssize_t
getrandom(void *buf, size_t len, unsigned int flags)
{
	if (no_random) {
		errno = ENOSYS;
		return -1;
	}
	return syscall(SYS_getrandom, buf, len, flags);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||     \
	__has_feature(thread_sanitizer)
#define OWN_ALLOCATOR
#endif
#endif

#if !defined(__GLIBC__) || defined(__SANITIZE_ADDRESS__) ||                    \
	defined(__SANITIZE_THREAD__) || defined(OWN_ALLOCATOR)
bool
memory_can_fail(void)
{
	return false;
}
#else
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

bool
memory_can_fail(void)
{
	return true;
}

static bool
memory_fails(void)
{
	if (!memory_fault.nth || ++memory_fault.calls != memory_fault.nth)
		return false;
	memory_fault.hits++;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t size)
{
	return memory_fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return memory_fails() ? NULL : __libc_calloc(count, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return memory_fails() ? NULL : __libc_memalign(alignment, size);
}
#endif
