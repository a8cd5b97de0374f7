/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk in memory behind the store's table of system calls.  It has what a
 * process sees, and it logs every change and every sync, so that what the
 * medium may hold at any moment can be worked out afterwards (cut.h).
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

/* Grows with zeros. */
void bytes_resize(struct bytes *bytes, size_t len);
void bytes_write(struct bytes *bytes, size_t off, const void *data, size_t len);
void bytes_copy(struct bytes *to, const struct bytes *from);
void bytes_free(struct bytes *bytes);

struct entry {
	char name[NAME_SIZE];
	int inode;
};

/* One directory.  What files once held is `stale`, by offset. */
struct disk {
	struct bytes inode[MAX_INODES];
	int inodes;
	struct entry entry[MAX_ENTRIES];
	int entries;
	struct bytes stale;
};

void disk_clear(struct disk *disk);
void disk_copy(struct disk *to, const struct disk *from);
/* The inode of a name, or -1. */
int disk_find(const struct disk *disk, const char *name);
void disk_link(struct disk *disk, const char *name, int inode);
void disk_unlink(struct disk *disk, const char *name);
void disk_rename(struct disk *disk, const char *from, const char *to);
void disk_truncate(struct disk *disk, int inode, size_t len);

enum op_kind {
	OP_WRITE,
	OP_TRUNCATE, /* to `off` */
	OP_SYNC,
	OP_LOSE, /* a sync failed: what was not synced may never be written */
	OP_LINK,
	OP_UNLINK,
	OP_RENAME,
	OP_SYNC_DIRECTORY,
};

/* What others than an open store have done to VARS. */
enum touched {
	TOUCHED_NOT,
	TOUCHED_OTHER,  /* whole, but not what the journal knows */
	TOUCHED_COPIED, /* written, not synced: it may hold anything */
	TOUCHED_GONE, /* removed, or new: perhaps not what the journal knows */
};

/* What may be found when the power is cut: states lo to hi (model.h). */
struct range {
	uint32_t lo, hi, kept_lo, kept_hi;
	enum touched touched;
};

struct op {
	enum op_kind kind;
	int inode;
	size_t off, len;
	size_t data; /* in log.data */
	char name[NAME_SIZE], to[NAME_SIZE];
	struct range may;
};

struct log {
	struct op *op;
	size_t ops, room;
	struct bytes data;
};

/* What happens at call number `nth`, counted from 1. */
enum fault_kind {
	FAULT_NONE,
	FAULT_ERROR,
	FAULT_SHORT, /* a read or write does a part */
	FAULT_KILL,  /* the process ends, the disk lives on */
};

struct fault {
	enum fault_kind kind;
	int error;
	bool persistent;
	unsigned int nth, calls, hits;
	bool lose;     /* a failed sync drops the pages */
	size_t hit_at; /* ops in the log when it was hit first */
};

#define MAX_FDS 32

struct machine {
	struct disk *disk;
	struct log *log;         /* NULL: nothing is logged */
	const struct range *may; /* copied into the log */
	const char *vars;        /* the name of the VARS file */
	struct fault fault;
	bool dead; /* no call does anything any more */
	/* Syncs are changes, but for a directory's, which opening does. */
	unsigned long vars_writes, changes;
	struct {
		bool used;
		bool directory;
		int inode;
	} fd[MAX_FDS];
};

extern struct machine machine;
extern const struct sys sys_machine;

/* A disk after its computer was switched on. */
void machine_start(struct disk *disk, struct log *log, const struct range *may);
/* Is any descriptor open? */
bool machine_leaks(void);

#endif
