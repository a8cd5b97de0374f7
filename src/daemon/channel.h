/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that passes between the supervisor and its worker.  Nothing here is a
 * path, and nothing has a size that the worker decides.
 *
 *	requests  a socket of packets: struct channel_request from the worker,
 *		  struct channel_reply to it, one after the other; a descriptor
 *		  may come with a reply, never with a request
 *	orders    a pipe to the worker: one byte each, enum channel_order
 *	log       a pipe from the worker, its standard output and error: lines,
 *		  each perhaps behind "<N>", a priority of syslog(3)
 *	report    memory that the worker writes and the supervisor reads
 *
 * The supervisor takes the worker for hostile: a request that is malformed or
 * that the policy of broker.c forbids is the end of the worker.
 */
#ifndef PFLASHD_CHANNEL_H
#define PFLASHD_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

enum channel_verb {
	CHANNEL_OPEN = 1, /* role; flag: to write; the reply has a descriptor */
	CHANNEL_CREATE,   /* role; the reply has a descriptor */
	CHANNEL_INSTALL,  /* role; flag: replace; sets CHANNEL_NAMED */
	CHANNEL_REMOVE,   /* role; flag: the unfinished one */
	CHANNEL_POPULATE, /* gfn, count: of the guest, as in transport_ops */
	CHANNEL_DEPOPULATE,
	CHANNEL_GET_TYPE,
	CHANNEL_PAUSE,   /* flag: until an administrator unpauses the domain */
	CHANNEL_UNPAUSE, /* after a pause without the flag; else nothing */
	CHANNEL_READY,   /* the flash is attached */
	CHANNEL_MODE, /* the mode was changed as ordered, or count is errno */
	CHANNEL_VERBS,
};

/* Behind the roles of pflash/files.h: the record of pflash/handover.h. */
#define CHANNEL_HANDOVER 3
#define CHANNEL_ROLES 4

/* 16 bytes */
struct channel_request {
	uint8_t verb;
	uint8_t role;
	uint8_t flag; /* 0 or 1 */
	uint8_t zero;
	uint32_t count;
	uint64_t gfn;
};

#define CHANNEL_NAMED 1u

/* 8 bytes */
struct channel_reply {
	int32_t result; /* not negative, or -errno */
	uint32_t flags; /* CHANNEL_NAMED */
};

/* Bits, so that a set of them is one number; one is sent as its byte. */
enum channel_order {
	CHANNEL_STOP = 1,       /* detach, and end */
	CHANNEL_UPGRADE = 2,    /* end, and leave the flash as it is */
	CHANNEL_SUSPEND = 4,    /* the guest is suspended: let go of the file */
	CHANNEL_RESUME = 8,     /* the guest goes on */
	CHANNEL_TO_DIRECT = 16, /* change the mode; answered by CHANNEL_MODE */
	CHANNEL_TO_TRAP = 32,
};

/*
 * The worker's part of what pflashctl shows.  Each number is written whole; the
 * supervisor believes none of them, and takes the texts for hostile.
 */
struct report {
	uint64_t since;      /* attached: seconds since 1970 */
	uint64_t base, size; /* of the flash, bytes */
	uint64_t direct;     /* 1: direct mode, 0: trap mode */
	uint64_t requests, reads, writes;
	uint64_t bursts, checkpoints, written;
	uint64_t throttled, throttled_seconds;
	uint64_t takeovers;
	uint64_t failed; /* 1: read-only because of a failure */
	/* The level of the write limit, and its time: limit_level. */
	double level, level_when;
	char failure[256]; /* the sentence for it */
	char mode[256];    /* why the mode could not be changed */
};

/*
 * `passed`: a descriptor, or -1.  Never blocks.  0 or -errno; -EAGAIN: the
 * other side does not read.
 */
int channel_send(int fd, const void *message, uint32_t size, int passed);

/*
 * 1; 0: the other side has closed; -errno; -EBADMSG: not one message of this
 * size, or more descriptors than one, or one where `passed` is NULL.  None of
 * them stays open then.  *passed is a descriptor, the caller's, or -1.
 */
int channel_receive(int fd, void *message, uint32_t size, int *passed);

#endif
