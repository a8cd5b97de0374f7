/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the worker asks of the keeper (worker.h, keeper.h), over a socket of
 * packets: one call, one answer, each with a descriptor where the call says so.
 */
#ifndef PFLASHD_CHANNEL_H
#define PFLASHD_CHANNEL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum channel_op {
	/* What struct sys has, for the names of this flash only (names.h). */
	CHANNEL_OPEN, /* number: flags, mode; the answer brings a descriptor */
	CHANNEL_REALPATH,
	CHANNEL_RENAME,
	CHANNEL_RENAME_NEW,
	CHANNEL_UNLINK,
	CHANNEL_OWN,    /* brings a new file, which is then owned as VARS is */
	CHANNEL_HOLDER, /* brings a file that another process has */
	/* What struct transport_ops has; number: gfn, count. */
	CHANNEL_POPULATE,
	CHANNEL_DEPOPULATE,
	CHANNEL_GET_TYPE,
	CHANNEL_PAUSE,
	CHANNEL_UNPAUSE,
	CHANNEL_SHUTDOWN_REASON,
	CHANNEL_HAS_RUN,
	/* The rest of the world. */
	CHANNEL_LOG,        /* number[0]: level */
	CHANNEL_LISTEN,     /* the answer brings the control socket */
	CHANNEL_LIMIT,      /* the same with the file of the write limit */
	CHANNEL_LIMIT_FULL, /* it may be removed */
	CHANNEL_READY,
	CHANNEL_STOPPING,
	CHANNEL_NAME,   /* of the domain, in the answer's text */
	CHANNEL_FORGET, /* the live file: the flash is gone */
};

struct channel_call {
	enum channel_op op;
	uint64_t number[2];
	char text[2][PATH_MAX];
};

struct channel_answer {
	int64_t result;      /* not negative, or -errno */
	char text[PATH_MAX]; /* a sentence, or the path */
};

/* What the keeper says without being asked: one byte. */
enum channel_order {
	CHANNEL_DOMAINS = 'd',   /* some domain has ended, perhaps this one */
	CHANNEL_NAMED = 'n',     /* this one has got another name */
	CHANNEL_TERMINATE = 't', /* detach, and end */
	CHANNEL_UPGRADE = 'u',   /* end, and leave the flash as it is */
};

/* `passed`: a descriptor, or -1.  0 or -errno. */
int channel_send(int fd, const void *message, size_t size, int passed);

/*
 * 1, or 0 at the end, or -errno; -EBADMSG: not one message of this size.  The
 * descriptor, or -1, is the caller's.
 */
int channel_receive(int fd, void *message, size_t size, int *passed);

#endif
