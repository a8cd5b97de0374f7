/* SPDX-License-Identifier: BSD-2-Clause */
/* The implementation of transport.h by the libraries of Xen. */
#ifndef PFLASH_XEN_H
#define PFLASH_XEN_H

#include <stdint.h>

#include "pflash/error.h"
#include "pflash/transport.h"

/*
 * Opens handles of the hypervisor for one HVM or PVH domain.  0, and
 * transport_ops.close() frees *out; or -errno and sets *err.  -EACCES, -ENOENT:
 * a device node in /dev/xen cannot be opened; -ESRCH: there is no such domain;
 * -ENOTSUP: it is a PV domain.
 */
int xen_transport_open(struct transport **out, uint32_t domid,
		       struct error *err);

/*
 * The processor time that the domain of such a transport has had since its
 * creation, in nanoseconds, or -errno.  0: it has executed no instruction; so
 * it is in a restored guest that was not started yet.
 */
int64_t xen_transport_cpu_time(struct transport *t);

#endif
