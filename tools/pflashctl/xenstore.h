/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads xenstore with a time limit, which libxenstore does not have: xenstored
 * may hang.  The protocol is that of Xen's public/io/xs_wire.h.
 */
#ifndef PFLASHCTL_XENSTORE_H
#define PFLASHCTL_XENSTORE_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

struct xenstore {
	int fd;
	int64_t deadline; /* of ask_clock(), for all requests together */
	uint32_t requests;
};

/*
 * Connects to the socket of xenstored below `root`, or opens the kernel's
 * device.  0, and xenstore_close() is due; or -errno with a sentence.
 */
int xenstore_open(struct xenstore *xs, const char *root, int64_t deadline,
		  struct error *err);
void xenstore_close(struct xenstore *xs);

/*
 * Reads the value of a path; the caller frees *value, *len bytes that may be
 * hostile, and a NUL byte.  -ENOENT: there is none; -ETIMEDOUT; or another
 * -errno with a sentence.
 */
int xenstore_read(struct xenstore *xs, const char *path, char **value,
		  size_t *len, struct error *err);

/* The same for the names below a path, each with a NUL byte at its end. */
int xenstore_list(struct xenstore *xs, const char *path, char **names,
		  size_t *len, struct error *err);

#endif
