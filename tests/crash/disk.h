/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A simulated disk behind the store's table of system calls. It holds the files
 * as a process sees them, and logs every change and every sync, from which
 * cut.h works out what the medium may hold at any moment.
 */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/sys.h"

#define NAME_SIZE 48
#define MAX_INODES 1024
#define MAX_ENTRIES 32

struct bytes {
	uint8_t *data;
	size_t len, room;
};

/* Fills new bytes with zeroes. */
void bytes_resize(struct bytes *bytes, size_t len);
void bytes_write(struct bytes *bytes, size_t off, const void *data, size_t len);
void bytes_copy(struct bytes *to, const struct bytes *from);
void bytes_free(struct bytes *bytes);

struct entry {
	char name[NAME_SIZE];
	int inode;
};

/* One directory. `stale` holds the contents of removed files, by offset. */
struct disk {
	struct bytes inode[MAX_INODES];
	int inodes;
	struct entry entry[MAX_ENTRIES];
	int entries;
	struct bytes stale;
};

void disk_clear(struct disk *disk);
void disk_copy(struct disk *to, const struct disk *from);
/* Returns the inode of a name, or -1. */
int disk_find(const struct disk *disk, const char *name);
void disk_link(struct disk *disk, const char *name, int inode);
void disk_unlink(struct disk *disk, const char *name);
void disk_rename(struct disk *disk, const char *from, const char *to);
void disk_truncate(struct disk *disk, int inode, size_t len);

enum op_kind {
	OP_WRITE,
	OP_TRUNCATE, /* new size: `off` */
	OP_SYNC,
	OP_LOSE, /* a sync failed: unsynced data may never be written */
	OP_LINK,
	OP_UNLINK,
	OP_RENAME,
	OP_SYNC_DIRECTORY,
};

/* A change of VARS by a process other than the open store. */
enum touched {
	TOUCHED_NOT,
	TOUCHED_OTHER,  /* complete, but not what the journal expects */
	TOUCHED_COPIED, /* written, not synced: it may hold anything */
	TOUCHED_GONE,   /* removed or new: may not match the journal */
};

/*
 * The states that a power cut may leave: VARS lo to hi, the saved state saved
 * lo to hi (model.h).
 */
struct range {
	uint32_t lo, hi, saved_lo, saved_hi;
	uint32_t answered; /* the last burst that the guest knows of */
	enum touched touched;
};

struct op {
	enum op_kind kind;
	int inode;
	size_t off, len;
	size_t data; /* offset in log.data */
	char name[NAME_SIZE], to[NAME_SIZE];
	struct range may;
};

struct log {
	struct op *op;
	size_t ops, room;
	struct bytes data;
};

/* The fault injected at call number `nth`, counted from 1. */
enum fault_kind {
	FAULT_NONE,
	FAULT_ERROR,
	FAULT_SHORT, /* a read or write transfers only a part */
	FAULT_KILL,  /* the process ends, the disk keeps working */
};

struct fault {
	enum fault_kind kind;
	int error;
	bool persistent;
	unsigned int nth, calls, hits;
	bool lose;     /* a failed sync drops the dirty pages */
	size_t hit_at; /* number of logged ops at the first hit */
};

#define MAX_FDS 32

struct machine {
	struct disk *disk;
	struct log *log;         /* NULL: nothing is logged */
	const struct range *may; /* copied into each logged op */
	const char *vars;        /* the name of the VARS file */
	struct fault fault;
	bool dead; /* every call fails */
	/*
	 * `changes` counts writes and syncs, but not directory syncs: opening a
	 * store does one.
	 */
	unsigned long vars_writes, changes;
	struct {
		bool used;
		bool directory;
		int inode;
	} fd[MAX_FDS];
};

extern struct machine machine;
extern const struct sys sys_machine;

/* Starts the computer with this disk: no open files, no fault. */
void machine_start(struct disk *disk, struct log *log, const struct range *may);
/* Returns true if any descriptor is open. */
bool machine_leaks(void);

#endif
