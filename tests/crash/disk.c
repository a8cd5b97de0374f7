/* SPDX-License-Identifier: BSD-2-Clause */
#include "disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_FD 100

struct machine machine;

static void
need(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "the simulated disk: %s\n", what);
	exit(2);
}

static void
reserve(struct bytes *bytes, size_t room)
{
	if (room <= bytes->room)
		return;
	bytes->room = room + room / 2 + 4096;
	bytes->data = realloc(bytes->data, bytes->room);
	need(bytes->data, "out of memory");
}

void
bytes_resize(struct bytes *bytes, size_t len)
{
	reserve(bytes, len);
	if (len > bytes->len)
		memset(bytes->data + bytes->len, 0, len - bytes->len);
	bytes->len = len;
}

void
bytes_write(struct bytes *bytes, size_t off, const void *data, size_t len)
{
	if (!len)
		return;
	if (off > bytes->len)
		bytes_resize(bytes, off);
	reserve(bytes, off + len);
	memcpy(bytes->data + off, data, len);
	if (off + len > bytes->len)
		bytes->len = off + len;
}

void
bytes_copy(struct bytes *to, const struct bytes *from)
{
	to->len = 0;
	bytes_write(to, 0, from->data, from->len);
}

void
bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ .data = NULL };
}

void
disk_clear(struct disk *disk)
{
	disk->inodes = disk->entries = 0;
	disk->stale.len = 0;
}

