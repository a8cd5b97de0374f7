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

/*
 * Two directories: the names of the files in the second one begin with SECOND.
 * `stale` holds the contents of removed files, by offset.
 */
#define SECOND "second/"
struct disk {
	struct bytes inode[MAX_INODES];
	int inodes;
	struct entry entry[MAX_ENTRIES];
	int entries;
	struct bytes stale;
};

/* The name on the disk of the file with this path. */
const char *disk_name(const char *path);
/* The directory of a name: 0 or 1. */
int disk_directory(const char *name);
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
	OP_SYNC_DIRECTORY, /* `inode` is its number */
};

/* A change of VARS by a process other than the open store. */
enum touched {
	TOUCHED_NOT,
	TOUCHED_OTHER,   /* complete, but not what the journal expects */
	TOUCHED_COPIED,  /* written, not synced: it may hold anything */
	TOUCHED_GONE,    /* removed or new: may not match the journal */
	TOUCHED_DAMAGED, /* any content or none; its journal is whole */
};

enum cloned {
	CLONED_NOT,
	CLONED_BEGUN, /* there may be a clone, which is whole */
	CLONED_DONE,
	CLONED_USED, /* it is another flash now */
};

struct move {
	bool begun;         /* and not known to be complete */
	bool failed;        /* a call failed: its changes may not be durable */
	unsigned int from;  /* the place that it leaves */
	unsigned int place; /* of the flash in use: 0, or 1, the second path */
};

enum travel_stage {
	TRAVEL_NOT,
	TRAVEL_LENDING,   /* the flash is at its place, or lent */
	TRAVEL_LENT,      /* it is lent */
	TRAVEL_RECEIVED,  /* and has arrived at the other place */
	TRAVEL_TAKING,    /* the other place takes it, or the administrator */
	TRAVEL_RETURNING, /* likewise its own place */
};

/* The flash migrates with its guest from `move.place` to the other place. */
struct travel {
	enum travel_stage stage;
	bool received; /* it has arrived, durably */
	bool back;     /* lent and received are the same place */
	bool left;     /* files that are no flash may be at the other place */
};

/*
 * The states that a power cut may leave: VARS lo to hi, the saved state saved
 * lo to hi (model.h).
 */
struct range {
	uint32_t lo, hi, saved_lo, saved_hi;
	uint32_t answered; /* the last burst that the guest knows of */
	uint32_t settled;  /* the state of VARS alone; 0: not known */
	uint32_t clone;    /* the state of the clone */
	uint32_t resized; /* the state that a resize keeps; 0: none was begun */
	uint32_t queue_lo, queue_hi; /* lists in the queue */
	uint32_t queue_end;          /* the state behind them, at a start */
	bool queue_ends;   /* a start was begun, which removes the queue */
	uint64_t damaged;  /* hash of the file that a rescue keeps; 0: none */
	uint32_t damages;  /* entries of model.damage */
	bool cached;       /* the damage may be in the page cache only */
	bool kept_unknown; /* a call has failed: kept files may hold anything */
	uint32_t host_lo, host_hi; /* values of PK that the host has set */
	bool host_failed;          /* a change of the host has failed */
	enum touched touched;
	enum cloned cloned;
	struct move move;
	struct travel travel;
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

/* The hole behind the image of a complete device. */
#define DEVICE_HOLE (16u << 20)

struct machine {
	struct disk *disk;
	struct log *log;         /* NULL: nothing is logged */
	const struct range *may; /* copied into each logged op */
	const char *vars;        /* the name of the VARS file */
	/*
	 * Not 0: VARS is a complete device (device.h), which begins with an
	 * image of this size.
	 */
	size_t image;
	size_t hole; /* of a complete device: the offset of DEVICE_HOLE */
	struct fault fault;
	bool dead;         /* every call fails */
	bool vars_changed; /* VARS may no longer be in state range.settled */
	/*
	 * `changes` counts writes and syncs, but neither directory syncs nor
	 * the removal of unfinished files: opening a store does these.
	 */
	unsigned long vars_writes, changes;
	struct {
		bool used;
		bool directory;
		int inode; /* or the number of the directory */
	} fd[MAX_FDS];
};

extern struct machine machine;
extern const struct sys sys_machine;

/* Starts the computer with this disk: no open files, no fault. */
void machine_start(struct disk *disk, struct log *log, const struct range *may);
/* Returns true if any descriptor is open. */
bool machine_leaks(void);

#endif
