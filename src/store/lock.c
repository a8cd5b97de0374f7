/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * F_OFD_GETLK does not return the process that holds a lock (l_pid is -1).  A
 * process with enough privilege finds it in /proc/PID/fdinfo/FD:
 *	lock:	1: OFDLCK  ADVISORY  WRITE -1 fe:00:1234 0 EOF
 * with the device in hexadecimal and the inode number (proc(5)).
 */
#include "lock.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>

/* With the '\0'.  Names have 15 characters, which /proc escapes. */
#define PROCESS_NAME 64

#define LOCK_TRIES 50 /* 5 seconds */
#define LOCK_PAUSE 100000000L

/*
 * A lock is longer than any file, and its length names the host, because that
 * is all that a server of NFS says of it: NAMED + LONGER, if characters are
 * missing at the start of the name, + the characters as digits.
 */
#define NAMED (INT64_C(1) << 62)
#define LONGER (INT64_C(1) << 58)

/* A digit is the place of the character, 1 the first; 0: the name has ended. */
static const char characters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

#define BASE ((int64_t)sizeof(characters))

static bool
file_has_line(const char *path, const char *inode)
{
	FILE *stream = fopen(path, "re");
	char line[256];
	bool found = false;

	if (!stream)
		return false;
	while (!found && fgets(line, sizeof(line), stream))
		found = !strncmp(line, "lock:", 5) &&
			strstr(line, " OFDLCK ") && strstr(line, inode);
	(void)fclose(stream);
	return found;
}

static bool
process_holds(const char *pid, const char *inode)
{
	char path[640];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%s/fdinfo", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		(void)snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid,
			       entry->d_name);
		found = file_has_line(path, inode);
	}
	(void)closedir(dir);
	return found;
}

/* The id of the process that holds a lock on the inode, or 0. */
static int
find_holder(const char *inode)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int pid = 0;

	if (!proc)
		return 0;
	while (!pid && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    process_holds(entry->d_name, inode))
			pid = atoi(entry->d_name);
	(void)closedir(proc);
	return pid;
}

/* The command line of `pid`, which names the guest; "?" if unreadable. */
static void
read_command(int pid, char *command, size_t room)
{
	char path[64];
	FILE *stream;
	size_t len = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	stream = fopen(path, "re");
	if (stream) {
		len = fread(command, 1, room - 1, stream);
		(void)fclose(stream);
	}
	for (size_t i = 0; i < len; i++)
		if (!isprint((unsigned char)command[i]))
			command[i] = ' ';
	while (len && command[len - 1] == ' ')
		len--;
	command[len] = '\0';
	if (!len)
		(void)snprintf(command, room, "?");
}

/* The name and the parent of process `pid`, from /proc; false: unknown. */
static bool
read_status(int pid, char name[PROCESS_NAME], int *parent)
{
	char path[64], line[256];
	bool named = false;
	FILE *stream;

	*parent = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	stream = fopen(path, "re");
	if (!stream)
		return false;
	while (*parent == 0 && fgets(line, sizeof(line), stream)) {
		named |= sscanf(line, "Name:\t%63[^\n]", name) == 1;
		(void)sscanf(line, "PPid:\t%d", parent);
	}
	(void)fclose(stream);
	return named;
}

/*
 * The supervisor, if `pid` is its worker; otherwise `pid`.  Both processes have
 * the same name.
 */
static int
find_supervisor(int pid)
{
	char name[PROCESS_NAME], other[PROCESS_NAME];
	int parent, unused;

	return read_status(pid, name, &parent) && parent > 0 &&
			       read_status(parent, other, &unused) &&
			       strcmp(name, other) == 0 ?
		       parent :
		       pid;
}

int
lock_name_process(int pid, char *command, size_t room)
{
	pid = find_supervisor(pid);
	read_command(pid, command, room);
	return pid;
}

int
sys_find_holder(int fd, char *command, size_t room)
{
	char inode[64];
	struct stat st;
	int pid;

	if (sys_kernel.fstat(fd, &st) < 0)
		return 0;
	(void)snprintf(inode, sizeof(inode), " %02x:%02x:%ju ",
		       major(st.st_dev), minor(st.st_dev),
		       (uintmax_t)st.st_ino);
	pid = find_holder(inode);
	return pid ? lock_name_process(pid, command, room) : 0;
}

static int64_t
digit_of(char c)
{
	const char *at = strchr(characters, tolower((unsigned char)c));

	return (at && *at ? at - characters : BASE - 2) + 1;
}