void
disk_copy(struct disk *to, const struct disk *from)
{
	for (int i = 0; i < from->inodes; i++)
		bytes_copy(&to->inode[i], &from->inode[i]);
	to->inodes = from->inodes;
	memcpy(to->entry, from->entry,
	       sizeof(from->entry[0]) * (size_t)from->entries);
	to->entries = from->entries;
	bytes_copy(&to->stale, &from->stale);
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *
disk_name(const char *path)
{
	const char *base = base_name(path);
	size_t len = strlen(SECOND);

	return (size_t)(base - path) >= len &&
			       memcmp(base - len, SECOND, len) == 0 ?
		       base - len :
		       base;
}

int
disk_directory(const char *name)
{
	return strncmp(name, SECOND, strlen(SECOND)) == 0;
}

static int
find_entry(const struct disk *disk, const char *name)
{
	for (int i = 0; i < disk->entries; i++)
		if (!strcmp(disk->entry[i].name, name))
			return i;
	return -1;
}

int
disk_find(const struct disk *disk, const char *name)
{
	int i = find_entry(disk, name);

	return i < 0 ? -1 : disk->entry[i].inode;
}

/*
 * Growing files may get the blocks of removed files, with their old contents.
 */
static void
leave_stale(struct disk *disk, int inode)
{
	bytes_write(&disk->stale, 0, disk->inode[inode].data,
		    disk->inode[inode].len);
}

void
disk_link(struct disk *disk, const char *name, int inode)
{
	int i = find_entry(disk, name);

	while (disk->inodes <= inode) {
		need(disk->inodes < MAX_INODES, "too many files");
		disk->inode[disk->inodes++].len = 0;
	}
	if (i < 0) {
		need(disk->entries < MAX_ENTRIES, "too many names");
		i = disk->entries++;
		(void)snprintf(disk->entry[i].name, NAME_SIZE, "%s", name);
	} else if (disk->entry[i].inode != inode) {
		leave_stale(disk, disk->entry[i].inode);
	}
	disk->entry[i].inode = inode;
}

static void
remove_entry(struct disk *disk, int i)
{
	disk->entry[i] = disk->entry[--disk->entries];
}

void
disk_unlink(struct disk *disk, const char *name)
{
	int i = find_entry(disk, name);

	if (i < 0)
		return;
	leave_stale(disk, disk->entry[i].inode);
	remove_entry(disk, i);
}

void
disk_rename(struct disk *disk, const char *from, const char *to)
{
	int inode = disk_find(disk, from);

	if (inode < 0)
		return;
	disk_link(disk, to, inode);
	remove_entry(disk, find_entry(disk, from));
}

void
disk_truncate(struct disk *disk, int inode, size_t len)
{
	struct bytes *bytes = &disk->inode[inode];

	if (len < bytes->len)
		bytes_write(&disk->stale, len, bytes->data + len,
			    bytes->len - len);
	bytes_resize(bytes, len);
}

void
machine_start(struct disk *disk, struct log *log, const struct range *may)
{
	machine = (struct machine){
		.disk = disk,
		.log = log,
		.may = may,
		.vars = machine.vars,
		.image = machine.image,
		.hole = machine.hole,
	};
	if (log) {
		log->ops = 0;
		log->data.len = 0;
	}
}

bool
machine_leaks(void)
{
	for (int i = 0; i < MAX_FDS; i++)
		if (machine.fd[i].used)
			return true;
	return false;
}

static struct op *
log_op(enum op_kind kind, int inode)
{
	static struct op nowhere;
	struct log *log = machine.log;
	struct op *op;

	machine.changes += kind != OP_SYNC_DIRECTORY;
	if (!log)
		return &nowhere;
	if (log->ops == log->room) {
		log->room = log->room * 2 + 64;
		log->op = realloc(log->op, log->room * sizeof(log->op[0]));
		need(log->op, "out of memory");
	}
	op = &log->op[log->ops++];
	op->kind = kind;
	op->inode = inode;
	op->len = 0;
	op->name[0] = op->to[0] = '\0';
	op->may = *machine.may;
	if (machine.vars_changed)
		op->may.settled = 0;
	return op;
}

/*
 * EINTR hits only interruptible calls; a short count hits reads and writes
 * only.
 */
static bool
hit(bool interruptible, bool divisible)
{
	struct fault *fault = &machine.fault;

	if (machine.dead) {
		errno = EIO;
		return true;
	}
	fault->calls++;
	if (fault->kind == FAULT_NONE || fault->calls < fault->nth ||
	    (fault->calls > fault->nth && !fault->persistent))
		return false;
	if ((fault->kind == FAULT_SHORT && !divisible) ||
	    (fault->error == EINTR && !interruptible))
		return false;
	if (!fault->hits++)
		fault->hit_at = machine.log ? machine.log->ops : 0;
	if (fault->kind == FAULT_KILL)
		machine.dead = true;
	errno = fault->error;
	return true;
}

static bool
is_vars(int inode)
{
	return inode >= 0 && inode == disk_find(machine.disk, machine.vars);
}

/* The simulated disk does not store the hole of a complete device. */
static size_t
without_hole(int inode, off_t off)
{
	bool behind = machine.image && is_vars(inode) &&
		      (size_t)off >= machine.hole;

	need(!behind || (size_t)off >= machine.hole + DEVICE_HOLE,
	     "an access to the hole of the device");
	return (size_t)off - (behind ? DEVICE_HOLE : 0);
}

/* A change of the content or the name of this file is about to be logged. */
static void
note_change(int inode)
{
	if (is_vars(inode))
		machine.vars_changed = true;
}

static int
fail(int error)
{
	errno = error;
	return -1;
}

static int
new_fd(bool directory, int inode)
{
	for (int i = 0; i < MAX_FDS; i++) {
		if (machine.fd[i].used)
			continue;
		machine.fd[i].used = true;
		machine.fd[i].directory = directory;
		machine.fd[i].inode = inode;
		return FIRST_FD + i;
	}
	return fail(EMFILE);
}

/* The inode of an open file. The store must not use any other descriptor. */
static int
inode_of(int fd)
{
	need(fd >= FIRST_FD && fd < FIRST_FD + MAX_FDS &&
		     machine.fd[fd - FIRST_FD].used &&
		     !machine.fd[fd - FIRST_FD].directory,
	     "the descriptor is not that of an open file");
	return machine.fd[fd - FIRST_FD].inode;
}

static int
machine_open(const char *path, int flags, mode_t mode)
{
	const char *name = disk_name(path);
	struct disk *disk = machine.disk;
	int inode;

	(void)mode;
	if (hit(!machine.fault.persistent, false))
		return -1;
	if (flags & O_DIRECTORY)
		return new_fd(true, !strcmp(base_name(path), "second"));
	inode = disk_find(disk, name);
	if (inode >= 0 && (flags & O_EXCL))
		return fail(EEXIST);
	if (inode < 0) {
		if (!(flags & O_CREAT))
			return fail(ENOENT);
		inode = disk->inodes;
		disk_link(disk, name, inode);
		(void)snprintf(log_op(OP_LINK, inode)->name, NAME_SIZE, "%s",
			       name);
	}
	need(!(flags & O_TRUNC), "O_TRUNC is not simulated");
	return new_fd(false, inode);
}

static int
machine_close(int fd)
{
	machine.fd[fd - FIRST_FD].used = false;
	return hit(false, false) ? -1 : 0;
}

static ssize_t
machine_pread(int fd, void *buf, size_t len, off_t off)
{
	const struct bytes *bytes = &machine.disk->inode[inode_of(fd)];
	size_t n = 0, at = without_hole(inode_of(fd), off);

	if (hit(!machine.fault.persistent, true)) {
		if (machine.fault.kind != FAULT_SHORT)
			return -1;
		len = len / 2 + 1;
	}
	if (at < bytes->len)
		n = bytes->len - at;
	if (n > len)
		n = len;
	memcpy(buf, bytes->data + at, n);
	return (ssize_t)n;
}

static void
do_write(int inode, const void *buf, size_t len, size_t off)
{
	bool image = !machine.image || off < machine.image;
	struct op *op;

	if (image)
		note_change(inode);
	op = log_op(OP_WRITE, inode);
	op->off = off;
	op->len = len;
	if (machine.log) {
		struct bytes *data = &machine.log->data;

		op->data = data->len;
		bytes_write(data, data->len, buf, len);
	}
	if (image && is_vars(inode))
		machine.vars_writes++;
	bytes_write(&machine.disk->inode[inode], off, buf, len);
}

static ssize_t
machine_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	int inode = inode_of(fd);
	bool was_dead = machine.dead;

	if (hit(!machine.fault.persistent, true)) {
		if (machine.fault.kind == FAULT_ERROR || was_dead)
			return -1;
		/*
		 * A process that is killed during a write has written a part.
		 */
		len = len / 2 + 1;
		do_write(inode, buf, len, without_hole(inode, off));
		return machine.dead ? -1 : (ssize_t)len;
	}
	do_write(inode, buf, len, without_hole(inode, off));
	return (ssize_t)len;
}

