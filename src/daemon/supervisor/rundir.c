/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pflash/control.h"
#include "pflash/handover.h"

#define WAIT_MIN 1 /* seconds: the last pflashd may be about to exit */
#define STEP_NS 20000000L

void
rundir_path(uint32_t id, const char *suffix, char *path)
{
	(void)snprintf(path, RUNDIR_PATH, PFLASH_RUN_DIR "/%" PRIu32 ".%s", id,
		       suffix);
}

static void
remove_file(uint32_t id, const char *suffix)
{
	char path[RUNDIR_PATH];

	rundir_path(id, suffix, path);
	(void)unlink(path);
}

/*
 * Returns the locked descriptor or -errno.  -EAGAIN: another process has the
 * lock, or has removed the file since open(2).
 */
static int
lock_once(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		      S_IRUSR | S_IWUSR);
	struct stat st;
	int ret = fd < 0 ? -errno : 0;

	if (ret == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		ret = -errno; /* EWOULDBLOCK is EAGAIN */
	if (ret == 0 && fstat(fd, &st) < 0)
		ret = -errno;
	if (ret == 0 && st.st_nlink == 0)
		ret = -EAGAIN;
	if (ret == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return ret;
}

/* Tries lock_once() for `wait` seconds, at least WAIT_MIN. */
static int
lock(const char *path, uint64_t wait, struct error *err)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	uint64_t tries = (wait > WAIT_MIN ? wait : WAIT_MIN) *
			 (1000000000u / STEP_NS);
	int fd = lock_once(path);

	while (fd == -EAGAIN && tries-- > 0) {
		(void)nanosleep(&step, NULL);
		fd = lock_once(path);
	}
	if (fd == -EAGAIN)
		return error_set(err, EBUSY,
				 "the guest has a flash already: another "
				 "pflashd holds %s",
				 path);
	return fd < 0 ? error_errno(err, -fd, "%s", path) : fd;
}

/* Is `fd` the lock at `path`, inherited from the program before execve(2)? */
static bool
is_locked(int fd, const char *path)
{
	struct stat mine, named;

	return fd >= 0 && fstat(fd, &mine) == 0 && stat(path, &named) == 0 &&
	       mine.st_dev == named.st_dev && mine.st_ino == named.st_ino &&
	       flock(fd, LOCK_EX | LOCK_NB) == 0 &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

int
rundir_open(struct rundir *rundir, uint32_t id, int inherited, uint64_t wait,
	    struct error *err)
{
	char path[RUNDIR_PATH];

	*rundir = (struct rundir){ .id = id, .lock = -1 };
	rundir_path(id, "lock", path);
	rundir->lock = is_locked(inherited, path) ? inherited :
						    lock(path, wait, err);
	if (rundir->lock < 0)
		return rundir->lock;
	rundir_path(id, "handover", path);
	rundir->had_record = access(path, F_OK) == 0;
	return 0;
}

static void
unmap(struct rundir *rundir)
{
	if (rundir->record)
		(void)munmap(rundir->record, HANDOVER_SIZE);
	if (rundir->old_record)
		(void)munmap(rundir->old_record, rundir->old_record_size);
	rundir->record = rundir->old_record = NULL;
	rundir->old_record_size = 0;
}

void
rundir_close(struct rundir *rundir, bool flash_gone)
{
	if (rundir->lock < 0)
		return;
	unmap(rundir);
	remove_file(rundir->id, "handover.new");
	if (flash_gone)
		remove_file(rundir->id, "handover");
	if (flash_gone || !rundir_paused(rundir))
		remove_file(rundir->id, "lock");
	close(rundir->lock);
	rundir->lock = -1;
}

/* NULL, with the reason in *why: there is no room for the record. */
static void *
map_new(const char *path, struct error *why)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		      S_IRUSR | S_IWUSR);
	void *memory = MAP_FAILED;
	/* Allocate now: a store to a page without room is a SIGBUS. */
	int error = fd < 0 ? errno : posix_fallocate(fd, 0, HANDOVER_SIZE);

	if (!error) {
		memory = mmap(NULL, HANDOVER_SIZE, PROT_READ | PROT_WRITE,
			      MAP_SHARED, fd, 0);
		error = memory == MAP_FAILED ? errno : 0;
	}
	if (fd >= 0)
		close(fd);
	if (!error)
		return memory;
	(void)unlink(path);
	error_errno(why, error, "%s", path);
	return NULL;
}

