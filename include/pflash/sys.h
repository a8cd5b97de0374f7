/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls of the store as a table, so that a test can make the Nth
 * call fail, transfer fewer bytes, or be recorded.  Each member behaves like
 * the system call of its name: meaning, result and errno.
 */
#ifndef PFLASH_SYS_H
#define PFLASH_SYS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

struct sys {
	int (*open)(const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	ssize_t (*pread)(int fd, void *buf, size_t len, off_t off);
	ssize_t (*pwrite)(int fd, const void *buf, size_t len, off_t off);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
	int (*ftruncate)(int fd, off_t len);
	int (*fstat)(int fd, struct stat *st);
	off_t (*lseek)(int fd, off_t off, int whence);
	int (*fchmod)(int fd, mode_t mode);
	int (*fchown)(int fd, uid_t owner, gid_t group);
	/*
	 * renameat2(2) without the directories; `flags` is 0 or
	 * RENAME_NOREPLACE.  It works also on file systems without
	 * RENAME_NOREPLACE (NFS).
	 */
	int (*rename)(const char *from, const char *to, unsigned int flags);
	int (*unlink)(const char *path);
	/* fcntl(2) with F_OFD_SETLK or F_OFD_GETLK */
	int (*lock)(int fd, int cmd, struct flock *lock);
	/* Of block devices only: posix_fadvise(2), and sys_reserved(). */
	int (*fadvise)(int fd, off_t off, off_t len, int advice);
	bool (*reserved)(int fd);
};

/*
 * Finds the process that has a lock on the file `fd`, by /proc.  Returns its
 * pid and copies its command line to `command`, `room` bytes; 0: not found.  If
 * the parent of that process runs the same program, the parent is returned: a
 * worker has the lock, and its supervisor is the process to signal.
 */
int sys_find_holder(int fd, char *command, size_t room);

/* The room for the name of a host: its last 11 characters and the '\0'. */
#define SYS_HOST_NAME 12

/*
 * Finds the other host that has a lock on the file `fd`, on a file system of
 * both.  False: this host has the lock, nobody has, or the lock names no host.
 */
bool sys_find_host(int fd, char name[SYS_HOST_NAME]);

/*
 * Learns the name of this host, for the locks of this process.  Only a process
 * that may not call uname(2) later needs to call it.
 */
void sys_learn_host(void);

/*
 * True if the device `fd` has a persistent reservation of SCSI-3, and this host
 * is not registered, so that all its writes would fail.  False also if the
 * device does not say: it is no SCSI disk, or the process lacks CAP_SYS_RAWIO.
 */
bool sys_reserved(int fd);

/* The table of the real system calls. */
extern const struct sys sys_kernel;

#endif