static bool
may_lose(void)
{
	return machine.fault.lose && !machine.dead;
}

static int
machine_fdatasync(int fd)
{
	int inode = inode_of(fd);

	if (!hit(false, false)) {
		log_op(OP_SYNC, inode);
		return 0;
	}
	if (may_lose())
		log_op(OP_LOSE, inode);
	return -1;
}

static int
machine_fsync(int fd)
{
	if (!machine.fd[fd - FIRST_FD].directory)
		return machine_fdatasync(fd);
	if (hit(false, false))
		return -1;
	log_op(OP_SYNC_DIRECTORY, machine.fd[fd - FIRST_FD].inode);
	return 0;
}

static int
machine_ftruncate(int fd, off_t len)
{
	int inode = inode_of(fd);

	if (hit(!machine.fault.persistent, false))
		return -1;
	note_change(inode);
	if (machine.disk->inode[inode].len != (size_t)len)
		log_op(OP_TRUNCATE, inode)->off = (size_t)len;
	disk_truncate(machine.disk, inode, (size_t)len);
	return 0;
}

static int
machine_fstat(int fd, struct stat *st)
{
	int inode = inode_of(fd);

	if (hit(false, false))
		return -1;
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFREG | 0600;
	st->st_ino = (ino_t)inode;
	st->st_size = (off_t)machine.disk->inode[inode].len;
	if (machine.image && is_vars(inode))
		st->st_size += DEVICE_HOLE;
	for (int i = 0; i < machine.disk->entries; i++)
		st->st_nlink += machine.disk->entry[i].inode == inode;
	return 0;
}

/* The store seeks only for the size of a block device; there is none here. */
static off_t
machine_lseek(int fd, off_t off, int whence)
{
	(void)fd;
	(void)off;
	(void)whence;
	return fail(ESPIPE);
}

static int
machine_fchmod(int fd, mode_t mode)
{
	(void)fd;
	(void)mode;
	return hit(false, false) ? -1 : 0;
}

static int
machine_fchown(int fd, uid_t owner, gid_t group)
{
	(void)fd;
	(void)owner;
	(void)group;
	return hit(false, false) ? -1 : 0;
}

static void
log_names(enum op_kind kind, int inode, const char *name, const char *to)
{
	struct op *op = log_op(kind, inode);

	(void)snprintf(op->name, NAME_SIZE, "%s", name);
	(void)snprintf(op->to, NAME_SIZE, "%s", to);
}

static int
machine_rename(const char *from, const char *to, unsigned int flags)
{
	int inode = disk_find(machine.disk, disk_name(from));
	int target = disk_find(machine.disk, disk_name(to));

	if (hit(false, false))
		return -1;
	if ((flags & RENAME_NOREPLACE) && target >= 0)
		return fail(EEXIST);
	if (inode < 0)
		return fail(ENOENT);
	need(disk_directory(disk_name(from)) == disk_directory(disk_name(to)),
	     "a rename to another directory is not simulated");
	note_change(inode);
	note_change(target);
	log_names(OP_RENAME, inode, disk_name(from), disk_name(to));
	disk_rename(machine.disk, disk_name(from), disk_name(to));
	return 0;
}

static bool
is_unfinished(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && strcmp(dot, ".new") == 0;
}

static int
machine_unlink(const char *path)
{
	if (hit(false, false))
		return -1;
	if (disk_find(machine.disk, disk_name(path)) < 0)
		return fail(ENOENT);
	note_change(disk_find(machine.disk, disk_name(path)));
	log_names(OP_UNLINK, -1, disk_name(path), "");
	disk_unlink(machine.disk, disk_name(path));
	machine.changes -= is_unfinished(path);
	return 0;
}

static int
machine_lock(int fd, int cmd, struct flock *lock)
{
	(void)fd;
	if (hit(false, false))
		return -1;
	if (cmd == F_OFD_GETLK)
		lock->l_type = F_UNLCK;
	return 0;
}

static int
machine_fadvise(int fd, off_t off, off_t len, int advice)
{
	(void)fd, (void)off, (void)len, (void)advice;
	return 0;
}

static bool
machine_reserved(int fd)
{
	(void)fd;
	return false;
}

const struct sys sys_machine = {
	.open = machine_open,
	.close = machine_close,
	.pread = machine_pread,
	.pwrite = machine_pwrite,
	.fdatasync = machine_fdatasync,
	.fsync = machine_fsync,
	.ftruncate = machine_ftruncate,
	.fstat = machine_fstat,
	.lseek = machine_lseek,
	.fchmod = machine_fchmod,
	.fchown = machine_fchown,
	.rename = machine_rename,
	.unlink = machine_unlink,
	.lock = machine_lock,
	.fadvise = machine_fadvise,
	.reserved = machine_reserved,
};
