/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages between the supervisor and its worker.  No message contains a
 * path, and every message has a fixed size.
 *
 *	requests  a SOCK_SEQPACKET socket: the worker sends one struct
 *		  channel_request and waits for one struct channel_reply.  A
 *		  reply may carry a descriptor, a request never does
 *	orders    a pipe to the worker: one byte an order, enum channel_order
 *	log       a pipe from the worker, its standard output and error: lines,
 *		  each optionally with the prefix "<N>", a priority of syslog(3)
 *	report    shared memory, struct report: the worker writes it, the
 *		  supervisor reads it
 *
 * The supervisor treats the worker as hostile.  It kills a worker that sends a
 * malformed request, or one that the policy (supervisor/broker.c) forbids.
 */
#ifndef PFLASHD_CHANNEL_H
#define PFLASHD_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Requests.  Those on files name the file by its role: enum files_role of
 * pflash/files.h, CHANNEL_HANDOVER or CHANNEL_TRACE.
 */
enum channel_verb {
	CHANNEL_OPEN = 1, /* role; flag: files_access; replies a descriptor */
	CHANNEL_CREATE,   /* role; replies a descriptor */
	CHANNEL_INSTALL,  /* role; flag 1: replace; replies CHANNEL_NAMED */
	CHANNEL_REMOVE,   /* role; flag 1: the unfinished file */
	CHANNEL_KEEP,     /* role; replies the number in the name, see below */
	CHANNEL_POPULATE, /* gfn, count: guest frames, as in transport_ops */
	CHANNEL_DEPOPULATE,
	CHANNEL_GET_TYPE, /* gfn; replies the frame's HVMMEM_* type */
	CHANNEL_PAUSE,    /* flag 1: until an administrator unpauses */
	CHANNEL_UNPAUSE, /* undoes CHANNEL_PAUSE with flag 0, or does nothing */
	CHANNEL_READY,   /* the flash is attached */
	CHANNEL_MODE,    /* the ordered mode change ended; count: 0 or errno */
	CHANNEL_VERBS,
};

/* The role after those of pflash/files.h: the record of pflash/handover.h. */
#define CHANNEL_HANDOVER 5
/*
 * Where the trace goes (pflash/trace.h): CHANNEL_OPEN replies a file to append
 * to, or a socket; -ENOENT: there is no trace, or no trace any more.
 */
#define CHANNEL_TRACE 6
#define CHANNEL_ROLES 7

/* 16 bytes; fields that the verb does not use are 0. */
struct channel_request {
	uint8_t verb;
	uint8_t role;
	uint8_t flag; /* 0 or 1; of CHANNEL_OPEN also FILES_BESIDE */
	uint8_t zero;
	uint32_t count;
	uint64_t gfn;
};

/* The new file has the name, see files_ops.install(). */
#define CHANNEL_NAMED 1u
/* An earlier worker has written to the trace; it died. */
#define CHANNEL_CONTINUED 2u
#define CHANNEL_HOLE 4u

/* 8 bytes */
struct channel_reply {
	int32_t result; /* 0 or more, or -errno */
	uint32_t flags; /* of the flags above */
};

/*
 * CHANNEL_KEEP gives the file another name: NAME.kept for the result 0,
 * NAME.kept.N for the result N.
 */

/* Orders are bits, so that a set of orders fits in one number. */
enum channel_order {
	CHANNEL_STOP = 1,       /* detach the flash and exit */
	CHANNEL_UPGRADE = 2,    /* exit and leave the flash attached */
	CHANNEL_SUSPEND = 4,    /* the guest is suspended: close its files */
	CHANNEL_RESUME = 8,     /* the guest runs again: reopen its files */
	CHANNEL_TO_DIRECT = 16, /* change the mode, answer with CHANNEL_MODE */
	CHANNEL_TO_TRAP = 32,
	CHANNEL_NEW_TRACE = 64, /* open CHANNEL_TRACE: it has changed */
};

/*
 * The worker's part of the status that pflashctl shows.  The worker stores each
 * number with one instruction.  The supervisor bounds every number that it uses
 * and makes the texts printable.
 */
struct report {
	uint64_t since;      /* time of the attach, seconds since 1970 */
	uint64_t base, size; /* of the flash, bytes */
	uint64_t direct;     /* 1: direct mode, 0: trap mode */
	uint64_t requests, reads, writes;
	uint64_t bursts, checkpoints, syncs;
	uint64_t refused; /* bursts, because of pinned variables */
	uint64_t written; /* to the disk, bytes */
	/* 1: every burst is synced, as store_sync_mode() says. */
	uint64_t burst_instead;
	/* How often, and for how long, the write limit delayed the guest. */
	uint64_t throttled, throttled_seconds;
	uint64_t takeovers;
	uint64_t released; /* 1: the files are closed, until CHANNEL_RESUME */
	uint64_t failed;   /* 1: a write error has made the flash read-only */
	/* Of the trace that runs, or of the last one: see struct trace_stats */
	uint64_t traced, trace_lost;
	/* Level of the write limit's bucket: struct limit_level of limit.h. */
	double level, level_when;
	char failure[256]; /* the write error, if `failed` is 1 */
	char mode[256];    /* why the last mode change failed, or "" */
};

/*
 * Sends one message and, if `fd_out` is not -1, a copy of that descriptor.
 * Never blocks.  Returns 0 or -errno; -EAGAIN: the socket's buffer is full,
 * because the other process does not read.
 */
int channel_send(int fd, const void *message, uint32_t size, int fd_out);

/*
 * Receives one message of exactly `size` bytes and, if `fd_in` is not NULL, at
 * most one descriptor: *fd_in is that descriptor, which the caller closes, or
 * -1.  Blocks unless `fd` is non-blocking.
 *
 * Returns 1; 0: the other process has closed the socket; -errno.  -EBADMSG: the
 * message has another size or more descriptors than allowed; all of its
 * descriptors are closed.
 */
int channel_receive(int fd, void *message, uint32_t size, int *fd_in);

#endif
