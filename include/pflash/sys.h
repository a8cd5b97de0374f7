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
	int (*rename)(const char *from, const char *to);
	/* renameat2(2) with RENAME_NOREPLACE */
	int (*rename_new)(const char *from, const char *to);
	int (*unlink)(const char *path);
	char *(*realpath)(const char *path, char *resolved);
	/* fcntl(2), F_OFD_SETLK and F_OFD_GETLK */
	int (*lock)(int fd, int cmd, struct flock *lock);
	/* No system call: see sys_find_holder(). */
	int (*holder)(int fd, char *command, size_t room);
};

/*
 * The process that has a lock on this file, and its command line; 0: who
 * knows.
 */
int sys_find_holder(int fd, char *command, size_t room);

/* The kernel's own calls. */
extern const struct sys sys_kernel;

#endif
