/* SPDX-License-Identifier: BSD-2-Clause */
#include "hold.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "domain.h"
#include "files.h"

#define WAIT 300  /* seconds from `start begin` to the new domain */
#define STEP 1000 /* milliseconds until the process looks at its file again */
#define TAKE 200  /* attempts to lock the file, each TAKE_NS after the other */
#define TAKE_NS 50000000

/* --- the process that waits --- */

static time_t
now(void)
{
	struct timespec time = { 0, 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

/* The start was given up, or another one has begun. */
static bool
is_removed(int record)
{
	struct stat st;

	return fstat(record, &st) < 0 || st.st_nlink == 0;
}

/* 1: the domain is there; 0: it will not come; or -errno with a sentence. */
static int
wait_for_domain(struct watch *watch, int record, const char *uuid, int seconds,
		uint32_t *id, struct error *err)
{
	time_t end = now() + seconds;
	int found = 0;

	while (found == 0 && now() < end && !is_removed(record))
		found = watch_find(watch, uuid, STEP, id, err);
	return found;
}

/*
 * If there is no room for the id, or nobody will read it, the pause ends here.
 */
static void
pause_and_note(int record, uint32_t id)
{
	struct error err;

	if (domain_pause(id, &err) < 0)
		(void)dprintf(record, "%s\n", err.text);
	else if (is_removed(record) || dprintf(record, "%" PRIu32 "\n", id) < 0)
		(void)domain_unpause(id, &err);
}

void
hold_wait(int record, const char *uuid, int seconds,
	  void (*ready)(void *opaque, const char *sentence), void *opaque)
{
	struct watch *watch;
	struct error err;
	uint32_t id;
	int ret;

	if (watch_open(&watch, &err) < 0) {
		ready(opaque, err.text);
		return;
	}
	ready(opaque, "");
	ret = wait_for_domain(watch, record, uuid, seconds, &id, &err);
	if (ret > 0)
		pause_and_note(record, id);
	else if (ret < 0)
		(void)dprintf(record, "%s\n", err.text);
	watch_close(watch);
}

/* --- its start --- */

/* libvirt waits until the hook's standard output and error are closed. */
static void
become_daemon(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	if (null > STDERR_FILENO)
		(void)close(null);
	(void)setsid();
}

static void
report_ready(void *opaque, const char *sentence)
{
	const int *pipe_end = opaque;

	(void)dprintf(*pipe_end, "%s\n", sentence);
	(void)close(*pipe_end);
	if (!*sentence)
		become_daemon();
}

/* The line of report_ready(); without a line the process has died. */
static int
read_report(int fd, struct error *err)
{
	char line[sizeof(err->text)];
	FILE *file = fdopen(fd, "r");

	if (!file) {
		(void)close(fd);
		return error_set(err, ENOMEM, "out of memory");
	}
	if (!fgets(line, sizeof(line), file))
		strcpy(line, "the process that holds the guest has ended\n");
	(void)fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return *line ? error_set(err, ECANCELED, "%s", line) : 0;
}

static int
start_process(int record, const char *uuid, struct error *err)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, errno, "pipe");
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		(void)signal(SIGPIPE, SIG_IGN);
		hold_wait(record, uuid, WAIT, report_ready, &ends[1]);
		_exit(0);
	}
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return error_errno(err, errno, "fork");
	}
	return read_report(ends[0], err);
}

/* The lock belongs to the open file, and so to the process that inherits it. */
static int
make_record(const char *path, struct error *err)
{
	int fd;

	(void)unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		  S_IRUSR | S_IWUSR);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
		error_errno(err, errno, "%s", path);
		if (fd >= 0)
			(void)close(fd);
		return -EIO;
	}
	return fd;
}

int
hold_begin(const char *uuid, struct error *err)
{
	char path[PATH_MAX];
	int ret = files_prepare(err), record;

	if (ret < 0)
		return ret;
	files_path(uuid, FILES_HOLD, path);
	record = make_record(path, err);
	if (record < 0)
		return record;
	ret = start_process(record, uuid, err);
	(void)close(record);
	if (ret < 0)
		(void)unlink(path);
	return ret;
}

/* --- its end --- */

static int
lock_record(int fd)
{
	const struct timespec step = { .tv_nsec = TAKE_NS };

	for (int i = 0; i < TAKE; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		(void)nanosleep(&step, NULL);
	}
	return -ETIMEDOUT;
}

static int
read_record(int fd, uint32_t *id, struct error *err)
{
	char text[sizeof(err->text)] = "";
	ssize_t len = read(fd, text, sizeof(text) - 1);
	int used = 0;

	if (len <= 0)
		return error_set(err, ECANCELED,
				 "the process that holds the guest has ended "
				 "too early");
	if (sscanf(text, "%" SCNu32 "%n", id, &used) == 1 && text[used] == '\n')
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return error_set(err, ECANCELED, "the guest could not be held: %s",
			 text);
}

int
hold_take(const char *uuid, uint32_t *id, struct error *err)
{
	char path[PATH_MAX];
	int fd, ret;

	files_path(uuid, FILES_HOLD, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_errno(err, errno,
				   "the guest was not held at its creation: %s",
				   path);
	ret = lock_record(fd);
	ret = ret < 0 ? error_set(err, -ret,
				  "the guest was not held: the process that "
				  "waits for it has not found it") :
			read_record(fd, id, err);
	(void)unlink(path);
	(void)close(fd);
	return ret;
}
