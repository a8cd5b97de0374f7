/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls the store makes, as a table, so that a test can fail,
 * shorten or record the Nth one.  Each member has the meaning, the results and
 * the errno of the call it is named after.
 */
#ifndef PFLASH_SYS_H
#define PFLASH_SYS_H

#include <fcntl.h>
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
	 * renameat2(2) without the directories; `flags` is 0, or
	 * RENAME_NOREPLACE, which works on every file system.
	 */
	int (*rename)(const char *from, const char *to, unsigned int flags);
	int (*unlink)(const char *path);
	/* fcntl(2), F_OFD_SETLK and F_OFD_GETLK */
	int (*lock)(int fd, int cmd, struct flock *lock);
};

/*
 * The process that has a lock on this file, and its command line; 0 if that
 * cannot be told.  Of a program's process that works for another one of the
 * same program, its parent, that other one is named: it is the one to signal.
 */
int sys_find_holder(int fd, char *command, size_t room);

/* The kernel's own calls. */
extern const struct sys sys_kernel;

#endif
