/* SPDX-License-Identifier: BSD-2-Clause */
/* The transport to a real hypervisor. */
#ifndef PFLASH_XEN_H
#define PFLASH_XEN_H

#include <stdint.h>

#include "pflash/error.h"
#include "pflash/transport.h"

/*
 * Opens the hypervisor for one HVM or PVH domain.  -EACCES and -ENOENT name
 * the device node that could not be opened; -ESRCH: no such domain; -ENOTSUP:
 * a PV domain.
 */
int xen_transport_open(struct transport **out, uint32_t domid,
		       struct error *err);

#endif