/* The length of the locks of the host `name`. */
static int64_t
length_of_host(const char *name)
{
	size_t len = strcspn(name, "."), most = SYS_HOST_NAME - 1;
	size_t skipped = len > most ? len - most : 0;
	int64_t number = 0;

	for (size_t i = 0; i < most; i++)
		number = number * BASE +
			 (skipped + i < len ? digit_of(name[skipped + i]) : 0);
	return NAMED + (skipped ? LONGER : 0) + number;
}

/* The length of the locks of this host. */
static int64_t
own_length(void)
{
	static int64_t length;
	struct utsname names;

	if (!length)
		length = length_of_host(uname(&names) == 0 ? names.nodename :
							     "");
	return length;
}

void
sys_learn_host(void)
{
	(void)own_length();
}

/* False: a lock of this length names no host. */
static bool
read_host(int64_t length, char name[SYS_HOST_NAME])
{
	int64_t number = length & (LONGER - 1);

	memset(name, 0, SYS_HOST_NAME);
	for (size_t i = SYS_HOST_NAME - 1; i > 0; i--, number /= BASE)
		if (number % BASE)
			name[i - 1] = characters[number % BASE - 1];
	return length >= NAMED && number == 0 && name[0];
}

static bool
find_host(const struct sys *sys, int fd, char name[SYS_HOST_NAME])
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return sys->lock(fd, F_OFD_GETLK, &lock) == 0 &&
	       lock.l_type != F_UNLCK && lock.l_len != own_length() &&
	       read_host(lock.l_len, name);
}

bool
sys_find_host(int fd, char name[SYS_HOST_NAME])
{
	return find_host(&sys_kernel, fd, name);
}

/*
 * The lock of another host that shares the file system has no process in /proc,
 * nor has one of a process whose fdinfo this user may not read.
 */
static int
report_holder(const struct file *file, const struct files *files,
	      struct error *err)
{
	char command[96], host[SYS_HOST_NAME];
	int pid;

	if (find_host(file->sys, file->fd, host))
		return error_set(err, EBUSY,
				 "%s: in use by a process on the host %s",
				 file->path, host);
	if (!files->ops->holder)
		return error_set(err, EBUSY, "%s: in use by another process",
				 file->path);
	pid = files->ops->holder(file->fd, command, sizeof(command));
	if (pid)
		return error_set(err, EBUSY, "%s: in use by pid %d (%s)",
				 file->path, pid, command);
	return error_set(err, EBUSY,
			 "%s: in use by another process, which /proc of this "
			 "host does not show: if hosts share the file, end its "
			 "user on the other host; else look for it as root",
			 file->path);
}

/* ENOLCK: the kernel's table of locks is full, or NFS has no lock service. */
static int
report_failure(const struct file *file, int error, struct error *err)
{
	if (error != ENOLCK)
		return error_errno(err, error, "%s: lock", file->path);
	return error_set(
		err, ENOLCK,
		"%s: cannot be locked (%s): on NFS the lock service of "
		"client or server does not answer: start rpc.statd, or "
		"mount with vers=4.2; without locks two hosts could "
		"write the file",
		file->path, strerror(error));
}

/* Returns the resulting type, or 0 for F_OFD_SETLK; -1 with errno. */
static int
lock_range(const struct file *file, int cmd, short type)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)file->place.base,
		.l_len = file->place.room ? (off_t)file->place.room :
					    own_length(),
	};
	int rc = file->sys->lock(file->fd, cmd, &lock);

	return rc < 0 || cmd == F_OFD_SETLK ? rc : lock.l_type;
}

/* EINTR: a signal arrived while the server of a network file system decided. */
int
lock_file(const struct file *file, const struct files *files, short type,
	  struct error *err)
{
	int rc;

	do
		rc = lock_range(file, F_OFD_SETLK, type);
	while (rc < 0 && errno == EINTR);
	if (!rc)
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return report_failure(file, errno, err);
	return report_holder(file, files, err);
}

bool
lock_is_held(const struct file *file)
{
	return lock_range(file, F_OFD_GETLK, F_WRLCK) != F_UNLCK;
}

/* Other processes have these locks only for some milliseconds. */
int
lock_patiently(const struct file *file, const struct files *files, short type,
	       struct error *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (lock_range(file, F_OFD_SETLK, type) == 0)
			return 0;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			break;
		(void)nanosleep(&pause, NULL);
	}
	return lock_file(file, files, type, err);
}
