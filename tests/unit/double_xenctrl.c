/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A libxenctrl of Xen 9.1, for test_domctl.c: it has the functions that pflashd
 * uses, and structures that are longer than those of today's header files.
 *
 * Domain 7 exists and has shut down, domain 8 cannot be asked, and there is no
 * other one.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <xen/hvm/save.h>
#include <xenctrl.h>

#define LONGER 64

static int pauses;

xc_interface *
xc_interface_open(xentoollog_logger *logger, xentoollog_logger *builder,
		  unsigned flags)
{
	(void)logger;
	return builder || flags ? NULL : (xc_interface *)(void *)&pauses;
}

int
xc_interface_close(xc_interface *interface)
{
	return (void *)interface == &pauses ? 0 : -1;
}

static int
refuse(uint32_t domid)
{
	errno = domid == 8 ? EPERM : ESRCH;
	return -1;
}

int
xc_domain_pause(xc_interface *interface, uint32_t domid)
{
	if ((void *)interface != &pauses || domid != 7)
		return refuse(domid);
	pauses++;
	return 0;
}

int
xc_domain_unpause(xc_interface *interface, uint32_t domid)
{
	if ((void *)interface != &pauses || domid != 7 || !pauses)
		return refuse(domid);
	pauses--;
	return 0;
}

/* Like Xen, says of the next domain if there is no such one. */
int
xc_domain_getinfolist(xc_interface *interface, uint32_t first,
		      unsigned int count, xc_domaininfo_t *info)
{
	if ((void *)interface != &pauses || count != 1 || first == 8)
		return refuse(first);
	if (first > 7)
		return 0;
	memset(info, 0xff, sizeof(*info) + LONGER);
	info->domain = 7;
	info->cpu_time = 1500000000;
	info->flags = XEN_DOMINF_shutdown | SHUTDOWN_suspend
						    << XEN_DOMINF_shutdownshift;
	return 1;
}

int
xc_domain_hvm_getcontext_partial(xc_interface *interface, uint32_t domid,
				 uint16_t type, uint16_t instance, void *buf,
				 uint32_t size)
{
	HVM_SAVE_TYPE(CPU) cpu = { .cr0 = 0x80000011 };

	if ((void *)interface != &pauses || domid != 7 ||
	    type != HVM_SAVE_CODE(CPU) || instance != 0)
		return refuse(domid);
	if (size < sizeof(cpu) + LONGER) {
		errno = ENOSPC;
		return -1;
	}
	memset(buf, 0xff, sizeof(cpu) + LONGER);
	memcpy(buf, &cpu, sizeof(cpu));
	return 0;
}
