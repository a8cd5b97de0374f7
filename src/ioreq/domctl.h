/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operations of the transport for which Xen has no stable interface: the
 * pause of a domain, the reason of its shutdown, the registers of a vCPU.  They
 * are domctls.  Their ABI changes with each release of Xen, and so does the
 * name of libxenctrl, which makes them: the hypervisor refuses those of another
 * release.
 *
 * So libxenctrl is not linked: the one of the hypervisor that runs is loaded by
 * its name, libxenctrl.so.4.17 on Xen 4.17.  The functions used here, and the
 * first fields of the structures, are the same in Xen 4.17 to 4.22; one program
 * serves them all.
 */
#ifndef IOREQ_DOMCTL_H
#define IOREQ_DOMCTL_H

#include <stdint.h>

#include "pflash/error.h"

struct domctl;
struct xentoollog_logger;

/*
 * Loads libxenctrl for the `version` of the hypervisor, (major << 16) + minor
 * like XENVER_version, and opens its interface.  0, or -errno and sets *err:
 * -ELIBACC if there is no such library.  `log` must outlive *out.
 */
int domctl_open(struct domctl **out, uint32_t version,
		struct xentoollog_logger *log, struct error *err);
void domctl_close(struct domctl *domctl);

/* Xen counts pauses.  0 or -errno. */
int domctl_pause(struct domctl *domctl, uint32_t domid);
int domctl_unpause(struct domctl *domctl, uint32_t domid);

/* Sets *flags to XEN_DOMINF_*.  0; -ESRCH: there is no such domain; -errno. */
int domctl_flags(struct domctl *domctl, uint32_t domid, uint32_t *flags);

/*
 * Returns the processor time of the domain in nanoseconds; -ESRCH: there is no
 * such domain; -errno.
 */
int64_t domctl_cpu_time(struct domctl *domctl, uint32_t domid);

/* Sets *cr0 to the register CR0 of the first vCPU.  0 or -errno. */
int domctl_cr0(struct domctl *domctl, uint32_t domid, uint64_t *cr0);

#endif