/* Maps the record of the worker before, if there is one. */
static int
map_old_record(struct rundir *rundir, const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	void *memory = NULL;
	struct stat st;
	int ret = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 :
					 error_errno(err, errno, "%s", path);
	if (fstat(fd, &st) < 0)
		ret = error_errno(err, errno, "%s", path);
	else if (st.st_size > HANDOVER_MOST)
		ret = error_set(err, EINVAL,
				"%s: %jd bytes are too many for a handover "
				"record",
				path, (intmax_t)st.st_size);
	else if (st.st_size > 0)
		memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED,
			      fd, 0);
	if (memory == MAP_FAILED)
		ret = error_errno(err, errno, "%s", path);
	close(fd);
	if (ret == 0 && memory) {
		rundir->old_record = memory;
		rundir->old_record_size = (size_t)st.st_size;
	}
	return ret;
}

int
rundir_prepare(struct rundir *rundir, struct error *why)
{
	char path[RUNDIR_PATH], older[RUNDIR_PATH];
	int ret;

	unmap(rundir);
	rundir_path(rundir->id, "handover", path);
	rundir_path(rundir->id, "live", older); /* the name in version 0.1 */
	ret = map_old_record(rundir, access(path, F_OK) == 0 ? path : older,
			     why);
	if (ret < 0)
		return ret;
	remove_file(rundir->id, "handover.new");
	rundir_path(rundir->id, "handover.new", path);
	rundir->record = map_new(path, why);
	return 0;
}

int
rundir_install(struct rundir *rundir)
{
	char from[RUNDIR_PATH], to[RUNDIR_PATH];

	rundir_path(rundir->id, "handover.new", from);
	rundir_path(rundir->id, "handover", to);
	if (rename(from, to) < 0)
		return -errno;
	remove_file(rundir->id, "live");
	return 0;
}

void
rundir_remove_record(const struct rundir *rundir)
{
	remove_file(rundir->id, "handover");
	remove_file(rundir->id, "live");
}

bool
rundir_paused(const struct rundir *rundir)
{
	uint8_t paused = 0;

	return pread(rundir->lock, &paused, 1, 0) == 1 && paused;
}

int
rundir_set_paused(struct rundir *rundir, bool paused)
{
	const uint8_t byte = paused;

	return pwrite(rundir->lock, &byte, 1, 0) == 1 ? 0 : -EIO;
}

/* false: there is no VARS file. */
static bool
level_path(const char *vars, char *path)
{
	struct stat st;

	if (stat(vars, &st) < 0)
		return false;
	(void)snprintf(path, RUNDIR_PATH, PFLASH_RUN_DIR "/%jx-%jx.limit",
		       (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return true;
}

bool
rundir_load_level(const char *vars, struct limit_level *level)
{
	char path[RUNDIR_PATH];
	FILE *file = level_path(vars, path) ? fopen(path, "re") : NULL;
	bool read = file &&
		    fscanf(file, "%lf %lf", &level->units, &level->when) == 2;

	if (file)
		(void)fclose(file);
	return read;
}

void
rundir_save_level(const char *vars, const struct limit_level *level, bool full)
{
	char path[RUNDIR_PATH];
	FILE *file;

	if (!level_path(vars, path))
		return;
	(void)unlink(path);
	file = full ? NULL : fopen(path, "wxe");
	if (!file)
		return;
	(void)fprintf(file, "%.0f %.3f\n", level->units, level->when);
	(void)fclose(file);
}
